package twilio

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/channels/channeltest"
	"parley/fault"
	"parley/message"
)

const (
	account  = "AC00000000000000000000000000000001"
	consumer = "+15550100200"
	ours     = "+15550100900"
	public   = "https://conn.example.test/parley"
	path     = "/webhooks/channels/sms"
)

func newAdapter(t testing.TB, base string, tokens ...string) *Adapter {
	t.Helper()
	a, err := New(Config{
		Channel: "sms", AccountSID: account, AuthTokens: tokens, From: ours, BaseURL: base, PublicURL: public,
	})
	require.NoError(t, err)
	return a
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, media := range []bool{false, true} {
		t.Run(fmt.Sprint("media ", media), func(t *testing.T) {
			t.Parallel()
			conformance(t, media)
		})
	}
}

func conformance(t *testing.T, media bool) {
	const secret, next = "tok-demo", "tok-next"
	channeltest.Run(t, func(t testing.TB, base string, tokens ...string) channels.Adapter {
		a, err := New(Config{
			Channel: "sms", AccountSID: account, AuthTokens: tokens, From: ours, BaseURL: base, PublicURL: public, Media: media,
		})
		require.NoError(t, err)
		return a
	}, channeltest.Features{
		Channel: "sms", Consumer: consumer, Secret: secret, Next: next,
		Sign: sign, Unsign: []string{"X-Twilio-Signature"},
		Message:  inbound,
		File:     inboundFile,
		Tap:      inboundTap,
		Receipt:  inboundReceipt,
		Receipts: []message.ReceiptState{message.Delivered, message.Read, message.Failed},
		Unusable: unusable(),
		Garbage: map[string]channels.Webhook{
			"a broken escape":  {Path: path, Body: []byte("Body=%zz&From=%2B1")},
			"semicolons":       {Path: path, Body: []byte("Body=a;From=b")},
			"a status without": {Path: path + "/status", Route: "status", Query: "message=%zz;&part=-1&parts=99999999999999999999"},
			"much media":       {Path: path, Body: []byte("MessageSid=SM1&From=%2B1&NumMedia=2000000000")},
			"negative media":   {Path: path, Body: []byte("MessageSid=SM1&From=%2B1&NumMedia=-5")},
		},
		Read:     read,
		ReadFile: readFile,
		Accept: func(w http.ResponseWriter, n int) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"sid":%q,"status":"queued","error_code":null,"body":"…"}`, ref(n))
		},
		Ref:      ref,
		Refusals: refusals(),
	})
}

func ref(n int) string { return fmt.Sprintf("SM%032d", n) }

// sign is a second implementation of Twilio's recipe, as the Node helper has it.
func sign(w *channels.Webhook, token string) {
	payload := public + w.Path
	if w.Query != "" {
		payload += "?" + w.Query
	}
	if w.Method == http.MethodPost {
		form, _ := url.ParseQuery(string(w.Body))
		payload += nodeFields(form)
	}
	w.Header.Set("X-Twilio-Signature", hmacSHA1(token, payload))
}

// nodeFields is toFormUrlEncodedParam of the Node helper: distinct values, sorted.
func nodeFields(form url.Values) string {
	var keys []string
	for k := range form {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	out := ""
	for _, k := range keys {
		distinct := map[string]bool{}
		for _, v := range form[k] {
			distinct[v] = true
		}
		var values []string
		for v := range distinct {
			values = append(values, v)
		}
		sort.Strings(values)
		for _, v := range values {
			out += k + v
		}
	}
	return out
}

func hmacSHA1(key, text string) string {
	mac := hmac.New(sha1.New, []byte(key))
	_, _ = io.WriteString(mac, text)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// form is a webhook with the given fields.
func form(route string, fields url.Values) channels.Webhook {
	w := channels.Webhook{Method: http.MethodPost, Path: path, Route: route, Body: []byte(fields.Encode())}
	if route != "" {
		w.Path += "/" + route
	}
	return w
}

func inbound(n int, text string) channels.Webhook {
	return form("", url.Values{
		"MessageSid": {ref(n)}, "SmsSid": {ref(n)}, "AccountSid": {account}, "From": {consumer}, "To": {ours},
		"Body": {text}, "NumMedia": {"0"}, "NumSegments": {"1"}, "FromCountry": {"US"},
	})
}

func inboundFile(n int, link string) channels.Webhook {
	return form("", url.Values{
		"MessageSid": {fmt.Sprintf("MM%032d", n)}, "AccountSid": {account}, "From": {consumer}, "To": {ours}, "Body": {""},
		"NumMedia": {"1"}, "MediaUrl0": {link}, "MediaContentType0": {"image/png"}, "NumSegments": {"1"},
	})
}

func inboundTap(n int, id, title string) channels.Webhook {
	return form("", url.Values{
		"MessageSid": {ref(n)}, "From": {consumer}, "To": {ours}, "Body": {title}, "NumMedia": {"0"}, "ButtonText": {title}, "ButtonPayload": {id},
	})
}

func inboundReceipt(_ int, ref string, state message.ReceiptState) channels.Webhook {
	fields := url.Values{"MessageSid": {ref}, "To": {consumer}, "From": {ours}, "MessageStatus": {string(state)}}
	if state == message.Failed {
		fields.Set("ErrorCode", "30008")
	}
	return form("status", fields)
}

func unusable() map[string]channels.Webhook {
	return map[string]channels.Webhook{
		"no sid":                 form("", url.Values{"From": {consumer}, "Body": {"Hello"}}),
		"no sender":              form("", url.Values{"MessageSid": {"SM1"}, "Body": {"Hello"}}),
		"a sender with NUL":      form("", url.Values{"MessageSid": {"SM1"}, "From": {"+1\x00"}, "Body": {"Hello"}}),
		"a sid that is too long": form("", url.Values{"MessageSid": {strings.Repeat("S", 4000)}, "From": {consumer}, "Body": {"Hello"}}),
		"nothing said":           form("", url.Values{"MessageSid": {"SM1"}, "From": {consumer}, "Body": {" "}, "NumMedia": {"0"}}),
		"an unknown status":      form("status", url.Values{"MessageSid": {"SM1"}, "To": {consumer}, "MessageStatus": {"teleported"}}),
		"a status of nobody":     form("status", url.Values{"MessageStatus": {"delivered"}}),
	}
}

// read is what Twilio would check of a request.
func read(r *http.Request, body []byte) (channeltest.Request, error) {
	user, password, _ := r.BasicAuth()
	fields, err := url.ParseQuery(string(body))
	switch {
	case err != nil:
		return channeltest.Request{}, err
	case user != account || password != "tok-next":
		return channeltest.Request{}, errors.New("credentials")
	case r.Method != http.MethodPost || r.URL.Path != "/far/side/2010-04-01/Accounts/"+account+"/Messages.json":
		return channeltest.Request{}, errors.New("resource")
	case r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		return channeltest.Request{}, errors.New("content type")
	case fields.Get("From") != ours:
		return channeltest.Request{}, errors.New("sender")
	case !strings.HasPrefix(fields.Get("StatusCallback"), public+path+"/status?message="):
		return channeltest.Request{}, errors.New("status callback")
	}
	text, media := fields["Body"], fields["MediaUrl"]
	switch {
	case len(text)+len(media) == 0, len(text) > 1, len(media) > 1, len(text) == 1 && text[0] == "":
		return channeltest.Request{}, errors.New("neither Body nor MediaUrl, or too many of them")
	case len(fields["To"]) != 1 || len(fields) > 5:
		return channeltest.Request{}, errors.New("fields")
	}
	return channeltest.Request{Key: fields.Get("StatusCallback"), To: fields.Get("To"), Text: fields.Get("Body"), Media: fields.Get("MediaUrl")}, nil
}

// readFile is what Twilio would check of a request for a file.
func readFile(r *http.Request) error {
	if user, password, _ := r.BasicAuth(); user != account || password != "tok-next" {
		return errors.New("credentials")
	}
	return nil
}

func refusals() []channeltest.Refusal {
	of := func(status, code int, class fault.Class, after time.Duration) channeltest.Refusal {
		return channeltest.Refusal{
			Name: fmt.Sprint(code), Status: status, Class: class, Code: fmt.Sprint(code), After: after,
			Body: fmt.Sprintf(`{"code":%d,"message":"To %s: canary-words","more_info":"https://…","status":%d}`, code, consumer, status),
		}
	}
	all := []channeltest.Refusal{
		of(429, 20429, fault.Throttled, time.Second),
		of(400, 63018, fault.Throttled, time.Second),
		of(400, 21610, fault.Gone, 0),
		of(401, 20003, fault.Denied, 0),
		of(503, 20503, fault.Uncertain, 0),
		of(500, 21211, fault.Uncertain, 0),
		{Name: "404 of nobody", Status: 404, Class: fault.Denied},
		{Name: "a code that is none", Status: 400, Body: `{"code":"` + consumer + `"}`, Class: fault.Rejected},
		{Name: "2xx of somebody else", Status: 200, Body: "<html>welcome</html>", Class: fault.Uncertain},
	}
	for _, code := range []int{21611, 30001, 30003, 30008} {
		all = append(all, of(400, code, fault.Transient, 0))
	}
	for _, code := range []int{10001, 20404, 21408, 21606, 21609, 21660, 30002, 30034} {
		all = append(all, of(400, code, fault.Denied, 0))
	}
	for _, code := range []int{21211, 21612, 21614, 21617, 30004, 30005, 30006, 30007, 63016, 21604} {
		all = append(all, of(400, code, fault.Rejected, 0))
	}
	return all
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	fields := func(c Config) (names []string) {
		_, err := New(c)
		for _, e := range channels.FieldErrors(err) {
			names = append(names, e.Field)
		}
		return names
	}
	require.Equal(t, []string{"Channel", "AccountSID", "From", "AuthTokens", "PublicURL"}, fields(Config{}))
	good := Config{Channel: "sms", AccountSID: account, From: ours, AuthTokens: []string{"t"}, PublicURL: public}
	require.Empty(t, fields(good))
	for field, change := range map[string]func(*Config){
		"AuthTokens": func(c *Config) { c.AuthTokens = []string{"t", ""} },
		"PublicURL":  func(c *Config) { c.PublicURL = "https://a.test/x?y=1" },
		"BaseURL":    func(c *Config) { c.BaseURL = "ftp://a.test" },
	} {
		bad := good
		change(&bad)
		require.Equal(t, []string{field}, fields(bad))
	}
	a, err := New(Config{Channel: "sms", AccountSID: account, From: ours, AuthTokens: []string{"t"}, PublicURL: "conn.example.test/p/", BaseURL: "api.example.test/t/"})
	require.NoError(t, err)
	require.Equal(t, "https://conn.example.test/p/webhooks/channels/sms/status", a.callback)
	require.Equal(t, "https://api.example.test/t/2010-04-01/Accounts/"+account+"/Messages.json", a.messages)
	require.Equal(t, message.ID("x"), originOf("message=x").message)
}
