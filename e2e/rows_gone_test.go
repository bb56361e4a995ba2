package e2e

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// switched stands before an account's far side and can cut it off.
type switched struct {
	url     string
	to      atomic.Pointer[httputil.ReverseProxy]
	off     atomic.Bool
	refused atomic.Int64 // requests that met the far side while it was off
}

// gone is the far side of the account of that name.
var gone switched

func (x *switched) start(t testing.TB) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy := x.to.Load()
		if x.off.Load() || proxy == nil {
			x.refused.Add(1)
			<-r.Context().Done() // no answer, for as long as the caller waits
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	x.url = srv.URL
}

// leads says where the far side is.
func (x *switched) leads(to string) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	x.to.Store(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // the Domain API names whoever was asked
	}, ErrorLog: log.New(io.Discard, "", 0)})
	return nil
}
