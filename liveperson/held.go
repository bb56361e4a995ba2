package liveperson

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"parley/fault"
)

// kept is a fetched value with its two ages: from renewAt on it is renewed in the
// background while it is still used, after expires it is not used any more.
type kept[T comparable] struct {
	value   T
	renewAt time.Time
	expires time.Time // zero: never
}

// held is a value that is used often and fetched rarely: by one goroutine at a
// time, which belongs to no caller. A caller that gives up stops waiting, and the
// others still get the value.
type held[T comparable] struct {
	what    string // for logs
	fetch   func(context.Context) (kept[T], error)
	now     func() time.Time
	log     *slog.Logger
	timeout time.Duration
	flight  singleflight.Group

	mu       sync.Mutex
	kept     kept[T]
	ok       bool
	renewing bool
	fetched  time.Time // when the last fetch ended
	failed   error     // what it ended with
	quiet    time.Time // not fetched again before, after a failure
}

func newHeld[T comparable](c *Client, what string, fetch func(context.Context) (kept[T], error)) *held[T] {
	return &held[T]{what: what, fetch: fetch, now: c.now, log: c.log, timeout: c.timeout}
}

// get returns the value, and waits only when there is none that can be used.
func (h *held[T]) get(ctx context.Context) (T, error) {
	h.mu.Lock()
	now, value := h.now(), h.kept.value
	if !h.usable(now) {
		h.mu.Unlock()
		return h.wait(ctx)
	}
	if now.Before(h.kept.renewAt) || now.Before(h.quiet) || h.renewing {
		h.mu.Unlock()
		return value, nil
	}
	h.renewing = true
	h.mu.Unlock()
	h.flight.DoChan("", h.renew)
	return value, nil
}

// replace returns a value other than bad, which the other side has refused. When
// many callers were refused the same value, one fetch serves them all.
func (h *held[T]) replace(ctx context.Context, bad T) (T, error) {
	h.mu.Lock()
	if h.ok && h.kept.value == bad {
		h.ok = false
	}
	h.mu.Unlock()
	return h.get(ctx)
}

// doubt fetches the value again because suspect did not serve, and says whether
// it has changed. Fetched within the last pause it is not fetched again, and what
// was known stays known when the fetch fails.
func (h *held[T]) doubt(ctx context.Context, suspect T, pause time.Duration) bool {
	h.mu.Lock()
	now := h.now()
	if !h.ok || h.kept.value != suspect {
		defer h.mu.Unlock()
		return h.ok
	}
	if now.Sub(h.fetched) < pause || now.Before(h.quiet) {
		h.mu.Unlock()
		return false
	}
	h.kept.renewAt = now
	h.mu.Unlock()
	value, err := h.wait(ctx)
	return err == nil && value != suspect
}

func (h *held[T]) wait(ctx context.Context) (T, error) {
	var none T
	select {
	case r := <-h.flight.DoChan("", h.renew):
		if r.Err != nil {
			return none, r.Err
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return none, &fault.Error{Class: fault.Transient, Op: "liveperson: " + h.what, Err: gaveUp(ctx.Err())}
	}
}

// renew fetches the value unless someone just did, or just failed to.
func (h *held[T]) renew() (any, error) {
	h.mu.Lock()
	now := h.now()
	if h.usable(now) && now.Before(h.kept.renewAt) {
		defer h.mu.Unlock()
		h.renewing = false
		return h.kept.value, nil
	}
	if h.failed != nil && now.Before(h.quiet) {
		defer h.mu.Unlock()
		h.renewing = false
		return h.kept.value, h.failed
	}
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), h.timeout)
	defer cancel()
	got, err := h.fetch(ctx)
	return h.settle(got, err)
}

func (h *held[T]) settle(got kept[T], err error) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	h.renewing, h.fetched, h.failed = false, now, err
	if err == nil {
		h.kept, h.ok, h.quiet = got, true, time.Time{}
		return got.value, nil
	}
	// Everyone who needs the value asks at once; the far side shall not hear them all.
	h.quiet = now.Add(max(time.Second, fault.RetryAfter(err)))
	if h.usable(now) {
		h.log.Warn("renewal failed, what was known is still used", "what", h.what, "class", string(fault.ClassOf(err)), "err", err)
		return h.kept.value, nil
	}
	return h.kept.value, err
}

func (h *held[T]) usable(now time.Time) bool {
	return h.ok && (h.kept.expires.IsZero() || now.Before(h.kept.expires))
}
