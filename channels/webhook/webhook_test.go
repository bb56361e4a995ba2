package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/channels/channeltest"
	"parley/fault"
	"parley/message"
)

const (
	secret = "whsec_Z2VuZXJpYy1zZWNyZXQtZGVtby0wMDAx"
	next   = "whsec_Z2VuZXJpYy1zZWNyZXQtZGVtby0wMDAy"
	path   = "/webhooks/channels/web"
)

func newAdapter(t testing.TB, url string, secrets ...string) *Adapter {
	t.Helper()
	a, err := New(Config{Channel: "web", URL: url, Secrets: secrets})
	require.NoError(t, err)
	return a
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, rich := range []bool{false, true} {
		t.Run(fmt.Sprint("rich ", rich), func(t *testing.T) {
			t.Parallel()
			conformance(t, rich)
		})
	}
}

func conformance(t *testing.T, rich bool) {
	channeltest.Run(t, func(t testing.TB, url string, secrets ...string) channels.Adapter {
		a, err := New(Config{Channel: "web", URL: url, Secrets: secrets, Rich: rich})
		require.NoError(t, err)
		return a
	}, channeltest.Features{
		Channel: "web", Consumer: "u-42", Secret: secret, Next: next,
		Sign: signOther, Unsign: []string{signatureHeader, idHeader, timestampHeader}, Expires: true,
		Message:  inbound,
		File:     inboundFile,
		Tap:      inboundTap,
		Receipt:  inboundReceipt,
		Receipts: []message.ReceiptState{message.Delivered, message.Read, message.Opened, message.Failed},
		Unusable: unusable(),
		Garbage:  garbage(),
		Read:     taken,
		ReadFile: func(r *http.Request) error {
			if len(r.Header) > 2 { // User-Agent and Accept-Encoding
				return fmt.Errorf("%d headers", len(r.Header))
			}
			return nil
		},
		Accept: func(w http.ResponseWriter, n int) {
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintf(w, `{"messageId":%q}`, ref(n))
		},
		Ref:      ref,
		Refusals: refusals(),
		Signals:  true,
	})
}

func ref(n int) string { return fmt.Sprint("out-", n) }

// signOther signs with somebody else's implementation of Standard Webhooks.
func signOther(w *channels.Webhook, secret string) {
	hook, err := standard.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	signature, err := hook.Sign("evt_0001", w.At, w.Body)
	if err != nil {
		panic(err)
	}
	w.Header.Set("webhook-id", "evt_0001")
	w.Header.Set("webhook-timestamp", fmt.Sprint(w.At.Unix()))
	w.Header.Set("webhook-signature", signature)
}

// batch is a webhook with the given events, each a JSON text.
func batch(events ...string) channels.Webhook {
	return channels.Webhook{Method: http.MethodPost, Path: path, Body: []byte(`{"events":[` + strings.Join(events, ",") + `]}`)}
}

func inbound(n int, text string) channels.Webhook {
	words, _ := json.Marshal(text)
	return batch(fmt.Sprintf(`{"id":"evt-%d","type":"message","time":"2026-11-20T09:15:27.120Z",
		"conversation":{"id":"c-77","participant":{"id":"u-42","displayName":"Ada"}},"message":{"id":"m-%d","text":%s}}`, n, n, words))
}

func inboundFile(n int, url string) channels.Webhook {
	return batch(fmt.Sprintf(`{"id":"evt-%d","type":"message",%s,"message":{"id":"m-%d","text":"Look",
		"attachments":[{"kind":"image","mime":"image/png","name":"cat.png","size":81234,"url":%q,"expires":"2026-11-20T10:15:27Z"}]}}`, n, from, n, url))
}

func inboundTap(n int, id, title string) channels.Webhook {
	return batch(fmt.Sprintf(`{"id":"evt-%d","type":"reply",%s,"message":{"id":"m-%d","choice":{"id":%q,"title":%q}}}`, n, from, n, id, title))
}

func inboundReceipt(n int, ref string, state message.ReceiptState) channels.Webhook {
	return batch(fmt.Sprintf(`{"id":"evt-%d","type":"status",%s,"status":{"messageId":%q,"state":%q,"code":"E7"}}`, n, from, ref, state))
}

const from = `"conversation":{"id":"c-77","participant":{"id":"u-42"}}`

