package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// patience is how long a test waits for what should happen at once. It is long
// because it only matters when a test fails, on a machine that may be busy.
const patience = 60 * time.Second

// look is how often a condition is looked at.
const look = 25 * time.Millisecond

// fatalError ends a wait early: it will not get better.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

func fatal(err error) error {
	if err == nil {
		return nil
	}
	return fatalError{err}
}

// within looks at a condition until it holds.
func within(d time.Duration, what string, condition func() error) error {
	deadline := time.Now().Add(d)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if end := new(fatalError); errors.As(err, end) || time.Now().After(deadline) {
			return fmt.Errorf("%s: %w (waited %s)", what, err, d)
		}
		<-tick.C
	}
}

// eventually fails the test when a condition does not come to hold. The test's own
// time limit leaves room for the clean-up.
func eventually(t testing.TB, what string, condition func() error) {
	t.Helper()
	eventuallyWithin(t, patience, what, condition)
}

func eventuallyWithin(t testing.TB, d time.Duration, what string, condition func() error) {
	t.Helper()
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := limited.Deadline(); ok {
			d = min(d, time.Until(deadline)-cleanUpWithin)
		}
	}
	if err := within(d, what, condition); err != nil {
		t.Fatal(err)
	}
}

// cleanUpWithin is left of a test's time limit to stop everything.
const cleanUpWithin = 30 * time.Second

// holds turns a yes or no into a condition.
func holds(f func() bool) func() error {
	return func() error {
		if !f() {
			return errNotYet
		}
		return nil
	}
}
