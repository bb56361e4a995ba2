package webhook

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/channels/channeltest"
	"parley/fault"
	"parley/message"
)

var arrived = time.Date(2026, 11, 20, 9, 16, 0, 0, time.UTC)

func receive(t *testing.T, w channels.Webhook) channels.Received {
	t.Helper()
	w.At, w.Header = arrived, http.Header{}
	signOther(&w, secret)
	got, err := newAdapter(t, "https://b.test", secret).Receive(w)
	require.NoError(t, err)
	channeltest.Check(t, "web", got, err)
	require.Equal(t, http.StatusAccepted, got.Status)
	return got
}

func TestSignatureVector(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, "https://b.test", secret)
	header := http.Header{}
	header.Set("webhook-id", "evt_0001")
	header.Set("webhook-timestamp", "1700000000")
	header.Set("webhook-signature", "v1a,xxx v1,AAAA v1,ZOg0aaG0k61Iguo1/MhZWd9qYl9HABVGZ37MKCp3S4Y=")
	require.True(t, a.signed(header, []byte(`{"k":"v"}`), time.Unix(1700000000, 0)))
	require.False(t, a.signed(header, []byte(`{"k":"w"}`), time.Unix(1700000000, 0)))
	header.Set("webhook-id", "evt_0002")
	require.False(t, a.signed(header, []byte(`{"k":"v"}`), time.Unix(1700000000, 0)))
}

// The batch is the one in the contract.
func TestBatch(t *testing.T) {
	t.Parallel()
	got := receive(t, batch(
		`{"id": "evt_0001", "type": "message", "time": "2026-11-20T09:15:27.120Z",
		  "conversation": {"id": "c-77", "participant": {"id": "u-42", "displayName": "Ada"}},
		  "message": {"id": "m-900", "text": "Hello", "attachments": [{"kind": "image", "mime": "image/jpeg", "name": "part.jpg",
		    "size": 81234, "url": "https://files.example.test/p/1", "expires": "2026-11-20T10:15:27Z"}]}}`,
		`{"id": "evt_0002", "type": "reply", "time": "2026-11-20T09:15:29.003Z", "conversation": {"id": "c-77", "participant": {"id": "u-42"}},
		  "message": {"id": "m-901", "replyTo": "out-12", "choice": {"id": "order_yes", "title": "Yes"}}}`,
		`{"id": "evt_0003", "type": "status", "time": "2026-11-20T09:15:30.500Z", "status": {"messageId": "out-12", "state": "read"}}`,
	))
	address := message.Address{Channel: "web", Consumer: "u-42"}
	want := []message.Inbound{
		{
			Kind: message.Wrote, ID: message.NewID("web", "evt_0001"), EventID: "evt_0001", Address: address, Reply: "c-77", Ref: "m-900",
			At: time.Date(2026, 11, 20, 9, 15, 27, 120e6, time.UTC), Text: "Hello", Profile: message.Profile{Name: "Ada"},
			Attachments: []message.Attachment{{Kind: "image", MIME: "image/jpeg", Name: "part.jpg", Size: 81234, URL: "https://files.example.test/p/1"}},
		},
		{
			Kind: message.Wrote, ID: message.NewID("web", "evt_0002"), EventID: "evt_0002", Address: address, Reply: "c-77", Ref: "m-901",
			At: time.Date(2026, 11, 20, 9, 15, 29, 3e6, time.UTC), Choice: &message.Choice{ID: "order_yes", Title: "Yes"},
		},
	}
	if diff := cmp.Diff(want, got.Events); diff != "" {
		t.Error(diff)
	}
	require.Empty(t, got.Dead, "a receipt that names no consumer is of no use, and no loss")
}