func unusable() map[string]channels.Webhook {
	long := strings.Repeat("x", 4000)
	return map[string]channels.Webhook{
		"an unknown type":            batch(`{"id":"1","type":"dance",` + from + `}`),
		"no type":                    batch(`{"id":"1",` + from + `}`),
		"not an object":              batch(`1`),
		"null":                       batch(`null`),
		"a text that is none":        batch(`{"id":"1","type":"message",` + from + `,"message":{"text":{}}}`),
		"no message":                 batch(`{"id":"1","type":"message",` + from + `}`),
		"an empty message":           batch(`{"id":"1","type":"message",` + from + `,"message":{"text":" \u0000"}}`),
		"no conversation":            batch(`{"id":"1","type":"message","message":{"text":"Hello"}}`),
		"no participant":             batch(`{"id":"1","type":"message","conversation":{"id":"c"},"message":{"text":"Hello"}}`),
		"a participant with NUL":     batch(`{"id":"1","type":"close","conversation":{"id":"c","participant":{"id":"u\u0000"}}}`),
		"a participant too long":     batch(`{"id":"1","type":"close","conversation":{"id":"c","participant":{"id":"` + long + `"}}}`),
		"a conversation too long":    batch(`{"id":"1","type":"close","conversation":{"id":"` + long + `","participant":{"id":"u"}}}`),
		"an ID too long":             batch(`{"id":"` + long + `","type":"close",` + from + `}`),
		"an ID that is an object":    batch(`{"id":{},"type":"close",` + from + `}`),
		"only a script attached":     batch(`{"id":"1","type":"message",` + from + `,"message":{"attachments":[{"url":"javascript:x()"}]}}`),
		"a status without a message": batch(`{"id":"1","type":"status",` + from + `,"status":{"state":"read"}}`),
		"a status of no state":       batch(`{"id":"1","type":"status",` + from + `,"status":{"messageId":"m","state":"eaten"}}`),
		"a failure of nobody":        batch(`{"id":"1","type":"status","status":{"messageId":"m","state":"failed"}}`),
		"a profile of nobody":        batch(`{"id":"1","type":"profile","conversation":{"participant":{"displayName":"Ada"}}}`),
		"a profile of nothing":       batch(`{"id":"1","type":"profile",` + from + `}`),
	}
}

func garbage() map[string]channels.Webhook {
	return map[string]channels.Webhook{
		"no events":            {Path: path, Body: []byte(`{"event":[]}`)},
		"events of null":       {Path: path, Body: []byte(`{"events":null}`)},
		"events are an object": {Path: path, Body: []byte(`{"events":{}}`)},
		"two documents":        {Path: path, Body: []byte(`{"events":[]}{"events":[]}`)},
		"no events at all":     batch(),
		"times of all kinds": batch(`{"id":1,"time":"9999-12-31T23:59:59-23:59","type":"close",`+from+`}`,
			`{"id":2,"time":"0000-01-01T00:00:00+23:00","type":"close",`+from+`}`, `{"id":3,"time":5e300,"type":"close",`+from+`}`),
		"profiles of all kinds": batch(
			`{"id":1,"type":"profile","conversation":{"participant":{"id":"u","displayName":[],"age":{"age":"x","day":-3},"customer":[1],"contacts":{"email":"a"}}}}`,
			`{"id":2,"type":"profile","conversation":{"participant":{"id":"u","phone":15550100200,"customer":{"balance":1e999,"lastPayment":"2026-02-31","registration":7}}}}`,
			`{"id":3,"type":"profile","conversation":{"participant":null}}`, `{"id":4,"type":"profile","conversation":{"participant":[]}}`),
		"numbers of all kinds": batch(`{"id":-1e999,"type":"message",` + from + `,"message":{"id":12345678901234567890,"text":"x","attachments":[{"url":"http://x","size":-1e300}]}}`),
	}
}

// received is the other side's idea of what we post.
type received struct {
	ID           string
	Conversation struct{ ID string }
	Kind, Text   string
	Choices      []struct{ ID, Title string }
	Attachment   *struct {
		Kind, MIME, Name, URL string
		Size                  int64
	}
	Blocks      []shown
	Part, Parts int
	Typing      *bool
	MessageIDs  []string
}

// shown is the other side's idea of a block.
type shown struct {
	Kind, Text, Value, URL string
	Latitude, Longitude    *float64
	Choice                 *struct{ ID, Title string }
	Blocks                 []shown
}

// words is what the other side shows of a block.
func (s shown) words() string {
	text := s.Text + "\n" + s.Value + "\n" + s.URL
	if s.Latitude != nil && s.Longitude != nil {
		text += fmt.Sprint("\n", *s.Latitude, ",", *s.Longitude)
	}
	if s.Choice != nil {
		text += "\n" + s.Choice.Title
	}
	for _, inside := range s.Blocks {
		text += "\n" + inside.words()
	}
	return text
}

