package channels

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"parley/fault"
)

// maxAnswer is as much of a provider's answer as is read, in bytes.
const maxAnswer = 1 << 20

// minThrottle is the shortest wait after a 429.
const minThrottle = time.Second

// callTimeout bounds one request; a send of several parts takes several requests.
const callTimeout = 20 * time.Second

// Caller sends one request at a time to a provider and judges whether it left.
// It follows no redirect, which would take credentials or the consumer's words elsewhere.
type Caller struct {
	op        string
	transport http.RoundTripper
	now       func() time.Time
}

// NewCaller returns a caller whose errors name op, e.g. "twilio: send".
func NewCaller(op string, o Options) *Caller {
	return &Caller{op: op, transport: o.Transport, now: o.Now}
}

// Answer is what a provider answered. Body may be cut short when the connection broke.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Accepted says whether the status is 2xx.
func (a Answer) Accepted() bool { return a.Status >= 200 && a.Status < 300 }

// Do sends req and returns the answer, whatever its status. Without one, the
// error is a *fault.Error: Transient if there was no connection to send it on, else Uncertain.
func (c *Caller) Do(ctx context.Context, req *http.Request) (Answer, error) {
	var left atomic.Bool
	// A connection is looked for anew only when nothing was written on the one
	// before: net/http does not repeat a POST otherwise.
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { left.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { left.Store(true) },
	}
	ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, trace), callTimeout)
	defer cancel()
	resp, err := c.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return Answer{}, c.unanswered(err, left.Load())
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status counts more than a body cut short
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

func (c *Caller) unanswered(err error, left bool) error {
	class := fault.Transient
	if left {
		class = fault.Uncertain
	}
	return &fault.Error{Class: class, Op: c.op, Err: discreet(err)}
}

var errNoAnswer = errors.New("what came back was no answer in HTTP")

// discreet returns err if its text is known to be about the network. Others may
// quote what the far side wrote, and that may be the consumer's words.
func discreet(err error) error {
	var (
		network     net.Error // operations, names, timeouts
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &network), errors.As(err, &certificate), errors.As(err, &alert),
		errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	default:
		return errNoAnswer
	}
}

// Judge returns the error for an answer that is not a success: class with the
// provider's own code. A Throttled one asks to wait at least a second.
func (c *Caller) Judge(a Answer, class fault.Class, code string, after time.Duration) error {
	after = max(after, retryAfter(a.Header, c.now()))
	if class == fault.Throttled {
		after = max(after, minThrottle)
	}
	e := fault.New(class, c.op, "the provider answered %d", a.Status)
	e.Code, e.After = code, after
	return e
}

// ByStatus returns the class of an answer that says nothing beyond its status.
// serverError is what 5xx means: Uncertain, unless the provider drops repeats.
func ByStatus(status int, serverError fault.Class) fault.Class {
	switch {
	case status >= 500:
		return serverError
	case status == http.StatusTooManyRequests:
		return fault.Throttled
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return fault.Transient // not processed, by definition
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return fault.Denied
	case status < 400:
		return fault.Denied // a redirect: the configured URL is not the one to post to
	default:
		return fault.Rejected
	}
}

// retryAfter reads Retry-After, seconds or a date; 0 when there is none. A date is
// counted from the answer's own: it was made by the same clock.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), maxRetryAfter)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		if theirs, err := http.ParseTime(h.Get("Date")); err == nil {
			now = theirs
		}
		return min(max(t.Sub(now), 0), maxRetryAfter*time.Second)
	}
	return 0
}

// maxRetryAfter is the longest wait believed, in seconds.
const maxRetryAfter = 24 * 60 * 60
