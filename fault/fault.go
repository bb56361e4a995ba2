// Package fault names the few classes a failure can have. The code at the edge,
// which saw the failure, judges it once; everyone else asks ClassOf.
//
// It holds no policy: how long to wait, what to park and what to bury is decided
// in package conversation; how Temporal is told is decided in package activities.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Class is what a failure means for what happens next.
type Class string

// The classes.
const (
	Transient Class = "transient" // 5xx before the request had an effect, refused, DNS: again later
	Throttled Class = "throttled" // 429: again after RetryAfter, at least a second
	Uncertain Class = "uncertain" // the request left and no answer came: confirm before sending again
	Denied    Class = "denied"    // 401, 403, bad signature: credentials must be mended first
	Rejected  Class = "rejected"  // other 4xx, content that cannot be carried: never again by itself
	Gone      Class = "gone"      // the conversation is closed, the consumer opted out: an ordinary event
)

// Retryable says whether sending the same again can help without anyone's doing.
func (c Class) Retryable() bool {
	return c == Transient || c == Throttled
}

// Error is a judged failure. Its text names the operation and the cause and
// never holds a consumer's words, a number or a token.
type Error struct {
	Class Class
	Op    string        // what was attempted, e.g. "liveperson: publish"
	Code  string        // the other side's own code, as it came
	After time.Duration // how long the other side asked to wait; 0 when it did not
	Err   error
}

func (e *Error) Error() string {
	s := e.Op + ": " + string(e.Class)
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// New returns a judged failure with a message of its own.
func New(class Class, op, format string, args ...any) *Error {
	return &Error{Class: class, Op: op, Err: fmt.Errorf(format, args...)}
}

// ClassOf returns the class an error was given where it happened; Transient when
// nobody judged it. The class of nil is empty.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Transient
}

// RetryAfter returns how long the other side asked to wait, 0 when it did not.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.After
	}
	return 0
}

// CodeOf returns the other side's own code, empty when it gave none.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
