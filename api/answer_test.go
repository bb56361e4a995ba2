package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

const small = 2000 // bytes a body may have in these tests

func TestAnswers(t *testing.T) {
	t.Parallel()
	agentSays := said("ASSIGNED_AGENT", 5, content(canaryText), nil)
	status := url.Values{"MessageSid": {"SM2"}, "To": {canaryNumber}, "MessageStatus": {"delivered"}}
	bad := func(r *http.Request, header, value string) *http.Request {
		r.Header.Set(header, value)
		return r
	}
	for name, c := range map[string]struct {
		send   func(*house) *http.Request
		append func(context.Context, message.Arrival) error
		want   int
		body   string // what the answer's body is; empty for none, "*" for whatever
		stored int    // events
		dead   int
	}{
		"an agent's message": {
			send: func(h *house) *http.Request { return h.cloud(agentSays) }, want: 200, stored: 1},
		"the cloud's body is no JSON": {
			send: func(h *house) *http.Request { return h.cloud("<xml>" + canaryText) }, want: 200, dead: 1},
		"the cloud's body is empty": {
			send: func(h *house) *http.Request { return h.cloud("") }, want: 200, dead: 1},
		"the cloud sends an unknown type": {
			send: func(h *house) *http.Request { return h.cloud(`{"type":"x.New","body":{"changes":[{}]}}`) }, want: 200, dead: 1},
		"the cloud's signature is missing": {
			send: func(h *house) *http.Request {
				return h.request(http.MethodPost, "/webhooks/liveperson/main", strings.NewReader(agentSays))
			}, want: 401, body: "signature missing or wrong\n"},
		"the cloud's signature is wrong": {
			send: func(h *house) *http.Request {
				return bad(h.cloud(agentSays), "X-Liveperson-Signature", signCloud(agentSays+" "))
			}, want: 401, body: "signature missing or wrong\n"},
		"an unknown account": {
			send: func(h *house) *http.Request {
				return h.request(http.MethodPost, "/webhooks/liveperson/other", strings.NewReader(agentSays))
			}, want: 404, body: "unknown account\n"},
		"the cloud asks by GET": {
			send: func(h *house) *http.Request { return h.request(http.MethodGet, "/webhooks/liveperson/main", nil) }, want: 405, body: "method not allowed\n"},
		"a body that says it is too large": {
			send: func(h *house) *http.Request { return h.cloud(strings.Repeat("x", small+1)) }, want: 413, body: "the body is too large\n"},
		"a body of just the size allowed": {
			send: func(h *house) *http.Request { return h.cloud(strings.Repeat("x", small)) }, want: 200, dead: 1},
		"a body without a length that is too large": {
			send: func(h *house) *http.Request {
				return h.request(http.MethodPost, "/webhooks/liveperson/main", io.MultiReader(bytes.NewReader(make([]byte, small)), strings.NewReader("x")))
			}, want: 413, body: "the body is too large\n"},
		"a body without a length": {
			send: func(h *house) *http.Request {
				r := h.request(http.MethodPost, "/webhooks/liveperson/main", io.MultiReader(strings.NewReader(agentSays)))
				r.Header.Set("X-Liveperson-Signature", signCloud(agentSays))
				return r
			}, want: 200, stored: 1},
		"storing fails": {
			send: func(h *house) *http.Request { return h.cloud(agentSays) }, append: refusing, want: 503, body: "not stored, send it again\n"},
		"storing takes too long": {
			send: func(h *house) *http.Request { return h.cloud(agentSays) }, append: slow, want: 503, body: "not stored, send it again\n"},
		"storing panics": {
			send: func(h *house) *http.Request { return h.cloud(agentSays) }, append: panicking, want: 503, body: "failed, send it again\n"},
		"the inbox can never store it": {
			send: func(h *house) *http.Request { return h.cloud(agentSays) }, append: rejecting, want: 200, dead: 1},

		"a consumer writes by http": {
			send: func(h *house) *http.Request { return h.web("/webhooks/channels/web", wrote("e1", "u-42", canaryText)) }, want: 202, stored: 1},
		"by the other route of http": {
			send: func(h *house) *http.Request {
				return h.web("/webhooks/channels/web/events", wrote("e1", "u-42", canaryText))
			}, want: 202, stored: 1},
		"an http event nobody understands": {
			send: func(h *house) *http.Request {
				return h.web("/webhooks/channels/web", `{"events":[{"id":"e1","type":"dance"}]}`)
			}, want: 202, dead: 1},
		"an http body nobody can read": {
			send: func(h *house) *http.Request { return h.web("/webhooks/channels/web", canaryText) }, want: 400, body: "the request could not be read\n"},
		"the http signature is wrong": {
			send: func(h *house) *http.Request {
				return bad(h.web("/webhooks/channels/web", wrote("e1", "u", "x")), "webhook-signature", "v1,AAAA")
			}, want: 401, body: "signature missing or wrong\n"},
		"http by GET": {
			send: func(h *house) *http.Request { return h.request(http.MethodGet, "/webhooks/channels/web", nil) }, want: 401, body: "signature missing or wrong\n"},
		"storing fails for http": {
			send: func(h *house) *http.Request { return h.web("/webhooks/channels/web", wrote("e1", "u", "x")) }, append: refusing, want: 503, body: "not stored, send it again\n"},
		"an unknown channel": {
			send: func(h *house) *http.Request { return h.web("/webhooks/channels/line", wrote("e1", "u", "x")) }, want: 404, body: "unknown channel\n"},
		"an unknown route of a channel": {
			send: func(h *house) *http.Request { return h.web("/webhooks/channels/web/nope", wrote("e1", "u", "x")) }, want: 404, body: "no such route\n"},
		"a channel's body is too large": {
			send: func(h *house) *http.Request {
				return h.web("/webhooks/channels/web", wrote("e1", "u", strings.Repeat("x", small)))
			}, want: 413, body: "the body is too large\n"},
		"a channel is asked by PUT": {
			send: func(h *house) *http.Request { return h.request(http.MethodPut, "/webhooks/channels/web", nil) }, want: 405, body: "method not allowed\n"},

		"a consumer writes by SMS": {
			send: func(h *house) *http.Request { return h.sms("/webhooks/channels/sms", texted(canaryText)) }, want: 200,
			body: `<?xml version="1.0" encoding="UTF-8"?><Response/>`, stored: 1},
		"the status of an SMS": {
			send: func(h *house) *http.Request { return h.sms("/webhooks/channels/sms/status?message=abc&part=1", status) }, want: 200,
			body: `<?xml version="1.0" encoding="UTF-8"?><Response/>`, stored: 1},
		"an SMS signed for another query": {
			send: func(h *house) *http.Request {
				return bad(h.sms("/webhooks/channels/sms/status?message=abc&part=1", status), "X-Twilio-Signature", signSMS("/webhooks/channels/sms/status?message=abd", status))
			}, want: 401, body: "signature missing or wrong\n"},
		"storing fails for an SMS": {
			send: func(h *house) *http.Request { return h.sms("/webhooks/channels/sms", texted("x")) }, append: refusing, want: 503, body: "not stored, send it again\n"},

		"no route at all": {
			send: func(h *house) *http.Request { return h.request(http.MethodGet, "/", nil) }, want: 404, body: "not found\n"},
		"a route with a slash too many": {
			send: func(h *house) *http.Request { return h.web("/webhooks/channels/web/", wrote("e1", "u", "x")) }, want: 404, body: "not found\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(s *Server) { s.MaxBody = small })
			h.inbox.append = c.append
			got := h.do(c.send(h))
			assert.Equal(t, c.want, got.status)
			assert.Equal(t, c.body, got.body)
			if c.want == http.StatusServiceUnavailable {
				assert.Equal(t, retryAfter, got.header.Get("Retry-After"))
			}
			assert.Len(t, h.inbox.all().Events, c.stored)
			assert.Len(t, h.inbox.all().Dead, c.dead)
			assert.Len(t, h.wakes.all(), c.stored)
			everything := got.body + fmt.Sprint(got.header) + h.logs.String() + scrape(t, h.ops)
			for _, secret := range []string{canaryNumber, canaryName, canaryText, "sha256=", signCloud(agentSays), clientSecret, authToken} {
				assert.NotContains(t, everything, secret)
			}
			assert.NotContains(t, got.body, "db-7.internal")
		})
	}
}

