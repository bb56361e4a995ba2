package twilio

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/channels/channeltest"
	"parley/fault"
	"parley/message"
)

var arrived = time.Date(2026, 11, 20, 9, 15, 27, 0, time.UTC)

func receive(t *testing.T, w channels.Webhook) channels.Received {
	t.Helper()
	w.At, w.Header = arrived, http.Header{}
	sign(&w, "tok-demo")
	got, err := newAdapter(t, "", "tok-demo").Receive(w)
	require.NoError(t, err)
	channeltest.Check(t, "sms", got, err)
	require.Equal(t, "text/xml", got.ContentType)
	require.Contains(t, string(got.Answer), "<Response/>")
	require.Zero(t, got.Status)
	return got
}

// The vector was checked against Twilio's own helper libraries.
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	a, err := New(Config{Channel: "sms", AccountSID: account, AuthTokens: []string{"tok-demo"}, From: ours, PublicURL: "https://conn.example.test"})
	require.NoError(t, err)
	w := channels.Webhook{
		Method: http.MethodPost, Path: "/ch/sms", Query: "acct=7", At: arrived,
		Header: http.Header{"X-Twilio-Signature": {"djGzm+UGhHAwSTEUa+MvE+1z2rg="}},
		Body:   []byte("Body=Hello&From=%2B15550100200&MessageSid=SM00000000000000000000000000000001&To=%2B15550100900"),
	}
	got, err := a.Receive(w)
	require.NoError(t, err)
	require.Len(t, got.Events, 1)
	w.Query = "acct=8"
	_, err = a.Receive(w)
	require.Equal(t, fault.Denied, fault.ClassOf(err))
}

func TestSignatureOverAnySpellingOfThePort(t *testing.T) {
	t.Parallel()
	for configured, signed := range map[string][]string{
		"https://a.test":          {"https://a.test", "https://a.test:443"},
		"https://a.test:443/p":    {"https://a.test:443/p", "https://a.test/p"},
		"http://a.test":           {"http://a.test", "http://a.test:80"},
		"https://a.test:8443":     {"https://a.test:8443", "https://a.test"},
		"https://[::1]:8443/deep": {"https://[::1]:8443/deep", "https://[::1]/deep"},
	} {
		a, err := New(Config{Channel: "sms", AccountSID: account, AuthTokens: []string{"t"}, From: ours, PublicURL: configured})
		require.NoError(t, err)
		for _, base := range signed {
			w := inbound(1, "Hello")
			fields, _ := url.ParseQuery(string(w.Body))
			w.Header = http.Header{"X-Twilio-Signature": {hmacSHA1("t", base+w.Path+nodeFields(fields))}}
			_, err := a.Receive(w)
			require.NoError(t, err, "%s signed as %s", configured, base)
		}
	}
}

func TestSignatureOverRepeatedFields(t *testing.T) {
	t.Parallel()
	w := inbound(1, "Hello")
	w.Body = append(w.Body, "&X=b&X=a&X=b&Empty=&X="...)
	require.Len(t, receive(t, w).Events, 1)
}

func TestGet(t *testing.T) {
	t.Parallel()
	w := inbound(1, "Hello")
	w.Method, w.Query, w.Body = http.MethodGet, string(w.Body), nil
	require.Equal(t, "Hello", receive(t, w).Events[0].Text)
}

func TestMessage(t *testing.T) {
	t.Parallel()
	w := form("", url.Values{
		"MessageSid": {"MM1"}, "From": {consumer}, "To": {ours}, "Body": {"Look"}, "NumMedia": {"2"},
		"MediaUrl0": {"https://api.twilio.com/m/ME0"}, "MediaContentType0": {"image/jpeg"},
		"MediaUrl1": {"https://api.twilio.com/m/1"}, "MediaContentType1": {"application/pdf"},
		"ProfileName": {"Ada"}, "ButtonText": {"Yes"}, "ButtonPayload": {"y"},
	})
	want := message.Inbound{
		Kind: message.Wrote, ID: message.NewID("sms", "MM1"), EventID: "MM1", Ref: "MM1", At: arrived, Text: "Look",
		Address: message.Address{Channel: "sms", Consumer: consumer},
		Choice:  &message.Choice{ID: "y", Title: "Yes"},
		Attachments: []message.Attachment{
			{Kind: "image", MIME: "image/jpeg", URL: "https://api.twilio.com/m/ME0", Ref: "ME0"},
			{Kind: "file", MIME: "application/pdf", URL: "https://api.twilio.com/m/1"},
		},
		Profile: message.Profile{Name: "Ada", Phone: consumer},
	}
	if diff := cmp.Diff([]message.Inbound{want}, receive(t, w).Events); diff != "" {
		t.Error(diff)
	}
}

func TestPhoneIsOnlyWhatIsOne(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"+15550100200": "+15550100200", "whatsapp:+15550100200": "+15550100200", "12345": "", "ACME": "", "+": "", "messenger:123": "",
	} {
		require.Equal(t, want, phone(from), from)
	}
}

func TestTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a\uFFFDb", receive(t, inbound(1, "a\xff\x00b")).Events[0].Text)
}

