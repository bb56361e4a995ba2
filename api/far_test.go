package api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"parley/channels"
	"parley/channels/twilio"
	"parley/channels/webhook"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What no log, answer or metric may show.
const (
	canaryNumber = "+15550177"
	canaryName   = "Ottilie Canary"
	canaryText   = "my secret words"

	clientSecret = "k3s8v1q9example0client0secret"
	authToken    = "0123456789abcdef0123456789abcdef"
	hookSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	publicURL    = "https://hooks.example.org/parley"
	conversation = "7d0c2f5e-1a4b-4c8d-9e6f-2b3a4c5d6e7f"
	lpConsumer   = "e2b7a1c4"
)

// memory is an Inbox that keeps what it is given, or does what append says.
type memory struct {
	mu       sync.Mutex
	arrivals []message.Arrival
	append   func(context.Context, message.Arrival) error
}

func (m *memory) Append(ctx context.Context, a message.Arrival) ([]string, error) {
	if m.append != nil {
		if err := m.append(ctx, a); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.arrivals = append(m.arrivals, a)
	var keys []string
	for _, e := range a.Events {
		keys = append(keys, e.Stream.Key())
	}
	return keys, nil
}

// all returns what arrived, as one.
func (m *memory) all() message.Arrival {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all message.Arrival
	for _, a := range m.arrivals {
		all.Events = append(all.Events, a.Events...)
		all.Echoes = append(all.Echoes, a.Echoes...)
		all.Participants = append(all.Participants, a.Participants...)
		all.Dead = append(all.Dead, a.Dead...)
	}
	return all
}

type wakes struct {
	mu   sync.Mutex
	keys []string
}

func (w *wakes) Wake(keys ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = append(w.keys, keys...)
}

func (w *wakes) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.keys)
}

// safeBuffer is where logs go.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// house is a Server behind a real listener, with the real readers of webhooks.
type house struct {
	t     *testing.T
	inbox *memory
	wakes *wakes
	logs  *safeBuffer
	ops   *Ops
	http  *httptest.Server
}

func newHouse(t *testing.T, change func(*Server)) *house {
	t.Helper()
	return newTunedHouse(t, change, func(*http.Server) {})
}

