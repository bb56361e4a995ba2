package liveperson

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"parley/fault"
)

// Bounds of a circuit.
const (
	failuresToOpen = 10 // in a row
	shortestPause  = time.Second
	longestPause   = 5 * time.Second // one call in so many seconds is no burden, and an account that is back is noticed
)

// circuit fails fast while the account's Send API is down, so that a dead account
// does not keep the workers of all others waiting for its time-outs. It counts
// calls as a whole, with the tokens they needed, and as failures only what says
// that the far side is down: no answer, and 5xx.
//
// The breaker has a fixed pause; what is added here is that the pause grows, from
// a second to half a minute, each time the one call that is let through fails too.
type circuit struct {
	breaker *gobreaker.CircuitBreaker[answer]
	notify  func(open bool)

	mu    sync.Mutex
	pause time.Duration
	until time.Time // nothing is let through before
}

func newCircuit(name string, notify func(open bool)) *circuit {
	c := &circuit{notify: notify}
	c.breaker = gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
		Name:          name,
		MaxRequests:   1,
		Timeout:       shortestPause,
		ReadyToTrip:   func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= failuresToOpen },
		OnStateChange: c.changed,
		IsSuccessful:  func(err error) bool { return !down(err) },
		IsExcluded:    func(err error) bool { return errors.Is(err, errGaveUp) },
	})
	return c
}

func (c *circuit) changed(_ string, from, to gobreaker.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch to {
	case gobreaker.StateOpen:
		c.pause = min(max(2*c.pause, shortestPause), longestPause)
		c.until = time.Now().Add(c.pause)
	case gobreaker.StateClosed:
		c.pause = 0
	}
	if c.notify != nil && from != gobreaker.StateHalfOpen && to == gobreaker.StateOpen {
		c.notify(true)
	}
	if c.notify != nil && to == gobreaker.StateClosed {
		c.notify(false)
	}
}

// wait returns how long nothing is let through yet.
func (c *circuit) wait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Until(c.until)
}

// around makes a call, or fails at once while the circuit is open. Who gave up
// waiting says nothing about the far side.
func (c *circuit) around(ctx context.Context, op string, call func() (answer, error)) (answer, error) {
	if d := c.wait(); d > 0 {
		return answer{}, failsFast(op, d)
	}
	var a answer
	var err error
	_, refused := c.breaker.Execute(func() (answer, error) {
		a, err = call()
		switch {
		case ctx.Err() != nil && err != nil:
			return answer{}, errGaveUp
		case err != nil:
			return answer{}, err
		case a.status >= 500:
			return answer{}, a.cause()
		}
		return answer{}, nil
	})
	if errors.Is(refused, gobreaker.ErrOpenState) || errors.Is(refused, gobreaker.ErrTooManyRequests) {
		return answer{}, failsFast(op, c.wait())
	}
	return a, err
}

var errCircuitOpen = errors.New("the account has not answered for a while")

// errGaveUp is a call whose caller did not wait for its end.
var errGaveUp = errors.New("the caller gave up")

func failsFast(op string, after time.Duration) error {
	return &fault.Error{Class: fault.Transient, Op: op, Code: CodeNotTried, After: max(after, shortestPause), Err: errCircuitOpen}
}

// down says whether an error means that the far side is not there. A deadline counts
// that was not the caller's: what a call needs first, such as a token, has its own.
func down(err error) bool {
	var s statusError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errNotConnected) || errors.Is(err, errNoAnswer) || errors.Is(err, errNotSent) ||
		(errors.As(err, &s) && s >= 500)
}
