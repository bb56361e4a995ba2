package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"parley/channels"
	"parley/fault"
)

// retryAfter is what a sender hears, in seconds, when an event could not be stored.
const retryAfter = "2"

// sourceKey is where a handler leaves the source for metrics.
const sourceKey = "source"

// notStored is what goes wrong behind the signature: it is always 503, whatever
// class the storage gave it.
type notStored struct{ err error }

func (e *notStored) Error() string { return "not stored: " + e.err.Error() }
func (e *notStored) Unwrap() error { return e.err }

func refusedForGood(err error) bool {
	return err != nil && fault.ClassOf(err) == fault.Rejected
}

// refuse answers with a short text of ours; nothing that an error says is in it.
func refuse(c *gin.Context, status int, text string) {
	c.Abort()
	if status == http.StatusServiceUnavailable {
		c.Header("Retry-After", retryAfter)
	}
	c.Header("X-Content-Type-Options", "nosniff")
	c.Data(status, "text/plain; charset=utf-8", []byte(text+"\n"))
}

// fail answers for an error. It is the only place where a class becomes a status:
// what the sender should send again is 503, what never helps is 4xx.
func (h *handlers) fail(c *gin.Context, source string, err error) {
	class := fault.ClassOf(err)
	var unstored *notStored
	switch {
	case errors.As(err, &unstored):
		h.Log.Error("webhook could not be stored", "source", source, "class", class, "err", err)
		refuse(c, http.StatusServiceUnavailable, "not stored, send it again")
	case errors.Is(err, channels.ErrNoRoute):
		refuse(c, http.StatusNotFound, "no such route")
	case class == fault.Denied:
		h.Log.Info("webhook refused", "source", source, "class", class, "err", err)
		refuse(c, http.StatusUnauthorized, "signature missing or wrong")
	case class == fault.Rejected:
		h.Log.Info("webhook could not be read", "source", source, "class", class, "err", err)
		refuse(c, http.StatusBadRequest, "the request could not be read")
	default:
		h.Log.Error("webhook failed", "source", source, "class", class, "err", err)
		refuse(c, http.StatusServiceUnavailable, "not stored, send it again")
	}
}

// read returns the raw body. It answers 413 past the limit, at once when the
// sender says beforehand that it is; 408 for a sender that is too slow; 503 when too
// many long ones come at once and none ends within roomWithin.
func (h *handlers) read(c *gin.Context) ([]byte, bool) {
	if c.Request.ContentLength > h.MaxBody {
		h.tooLarge(c)
		return nil, false
	}
	var buf bytes.Buffer
	// What is claimed is not believed: memory is taken as bytes arrive.
	buf.Grow(int(min(max(c.Request.ContentLength, 0), ownRoom)) + bytes.MinRead)
	body := &tenant{Reader: http.MaxBytesReader(c.Writer, c.Request.Body, h.MaxBody), room: h.room}
	_, err := buf.ReadFrom(body)
	requestRead(c.Request.Context())
	if body.taken > 0 {
		context.AfterFunc(c.Request.Context(), body.leave) // when the answer is given
	}
	var past *http.MaxBytesError
	switch {
	case errors.As(err, &past):
		h.tooLarge(c)
	case errors.Is(err, errCrowded):
		c.Header("Connection", "close")
		refuse(c, http.StatusServiceUnavailable, "too much at once, send it again")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.Header("Connection", "close")
		refuse(c, http.StatusRequestTimeout, "the body came too slowly")
	case err != nil:
		c.Header("Connection", "close")
		refuse(c, http.StatusBadRequest, "the body ended too early")
	}
	return buf.Bytes(), err == nil
}

func (h *handlers) tooLarge(c *gin.Context) {
	c.Header("Connection", "close") // the rest is not read
	refuse(c, http.StatusRequestEntityTooLarge, "the body is too large")
}

// recover answers 503 for a panic, so that a sender who repeats does so. What was
// panicked with is not logged unless the runtime said it: it could hold anything.
func (h *handlers) recover(c *gin.Context) {
	defer func() {
		v := recover()
		switch {
		case v == nil:
			return
		case v == http.ErrAbortHandler: //nolint:errorlint // net/http compares it the same way
			panic(v)
		}
		what := fmt.Sprintf("%T", v)
		if e, ok := v.(runtime.Error); ok {
			what = e.Error()
		}
		h.Log.Error("panic in a handler", "source", c.GetString(sourceKey), "panic", what, "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		refuse(c, http.StatusServiceUnavailable, "failed, send it again")
	}()
	c.Next()
}

// measure counts answers and how long they took.
func (h *handlers) measure(c *gin.Context) {
	begin := time.Now()
	c.Set(sourceKey, "unknown") // names from outside would be labels without end
	c.Next()
	h.metrics.answered(c.GetString(sourceKey), c.Writer.Status(), time.Since(begin))
}