func TestConsent(t *testing.T) {
	t.Parallel()
	type row struct {
		text, optOutType string
		want             message.ConsentChange
	}
	for _, r := range []row{
		{"STOP", "", message.OptedOut}, {" stop\n", "", message.OptedOut}, {"StopAll", "", message.OptedOut},
		{"UNSUBSCRIBE", "", message.OptedOut}, {"cancel", "", message.OptedOut}, {"end", "", message.OptedOut}, {"quit", "", message.OptedOut},
		{"start", "", message.OptedIn}, {"UNSTOP", "", message.OptedIn},
		{"yes", "", ""}, {"HELP", "", ""}, {"HELP", "HELP", ""}, {"please stop", "", ""}, {"stop it", "", ""}, {"the end", "", ""},
		{"yes", "START", message.OptedIn}, {"basta", "STOP", message.OptedOut}, {"", "STOP", message.OptedOut},
	} {
		w := inbound(1, r.text)
		w.Body = append(w.Body, "&OptOutType="+r.optOutType...)
		got := receive(t, w).Events
		require.Len(t, got, 1)
		require.Equal(t, r.want, got[0].Consent, "%q %q", r.text, r.optOutType)
		require.Equal(t, r.text, got[0].Text, "the words reach the agent as they are")
		if r.text == "" {
			require.Equal(t, message.Consent, got[0].Kind)
		} else {
			require.Equal(t, message.Wrote, got[0].Kind)
		}
	}
}

// callback is the request that Twilio makes with the status of what was posted
// with the given StatusCallback.
func callback(o origin, fields url.Values) channels.Webhook {
	a := Adapter{callback: public + path + "/status"}
	fields.Set("MessageSid", "SM9")
	fields.Set("To", consumer)
	w := form("status", fields)
	_, w.Query, _ = strings.Cut(a.callbackFor(o), "?")
	return w
}

func TestStatus(t *testing.T) {
	t.Parallel()
	id := message.NewID("x")
	whole, first, last := origin{id, 1, 1}, origin{id, 1, 3}, origin{id, 3, 3}
	for name, row := range map[string]struct {
		of     origin
		status string
		code   string
		want   *message.Receipt
		echo   bool
	}{
		"queued":          {of: whole, status: "queued", echo: true},
		"sent":            {of: whole, status: "sent", echo: true},
		"delivered":       {of: whole, status: "delivered", echo: true, want: &message.Receipt{State: message.Delivered}},
		"read":            {of: whole, status: "read", echo: true, want: &message.Receipt{State: message.Read}},
		"undelivered":     {of: whole, status: "undelivered", code: "30003", echo: true, want: &message.Receipt{State: message.Failed, Code: "30003"}},
		"failed, no code": {of: whole, status: "failed", echo: true, want: &message.Receipt{State: message.Failed, Code: "failed"}},
		"first part":      {of: first, status: "delivered"},
		"first part lost": {of: first, status: "failed", code: "30007", want: &message.Receipt{State: message.Failed, Code: "30007"}},
		"last part":       {of: last, status: "delivered", echo: true, want: &message.Receipt{State: message.Delivered}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := receive(t, callback(row.of, url.Values{"MessageStatus": {row.status}, "ErrorCode": {row.code}}))
			require.Equal(t, row.echo, len(got.Echoes) == 1)
			for _, e := range got.Echoes {
				require.Equal(t, message.Echo{Scope: "sms", Key: id, Sequence: -1, At: arrived}, e)
			}
			if row.want == nil {
				require.Empty(t, got.Events)
				return
			}
			row.want.Ref = "SM9"
			if row.echo {
				row.want.Message = id
			}
			require.Len(t, got.Events, 1)
			require.Equal(t, row.want, got.Events[0].Receipt)
			require.Equal(t, "SM9/"+row.status, got.Events[0].EventID)
			require.Equal(t, message.Address{Channel: "sms", Consumer: consumer}, got.Events[0].Address)
		})
	}
}

func TestStatusOfWhatWeDidNotSend(t *testing.T) {
	t.Parallel()
	w := form("status", url.Values{"MessageSid": {"SM9"}, "To": {consumer}, "MessageStatus": {"delivered"}})
	got := receive(t, w)
	require.Empty(t, got.Echoes)
	require.Equal(t, &message.Receipt{Ref: "SM9", State: message.Delivered}, got.Events[0].Receipt)
}

func FuzzReceive(f *testing.F) {
	for _, w := range append([]channels.Webhook{inbound(1, "Hello"), inboundFile(2, "https://api.twilio.com/ME1"), inboundTap(3, "m/1", "Yes"), callback(origin{"x", 1, 2}, url.Values{"MessageStatus": {"failed"}})}, values(unusable())...) {
		f.Add(w.Method, w.Route, w.Query, w.Body, "djGzm+UGhHAwSTEUa+MvE+1z2rg=")
	}
	f.Fuzz(func(t *testing.T, method, route, query string, body []byte, signature string) {
		a := newAdapter(t, "", "tok-demo")
		w := channels.Webhook{Method: method, Route: route, Path: path, Query: query, Body: body, At: arrived}
		w.Header = http.Header{"X-Twilio-Signature": {signature}}
		forged, err := a.Receive(w)
		channeltest.Check(t, "sms", forged, err)
		if err == nil {
			t.Fatal("a webhook was taken that Twilio did not sign")
		}
		// The header no longer matters: the parser gets the form as if it were signed.
		for _, fields := range []string{string(body), query} {
			if form, err := url.ParseQuery(fields); err == nil {
				var r channels.Received
				a.message(&r, w, form)
				a.status(&r, w, form)
				r.Events = distinct(r.Events)
				channeltest.Check(t, "sms", r, nil)
			}
		}
	})
}

func values(m map[string]channels.Webhook) (all []channels.Webhook) {
	for _, w := range m {
		all = append(all, w)
	}
	return all
}

func distinct(all []message.Inbound) []message.Inbound {
	if len(all) == 2 && all[0].EventID == all[1].EventID {
		return all[:1]
	}
	return all
}
