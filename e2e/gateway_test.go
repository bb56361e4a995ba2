package e2e

import (
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

var discard = slog.New(slog.DiscardHandler)

// gateway is the load balancer before several api processes: each request goes to
// the next one, whether it is up or not.
type gateway struct {
	url  string
	next atomic.Int64
}

func newGateway(t testing.TB, backends []string) *gateway {
	t.Helper()
	g := &gateway{}
	var proxies []*httputil.ReverseProxy
	for _, b := range backends {
		u, err := url.Parse("http://" + b)
		require.NoError(t, err)
		p := &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
			Transport: &http.Transport{MaxIdleConnsPerHost: 128},
			ErrorLog:  log.New(io.Discard, "", 0),
		}
		proxies = append(proxies, p)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxies[int(g.next.Add(1))%len(proxies)].ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}
