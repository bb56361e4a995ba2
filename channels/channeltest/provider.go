package channeltest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// provider is the far side: it takes requests as Features says, and does what it is told.
type provider struct {
	*httptest.Server
	features Features

	mu     sync.Mutex
	took   []Request
	bodies []string // of all requests, as they came
	calls  int
	plan   map[int]http.HandlerFunc // by the number of the request, from 1
	file   http.HandlerFunc         // hands out files
}

// newProvider starts one under a path of its own, so that a forgotten base URL shows.
func newProvider(t *testing.T, f Features) *provider {
	t.Helper()
	p := &provider{features: f, plan: map[int]http.HandlerFunc{}}
	p.Server = httptest.NewServer(p.handler(t))
	t.Cleanup(p.Close)
	return p
}

// base is the URL the adapter is given.
func (p *provider) base() string { return p.URL + "/far/side" }

// at has the n-th request answered by h.
func (p *provider) at(n int, h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan[n] = h
}

func (p *provider) handler(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			p.hand(t, w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("a request cannot be read: %v", err)
		}
		req, err := p.features.Read(r, body)
		if err != nil {
			t.Errorf("the provider would not take this: %v", err)
		}
		n, planned := p.arrive(body)
		if planned != nil {
			planned(w, r)
			return
		}
		p.take(req)
		p.features.Accept(w, n)
	}
}

// hands has files handed out by h.
func (p *provider) hands(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file = h
}

func (p *provider) hand(t *testing.T, w http.ResponseWriter, r *http.Request) {
	if err := p.features.ReadFile(r); err != nil {
		t.Errorf("the provider would not hand out a file: %v", err)
	}
	p.mu.Lock()
	h := p.file
	p.mu.Unlock()
	h(w, r)
}

func (p *provider) arrive(body []byte) (n int, planned http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.bodies = append(p.bodies, string(body))
	return p.calls, p.plan[p.calls]
}

func (p *provider) take(req Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, req)
}

// taken returns the accepted requests; calls counts the others as well.
func (p *provider) taken() (all []Request, calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.took...), p.calls
}

// bytes is all that was posted.
func (p *provider) bytes() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.bodies, "\n")
}

func refuse(r Refusal) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range r.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(r.Status)
		_, _ = io.WriteString(w, r.Body)
	}
}

// hangUp breaks the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// babble answers with the words it was sent, but not in HTTP.
func babble(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, canary+"\r\n\r\n")
		_ = conn.Close()
	}
}
