package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

func ask(o *Ops, path string) (int, string) {
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	logs := &safeBuffer{}
	var broken error
	o := NewOps(slog.New(slog.NewTextHandler(logs, nil)),
		Check{Name: "database", Ping: func(context.Context) error { return broken }},
		Check{Name: "temporal", Ping: func(context.Context) error { return nil }})

	status, body := ask(o, "/readyz")
	assert.Equal(t, 200, status)
	assert.Equal(t, "ready\n", body)

	broken = errors.New("dial tcp 10.0.0.7: password authentication failed")
	for range 3 {
		status, body = ask(o, "/readyz")
		assert.Equal(t, 503, status)
		assert.Equal(t, "database: failed\n", body)
	}
	assert.Equal(t, 1, strings.Count(logs.String(), "not ready"), "only changes are logged")
	broken = nil
	status, _ = ask(o, "/readyz")
	assert.Equal(t, 200, status)
	assert.Contains(t, logs.String(), "ready again")

	o.Drain()
	status, body = ask(o, "/readyz")
	assert.Equal(t, 503, status)
	assert.Equal(t, "draining\n", body)
	status, _ = ask(o, "/livez")
	assert.Equal(t, 200, status, "draining is not dying")
}

func TestACheckThatHangsIsAFailure(t *testing.T) {
	t.Parallel()
	o := NewOps(slog.New(slog.DiscardHandler), Check{Name: "database", Ping: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil).WithContext(ctx))
	assert.Equal(t, 503, w.Code)
}

func TestOtherRoomsAddTheirOwn(t *testing.T) {
	t.Parallel()
	o := NewOps(slog.New(slog.DiscardHandler))
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "parley_relay_dispatches_total"})
	o.Registry().MustRegister(c)
	o.Handle("GET /", http.RedirectHandler("/console", http.StatusFound))
	c.Inc()
	assert.Contains(t, scrape(t, o), "parley_relay_dispatches_total 1")
	assert.Contains(t, scrape(t, o), "go_goroutines")
	status, _ := ask(o, "/")
	assert.Equal(t, http.StatusFound, status)
}

// A request under way when the process is told to stop is still answered; by then
// the process says that it is not ready.
func TestServeFinishesWhatItBegan(t *testing.T) {
	t.Parallel()
	var server *Server
	h := newHouse(t, func(s *Server) { server = s })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	h.inbox.append = func(context.Context, message.Arrival) error {
		stop()
		assert.Eventually(t, h.ops.draining.Load, soon, time.Millisecond)
		return nil
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l, 0) }()
	r := h.web("/webhooks/channels/web", wrote("e1", "u", "x"))
	r.URL.Host = l.Addr().String()
	assert.Equal(t, http.StatusAccepted, h.do(r).status)
	require.NoError(t, <-served)
	_, err = net.Dial("tcp", l.Addr().String())
	assert.Error(t, err, "the listener is closed")
}

func TestServeSaysThatItCannotListen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	err = NewOps(slog.New(slog.DiscardHandler)).Serve(t.Context(), l)
	assert.ErrorContains(t, err, "listen on 127.0.0.1:")
}

func TestOpsServe(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- NewOps(slog.New(slog.DiscardHandler)).Serve(ctx, l) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.Addr().String() + "/livez")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "alive\n", string(body))
	stop()
	assert.NoError(t, <-served)
}