// scrape returns what an operator's collector sees.
func scrape(t *testing.T, o *Ops) string {
	t.Helper()
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

func TestAPanicIsLoggedWithoutItsWords(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.inbox.append = panicking
	h.do(h.sms("/webhooks/channels/sms", texted(canaryText)))
	assert.Contains(t, h.logs.String(), `"panic":"string"`)
	assert.Contains(t, h.logs.String(), "far_test.go")
	h.inbox.append = nil
	assert.Equal(t, 200, h.do(h.sms("/webhooks/channels/sms", texted("x"))).status, "the server goes on")
}

func TestMetricsCountAnswers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.do(h.cloud("no JSON"))
	h.do(h.web("/webhooks/channels/web", wrote("e1", "u", "x")))
	h.do(h.web("/webhooks/channels/line", "x"))
	h.do(h.request(http.MethodPost, "/webhooks/channels/"+canaryName[:7], nil))
	got := scrape(t, h.ops)
	assert.Contains(t, got, `parley_webhooks_total{source="cloud/main",status="200"} 1`)
	assert.Contains(t, got, `parley_webhooks_total{source="channel/web",status="202"} 1`)
	assert.Contains(t, got, `parley_webhooks_total{source="unknown",status="404"} 2`)
	assert.Contains(t, got, `parley_webhook_dead_letters_total{source="cloud/main"} 1`)
	assert.Contains(t, got, `parley_events_total{source="channel/web"} 1`)
	assert.Contains(t, got, `parley_webhook_seconds_count{source="channel/web"} 1`)
	assert.NotContains(t, got, "Ottilie")
}

