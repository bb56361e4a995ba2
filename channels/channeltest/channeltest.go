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
	"parley/message"
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
	// File is what the provider posts when the consumer sends a picture in PNG, to be
	// had from the given URL; nil if consumers cannot send any.
	File func(n int, url string) channels.Webhook
	// Tap is what the provider posts when the consumer presses a button; nil if there are none.
	Tap func(n int, id, title string) channels.Webhook
	// Receipt is what the provider posts of the message it calls ref; Receipts are the
	// states it knows.
	Receipt  func(n int, ref string, state message.ReceiptState) channels.Webhook
	Receipts []message.ReceiptState
	// Unusable is authentic, unsigned, and makes no sense: kept, never refused.
	Unusable map[string]channels.Webhook
	// Garbage is what nobody can read, unsigned; refusing and keeping are both right.
	Garbage map[string]channels.Webhook

	// Read returns what a request to the provider asks for; the error says why the
	// provider would not take it, wrong credentials included.
	Read func(r *http.Request, body []byte) (Request, error)
	// ReadFile says why the provider would not hand out a file of a consumer's.
	ReadFile func(r *http.Request) error
	// Accept answers that the n-th request was taken, naming it Ref(n).
	Accept func(w http.ResponseWriter, n int)
	Ref    func(n int) string
	// Refusals are the provider's ways to say no.
	Refusals []Refusal
	// Signals says that the channel shows typing and read marks.
	Signals bool
}

// Request is what an adapter asked a provider to do. Key is the same whenever the
// same is asked again, and differs for everything else. Text is all that the
// consumer is shown in words, on buttons and cards included.
type Request struct {
	Key   string
	To    string
	Text  string
	Media string // the URL of a file that is shown itself
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
	t.Run("content", s.content)
	t.Run("fetch", s.fetch)
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
