package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/channels"
	"parley/channels/webhook"
	"parley/liveperson"
	"parley/message"
)

type nowhere struct{}

func (nowhere) Append(context.Context, message.Arrival) ([]string, error) { return nil, nil }
func (nowhere) Wake(...string)                                            {}

func fuzzed(f *testing.F) http.Handler {
	f.Helper()
	log := slog.New(slog.DiscardHandler)
	cloud, err := liveperson.New(liveperson.Config{Name: "main", SiteID: "1", ClientID: "c", ClientSecrets: []string{clientSecret}}, liveperson.Options{})
	if err != nil {
		f.Fatal(err)
	}
	web, err := webhook.New(webhook.Config{Channel: "web", URL: "http://127.0.0.1:1/", Secrets: []string{hookSecret}})
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{
		Accounts: map[string]Cloud{"main": cloud}, Channels: map[string]channels.Adapter{"web": web},
		Inbox: nowhere{}, Relay: nowhere{}, Ops: NewOps(log), Log: log,
	}
	return s.Handler()
}

// Whatever the cloud signs is answered 200: anything else holds up its whole app.
func FuzzCloudWebhook(f *testing.F) {
	handler := fuzzed(f)
	for _, body := range []string{
		"", "null", "[]", "\xff\x00", said("ASSIGNED_AGENT", 5, content("Hi"), nil), said("", -1, content("Hi"), nil),
		said("CONSUMER", 0, content("Hi"), map[string]any{"metadata": "x"}), said("AGENT", 1, accepted("READ", 1), nil),
		said("AGENT", 1, chatState("COMPOSING"), nil), snapshot("OPEN", "OPEN", 1), snapshot("", "", -1),
		`{"type":"ms.MessagingEventNotification","body":{"changes":[null,1,{}]}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/liveperson/main", strings.NewReader(string(body)))
		r.Header.Set("X-Liveperson-Signature", signCloud(string(body)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("answered %d %q", w.Code, w.Body)
		}
	})
}

// Whatever a sender of the kind http signs is taken, or refused for good.
func FuzzChannelWebhook(f *testing.F) {
	handler := fuzzed(f)
	for _, body := range []string{"", "{}", `{"events":[]}`, `{"events":[null,{"id":1}]}`, wrote("e1", "u", "Hi"), wrote("\x00", "\xff", "\x00")} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/channels/web", strings.NewReader(string(body)))
		at := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set("webhook-id", "id")
		r.Header.Set("webhook-timestamp", at)
		r.Header.Set("webhook-signature", signWeb("id", at, string(body)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if !slices.Contains([]int{http.StatusAccepted, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, w.Code) {
			t.Errorf("answered %d %q", w.Code, w.Body)
		}
	})
}

// What a webhook costs before and after it is stored.
func BenchmarkCloudWebhook(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	cloud, err := liveperson.New(liveperson.Config{Name: "main", SiteID: "1", ClientID: "c", ClientSecrets: []string{clientSecret}}, liveperson.Options{})
	if err != nil {
		b.Fatal(err)
	}
	handler := (&Server{Accounts: map[string]Cloud{"main": cloud}, Inbox: nowhere{}, Relay: nowhere{}, Ops: NewOps(log), Log: log}).Handler()
	body := said("ASSIGNED_AGENT", 5, content("It ships tomorrow."), nil)
	signature := signCloud(body)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/liveperson/main", strings.NewReader(body))
		r.Header.Set("X-Liveperson-Signature", signature)
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}