func newTunedHouse(t *testing.T, change func(*Server), tune func(*http.Server)) *house {
	t.Helper()
	h := &house{t: t, inbox: &memory{}, wakes: &wakes{}, logs: &safeBuffer{}}
	log := slog.New(slog.NewJSONHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.ops = NewOps(log)
	cloud, err := liveperson.New(liveperson.Config{
		Name: "main", SiteID: "40112233", ClientID: "client", ClientSecrets: []string{clientSecret}, DomainAPI: "http://127.0.0.1:1",
	}, liveperson.Options{Logger: log})
	require.NoError(t, err)
	sms, err := twilio.New(twilio.Config{
		Channel: "sms", AccountSID: "AC1", AuthTokens: []string{authToken}, From: "+15550100900", PublicURL: publicURL,
	})
	require.NoError(t, err)
	web, err := webhook.New(webhook.Config{Channel: "web", URL: "http://127.0.0.1:1/", Secrets: []string{hookSecret}})
	require.NoError(t, err)
	s := &Server{
		Accounts: map[string]Cloud{"main": cloud},
		Channels: map[string]channels.Adapter{"sms": sms, "web": web},
		Inbox:    h.inbox, Relay: h.wakes, Ops: h.ops, Log: log,
	}
	if change != nil {
		change(s)
	}
	h.http = httptest.NewUnstartedServer(nil)
	h.http.Config = newHTTPServer(s.Handler(), log)
	tune(h.http.Config)
	h.http.Start()
	t.Cleanup(h.http.Close)
	return h
}

// answered is what a sender got.
type answered struct {
	status int
	header http.Header
	body   string
}

func (h *house) do(r *http.Request) answered {
	h.t.Helper()
	resp, err := h.http.Client().Do(r)
	require.NoError(h.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(h.t, err)
	return answered{resp.StatusCode, resp.Header, string(body)}
}

func (h *house) request(method, path string, body io.Reader) *http.Request {
	h.t.Helper()
	r, err := http.NewRequest(method, h.http.URL+path, body)
	require.NoError(h.t, err)
	return r
}

// cloud is a webhook as LivePerson signs it.
func (h *house) cloud(body string) *http.Request {
	r := h.request(http.MethodPost, "/webhooks/liveperson/main", strings.NewReader(body))
	r.Header.Set("X-Liveperson-Signature", signCloud(body))
	return r
}

func signCloud(body string) string {
	mac := hmac.New(sha256.New, []byte(clientSecret))
	mac.Write([]byte(body))
	return "sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// web is a webhook of the kind http, by Standard Webhooks.
func (h *house) web(path, body string) *http.Request {
	r := h.request(http.MethodPost, path, strings.NewReader(body))
	id, at := "msg_1", strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", at)
	r.Header.Set("webhook-signature", signWeb(id, at, body))
	return r
}

func signWeb(id, at, body string) string {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sms is a webhook as Twilio signs it: over the public URL, not ours.
func (h *house) sms(pathAndQuery string, form url.Values) *http.Request {
	r := h.request(http.MethodPost, pathAndQuery, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", signSMS(pathAndQuery, form))
	return r
}

func signSMS(pathAndQuery string, form url.Values) string {
	var keys []string
	for k := range form {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	text := publicURL + pathAndQuery
	for _, k := range keys {
		text += k + form.Get(k)
	}
	mac := hmac.New(sha1.New, []byte(authToken))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// bodies of webhooks.

func wrote(id, consumer, text string) string {
	b, _ := json.Marshal(map[string]any{"events": []any{map[string]any{
		"id": id, "type": "message", "conversation": map[string]any{
			"id": "c-77", "participant": map[string]any{"id": consumer, "displayName": canaryName}},
		"message": map[string]any{"id": "m-1", "text": text},
	}}})
	return string(b)
}

func texted(text string) url.Values {
	return url.Values{"MessageSid": {"SM1"}, "From": {canaryNumber}, "To": {"+15550100900"}, "Body": {text}}
}

// said is a notification with one event of a role.
func said(role string, sequence int, event map[string]any, more map[string]any) string {
	change := map[string]any{
		"sequence": sequence, "originatorId": "1f2e3d4c", "originatorMetadata": map[string]any{"id": "1f2e3d4c", "role": role},
		"serverTimestamp": 1717490100000, "conversationId": conversation, "dialogId": conversation, "event": event,
	}
	for k, v := range more {
		if v == nil {
			delete(change, k)
		} else {
			change[k] = v
		}
	}
	b, _ := json.Marshal(map[string]any{"kind": "notification", "type": "ms.MessagingEventNotification",
		"body": map[string]any{"changes": []any{change}}})
	return string(b)
}

func content(text string) map[string]any {
	return map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": text}
}

func chatState(state string) map[string]any {
	return map[string]any{"type": "ChatStateEvent", "chatState": state}
}

func accepted(status string, sequences ...int) map[string]any {
	return map[string]any{"type": "AcceptStatusEvent", "status": status, "sequenceList": sequences}
}

// snapshot is a change of the conversation.
func snapshot(stage, state string, version int) string {
	b, _ := json.Marshal(map[string]any{"kind": "notification", "type": "cqm.ExConversationChangeNotification", "body": map[string]any{
		"changes": []any{map[string]any{"type": "UPSERT", "result": map[string]any{"convId": conversation, "conversationDetails": map[string]any{
			"skillId": "2210", "stage": stage, "state": state, "closeReason": "AGENT", "metaDataLastUpdateTs": version,
			"participants": []any{map[string]any{"id": lpConsumer, "role": "CONSUMER"}, map[string]any{"id": "a1", "role": "ASSIGNED_AGENT"}},
		}}}}}})
	return string(b)
}

var errStorage = errors.New("relation \"inbox\" of host db-7.internal is gone")

func refusing(context.Context, message.Arrival) error { return errStorage }

func rejecting(_ context.Context, a message.Arrival) error {
	if len(a.Events) == 0 {
		return nil
	}
	return fault.New(fault.Rejected, "db: append", "content refused")
}

func panicking(context.Context, message.Arrival) error { panic(canaryText + canaryNumber) }

func slow(ctx context.Context, _ message.Arrival) error {
	<-ctx.Done()
	return ctx.Err()
}

// inbounds and notifications are the bodies of stored events.

func inbounds(t *testing.T, a message.Arrival) []message.Inbound {
	return decoded[message.Inbound](t, a)
}

func notifications(t *testing.T, a message.Arrival) []message.Notification {
	return decoded[message.Notification](t, a)
}

func decoded[T any](t *testing.T, a message.Arrival) []T {
	t.Helper()
	var out []T
	for _, e := range a.Events {
		var v T
		require.NoError(t, json.Unmarshal(e.Body, &v))
		out = append(out, v)
	}
	return out
}