// taken is what the other side would check of a request.
func taken(r *http.Request, body []byte) (channeltest.Request, error) {
	hook, err := standard.NewWebhook(next)
	if err != nil {
		return channeltest.Request{}, err
	}
	if err := hook.Verify(body, r.Header); err != nil {
		return channeltest.Request{}, err
	}
	var got received
	if err := json.Unmarshal(body, &got); err != nil {
		return channeltest.Request{}, err
	}
	switch {
	case r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/far/side"):
		return channeltest.Request{}, errors.New("resource")
	case r.Header.Get("Content-Type") != "application/json":
		return channeltest.Request{}, errors.New("content type")
	case got.ID == "" || got.ID != r.Header.Get("webhook-id"):
		return channeltest.Request{}, errors.New("the ID of the message is not that of the request")
	case len(got.Choices) > 24:
		return channeltest.Request{}, errors.New("too many choices")
	case (got.Kind == "media") != (got.Attachment != nil), (got.Kind == "rich") != (len(got.Blocks) > 0):
		return channeltest.Request{}, errors.New("a file or blocks that are none")
	case got.Attachment != nil && (got.Attachment.Kind == "" || got.Attachment.URL == ""):
		return channeltest.Request{}, errors.New("an incomplete attachment")
	case (got.Kind == "text" || got.Kind == "choices") && got.Text == "", (got.Kind == "choices") != (len(got.Choices) > 0):
		return channeltest.Request{}, errors.New("a message without a text, or choices that are none")
	case got.Kind == "typing" && got.Typing == nil, got.Kind == "read" && len(got.MessageIDs) != 2:
		return channeltest.Request{}, errors.New("an incomplete mark")
	}
	req := channeltest.Request{Key: got.ID, To: got.Conversation.ID, Text: got.Text}
	for _, c := range got.Choices {
		req.Text += "\n" + c.Title
	}
	for _, b := range got.Blocks {
		req.Text += "\n" + b.words()
	}
	if got.Attachment != nil {
		req.Media = got.Attachment.URL
	}
	return req, nil
}

func refusals() []channeltest.Refusal {
	of := func(status int, class, extra string, want fault.Class, after time.Duration) channeltest.Refusal {
		return channeltest.Refusal{
			Name: fmt.Sprint(status, " ", class, extra), Status: status, Class: want, Code: "busy-7", After: after,
			Body: fmt.Sprintf(`{"error":{"code":"busy-7","class":%q,"message":"u-42 wrote canary-words"%s}}`, class, extra),
		}
	}
	return []channeltest.Refusal{
		of(503, "retryable", `,"retryAfter":7`, fault.Transient, 7*time.Second),
		of(400, "retryable", ``, fault.Transient, 0),
		of(500, "permanent", ``, fault.Rejected, 0),
		of(409, "window", ``, fault.Denied, 0),
		of(403, "optout", ``, fault.Gone, 0),
		of(400, "auth", ``, fault.Denied, 0),
		of(429, "ratelimit", `,"retryAfter":2.5`, fault.Throttled, 2500*time.Millisecond),
		of(400, "ratelimit", `,"retryAfter":-1`, fault.Throttled, time.Second),
		of(400, "ratelimit", `,"retryAfter":1e300`, fault.Throttled, time.Hour),
		of(503, "unheard-of", ``, fault.Transient, 0),
		of(422, "unheard-of", ``, fault.Rejected, 0),
		{Name: "words as code", Status: 400, Body: `{"error":{"code":"canary-words of u-42"}}`, Class: fault.Rejected},
		{Name: "a class only", Status: 400, Body: `{"error":{"class":"optout"}}`, Class: fault.Gone, Code: "optout"},
		{Name: "404", Status: 404, Class: fault.Rejected},
		{Name: "408", Status: 408, Class: fault.Transient},
	}
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
	require.Equal(t, []string{"Channel", "URL", "Secrets"}, fields(Config{}))
	require.Empty(t, fields(Config{Channel: "web", URL: "bridge.example.test/in", Secrets: []string{secret, next}}))
	for _, bad := range []string{"", " ", "whsec_", "whsec_c2hvcnQ=", "Z2VuZXJpYy1zZWNyZXQtZGVtby0wMDAx", "whsec_not base64"} {
		_, err := New(Config{Channel: "web", URL: "https://b.test", Secrets: []string{secret, bad}})
		require.Len(t, channels.FieldErrors(err), 1, bad)
		if len(bad) > len(secretPrefix) {
			require.NotContains(t, err.Error(), bad)
		}
	}
}