// A sender that hangs up once it has sent everything may never come again.
func TestAnEventIsStoredEvenIfItsSenderHangsUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	h.inbox.append = func(stored context.Context, _ message.Arrival) error {
		hangUp()
		select {
		case <-stored.Done():
			return stored.Err()
		case <-time.After(100 * time.Millisecond):
			return nil
		}
	}
	_, err := h.http.Client().Do(h.cloud(said("AGENT", 1, content("x"), nil)).WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool { return len(h.inbox.all().Events) == 1 }, 5*time.Second, time.Millisecond)
}

func TestSlowSendersAreLetGo(t *testing.T) {
	t.Parallel()
	server := newHTTPServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	assert.NotZero(t, server.ReadHeaderTimeout)
	assert.NotZero(t, server.ReadTimeout)
	assert.NotZero(t, server.WriteTimeout)
	assert.NotZero(t, server.IdleTimeout)
	assert.NotZero(t, server.MaxHeaderBytes)

	h := newTunedHouse(t, nil, func(s *http.Server) {
		s.ReadTimeout, s.ReadHeaderTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	for name, c := range map[string]struct{ sent, want string }{
		"in the header": {"POST /webhooks/liveperson/main HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""},
		"in the body":   {"POST /webhooks/liveperson/main HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 408 "},
		"in a chunk":    {"POST /webhooks/liveperson/main HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", "HTTP/1.1 408 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, c.sent)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
			answer, err := io.ReadAll(conn) // ends when the server lets go
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(string(answer), c.want), "%s", answer)
		})
	}
}

func TestABodyThatEndsTooEarly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /webhooks/liveperson/main HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	assert.Empty(t, h.inbox.all())
}

// A claimed length alone is refused: nothing of the body is waited for.
func TestAClaimIsEnoughForTooLarge(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /webhooks/channels/sms HTTP/1.1\r\nHost: x\r\nContent-Length: 4194305\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
}
