// Package channeltest is the suite that every channel adapter passes: what a
// webhook gives, what a forged one does not, and how every way of failing to send
// is judged.
//
// It knows no channel. An adapter's test describes the provider in Features: how
// it signs, what it posts, what it answers. That description should be checked
// against somebody else's program or vectors, or the test is only our own opinion twice.
package channeltest

import (
	"net/http"
	"testing"
	"time"

	"parley/channels"
	"parley/fault"
)

// NewAdapter returns the adapter under test, configured as Features says, with
// the provider at url and the given secrets, the newest first.
type NewAdapter func(t testing.TB, url string, secrets ...string) channels.Adapter

// Features describes a channel and its provider.
type Features struct {
	Channel  string // as configured
	Consumer string // who writes, and is written to
	Secret   string // the one in use
	Next     string // the one that follows it

	// Sign signs a webhook as the provider does, at w.At.
	Sign func(w *channels.Webhook, secret string)
	// Unsign lists the headers that hold the signature; each missing one is enough
	// to refuse.
	Unsign []string
	// Expires says that a signature is worth nothing after some minutes.
	Expires bool

	// Message is what the provider posts, unsigned, when the consumer writes text as
	// the n-th message.
	Message func(n int, text string) channels.Webhook
	// Unusable is authentic, unsigned, and makes no sense: kept, never refused.
	Unusable map[string]channels.Webhook
	// Garbage is what nobody can read, unsigned; refusing and keeping are both right.
	Garbage map[string]channels.Webhook

	// Read returns what a request to the provider asks for; the error says why the
	// provider would not take it, wrong credentials included.
	Read func(r *http.Request, body []byte) (Request, error)
	// Accept answers that the n-th request was taken, naming it Ref(n).
	Accept func(w http.ResponseWriter, n int)
	Ref    func(n int) string
	// Refusals are the provider's ways to say no.
	Refusals []Refusal
	// Signals says that the channel shows typing and read marks.
	Signals bool
}

// Request is what an adapter asked a provider to do. Key is the same whenever the
// same is asked again, and differs for everything else.
type Request struct {
	Key  string
	To   string
	Text string
}

// Refusal is one way of a provider to refuse, and what it means.
type Refusal struct {
	Name   string
	Status int
	Header http.Header
	Body   string
	Class  fault.Class
	Code   string        // expected fault.Error.Code
	After  time.Duration // expected fault.Error.After, at least
}

// Run runs the suite.
func Run(t *testing.T, newAdapter NewAdapter, f Features) {
	s := &suite{Features: f, new: newAdapter}
	t.Run("receive", s.receive)
	t.Run("send", s.send)
	t.Run("signal", s.signal)
}

// at is when the suite's webhooks arrive.
var at = time.Date(2026, 11, 20, 9, 15, 27, 120e6, time.UTC)

type suite struct {
	Features
	new NewAdapter
}

// receiver returns an adapter that needs no provider.
func (s *suite) receiver(t testing.TB, secrets ...string) channels.Adapter {
	t.Helper()
	return s.new(t, "http://127.0.0.1:1", secrets...)
}

// signed completes a webhook as if it had just arrived.
func (s *suite) signed(w channels.Webhook, secret string) channels.Webhook {
	if w.At.IsZero() {
		w.At = at
	}
	if w.Method == "" {
		w.Method = http.MethodPost
	}
	w.Header = w.Header.Clone()
	if w.Header == nil {
		w.Header = http.Header{}
	}
	s.Sign(&w, secret)
	return w
}