func TestEventsStandAlone(t *testing.T) {
	t.Parallel()
	hello := `{"id":"evt-9","type":"message",` + from + `,"message":{"text":"Hello"}}`
	for name, w := range unusable() {
		bad := bytes.TrimSuffix(bytes.TrimPrefix(w.Body, []byte(`{"events":[`)), []byte(`]}`))
		got := receive(t, batch(string(bad), hello, string(bad)))
		require.Len(t, got.Events, 1, name)
		require.Len(t, got.Dead, 2, name)
		require.Equal(t, string(bad), string(got.Dead[0].Body), name)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	got := receive(t, batch(
		`{"id":"1","type":"status",`+from+`,"status":{"messageId":"out-1","state":"delivered"}}`,
		`{"id":"2","type":"status",`+from+`,"status":{"messageId":"out-1","state":"read"}}`,
		`{"id":"3","type":"status",`+from+`,"status":{"messageId":"out-2","state":"failed","code":"E1"}}`,
		`{"id":"4","type":"status",`+from+`,"status":{"messageId":"out-3","state":"sent"}}`,
	))
	var receipts []message.Receipt
	for _, in := range got.Events {
		require.Equal(t, message.Receipts, in.Kind)
		receipts = append(receipts, *in.Receipt)
	}
	require.Equal(t, []message.Receipt{
		{Ref: "out-1", State: message.Delivered}, {Ref: "out-1", State: message.Read}, {Ref: "out-2", State: message.Failed, Code: "E1"},
	}, receipts)
}

func TestPresenceAndClose(t *testing.T) {
	t.Parallel()
	got := receive(t, batch(
		`{"id":"1","type":"typing","typing":true,`+from+`}`, `{"id":"2","type":"typing","typing":false,`+from+`}`,
		`{"id":"3","type":"close",`+from+`}`,
	))
	address := message.Address{Channel: "web", Consumer: "u-42"}
	require.Equal(t, []message.Presence{{Address: address, Typing: true}, {Address: address}}, got.Presence)
	require.Len(t, got.Events, 1)
	require.Equal(t, message.Closed, got.Events[0].Kind)
	require.Equal(t, arrived, got.Events[0].At, "without a time, that of arrival")
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	got := receive(t, batch(
		`{"type":"message","conversation":{"id":"u-42","participant":{"id":"u-42"}},"message":{"text":"no ID"}}`,
		`{"type":"message","conversation":{"participant":{"id":12345678901234567890}},"message":{"text":"a number"}}`,
		`{"id":"7","type":"message",`+from+`,"message":{"text":"one"}}`,
		`{"id":"7","type":"message",`+from+`,"message":{"text":"one, again"}}`,
	))
	require.Len(t, got.Events, 3)
	require.Equal(t, "evt_0001/0", got.Events[0].EventID)
	require.Empty(t, got.Events[0].Reply, "an answer goes to the consumer anyway")
	require.Equal(t, "evt_0001/1", got.Events[1].EventID)
	require.Equal(t, "12345678901234567890", got.Events[1].Address.Consumer)
	require.Equal(t, "one", got.Events[2].Text)
}

func TestAPartOfTheAttachments(t *testing.T) {
	t.Parallel()
	got := receive(t, batch(`{"id":"1","type":"message",`+from+`,"message":{"text":"Look","attachments":[{"url":""},{"url":"https://f.test/1"}]}}`))
	require.Len(t, got.Events, 1)
	require.Len(t, got.Events[0].Attachments, 1)
	require.Len(t, got.Dead, 1, "what was left out is kept")
}

func TestWhatIsNoBatch(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "null", "[]", `{"events":null}`, `{"events":{}}`, `{"events":[1`, `{"type":"message"}`} {
		w := channels.Webhook{Method: http.MethodPost, Path: path, Body: []byte(body), At: arrived, Header: http.Header{}}
		signOther(&w, secret)
		_, err := newAdapter(t, "https://b.test", secret).Receive(w)
		require.Equal(t, fault.Rejected, fault.ClassOf(err), body)
		require.NotErrorIs(t, err, channels.ErrNoRoute)
	}
}

func FuzzReceive(f *testing.F) {
	more := map[string]channels.Webhook{
		"text": inbound(1, "Hello"), "file": inboundFile(2, "https://f.test/1"), "tap": inboundTap(3, "m/1", "Yes"), "opened": inboundReceipt(4, "out-1", message.Opened),
		"profile": batch(`{"id":"5","type":"profile","conversation":{"participant":{"id":"u",` + everything + `}}}`),
	}
	for _, seeds := range []map[string]channels.Webhook{unusable(), garbage(), more} {
		for _, w := range seeds {
			f.Add(w.Body, "v1,aOg0aaG0k61Iguo1/MhZWd9qYl9HABVGZ37MKCp3S4Y=", "evt_0001", "1700000000")
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, id, timestamp string) {
		a := newAdapter(t, "https://b.test", secret)
		w := channels.Webhook{Method: http.MethodPost, Path: path, Body: body, At: time.Unix(1700000000, 0), Header: http.Header{}}
		w.Header.Set("webhook-signature", signature)
		w.Header.Set("webhook-id", id)
		w.Header.Set("webhook-timestamp", timestamp)
		forged, err := a.Receive(w)
		channeltest.Check(t, "web", forged, err)
		if fault.ClassOf(err) != fault.Denied {
			t.Fatal("a webhook was taken that nobody signed")
		}
		signOther(&w, secret)
		got, err := a.Receive(w)
		channeltest.Check(t, "web", got, err)
	})
}
