// Package channels says what a channel adapter is. Each channel has a folder of
// its own below this one; channeltest holds the suite that every adapter passes.
//
// An adapter turns the provider's requests into message.Inbound and message.Outbound
// into the provider's requests, and judges the provider's failures. It keeps away
// from storage, from Temporal and from the Conversational Cloud, and knows no other adapter.
package channels

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"parley/message"
)

// ErrNoRoute is what the Rejected error of Receive wraps when the channel has no
// such route: the answer is then 404.
var ErrNoRoute = errors.New("the channel has no such route")

// Webhook is one request of a provider, as plain values.
type Webhook struct {
	Method string
	Route  string // what follows /webhooks/channels/{channel}/, e.g. "status"; usually empty
	Path   string // the path as our own listener saw it, e.g. "/webhooks/channels/sms/status"
	Query  string // raw, without "?"
	Header http.Header
	Body   []byte // raw: signatures are over these bytes
	At     time.Time
}

// Received is what a Webhook held and what its sender wants to hear.
type Received struct {
	Events   []message.Inbound
	Presence []message.Presence
	Echoes   []message.Echo // proof that something we sent exists at the provider, for uncertain sends
	Dead     []Leftover     // authentic, but not to be understood: kept, never refused

	Status      int // 0 means 200
	ContentType string
	Answer      []byte
}

// Leftover is a part of an authentic request that could not be used.
type Leftover struct {
	EventID string // where the provider gave one
	Reason  string // without the consumer's words
	Body    []byte
}

// Limits is what a channel can carry.
type Limits struct {
	Text       int  // characters of one part of a text; longer texts are split
	Choices    int  // native buttons with one text; 0 means choices are written out
	Receipts   bool // the channel reports delivery, so ACCEPT waits for it
	Idempotent bool // the provider drops repeats of our message ID
	Correlated bool // the provider gives our message ID back in receipts, so an uncertain send can be confirmed
	Rich       bool // it shows message.Blocks itself; for others they become text and choices
	Media      []Media
}

// Media is a kind of file that a channel can carry. What is in none of its Media is
// sent as a link.
type Media struct {
	MIME string // "image/png", "image/" for all of a kind, or empty for every file
	Size int64  // bytes, at most
}

// Carries says whether the channel takes a file of this type and size itself. A size
// of 0 is one that is not known.
func (l Limits) Carries(mime string, size int64) bool {
	mime, _, _ = strings.Cut(strings.ToLower(mime), ";")
	mime = strings.TrimSpace(mime)
	for _, m := range l.Media {
		kind := m.MIME == "" || mime == m.MIME || strings.HasSuffix(m.MIME, "/") && strings.HasPrefix(mime, m.MIME)
		if kind && size <= m.Size {
			return true
		}
	}
	return false
}

// KindOf returns the Attachment.Kind of a type of file.
func KindOf(mime string) string {
	switch family, _, _ := strings.Cut(strings.ToLower(mime), "/"); family {
	case "image", "audio", "video":
		return family
	default:
		return "file"
	}
}

// Fetcher is an adapter whose attachments are not to be had by a plain GET: their
// URL has to be asked for, or takes credentials. The caller closes the body and
// reads no more of it than it wants. Errors are *fault.Error: Rejected when the file
// is gone or was never there.
type Fetcher interface {
	Fetch(context.Context, message.Attachment) (io.ReadCloser, error)
}

// Sent is how far a Send got. Parts counts the accepted parts from the beginning
// of the text, those of earlier attempts included: with an error, it is the
// Outbound.Done of the next attempt.
type Sent struct {
	Refs  []string // the provider's names of the parts this attempt got accepted
	Parts int
}

// Adapter is one channel account of ours.
//
// Receive returns what a webhook holds once it is sure that the webhook comes
// from the provider. Its errors are *fault.Error: Denied for a missing or wrong
// signature, Rejected for what cannot be read at all.
//
// Send sends one durable message, from part Outbound.Done on. Its errors are
// *fault.Error, and Uncertain when the request left and no answer came.
//
// Both are called from many goroutines.
type Adapter interface {
	Receive(Webhook) (Received, error)
	Send(context.Context, message.Outbound) (Sent, error)
	Limits() Limits
}

// Rereader is an adapter that can read the body of a Leftover again, as it was kept:
// a later version may understand it. It came from the provider: nothing is verified.
type Rereader interface {
	Reread(body []byte, at time.Time) Received
}

// Signaller is an adapter whose channel can show typing and read marks. Signal is
// called once per mark, with a deadline of seconds, and is never repeated.
type Signaller interface {
	Signal(context.Context, message.Outbound) error
}
