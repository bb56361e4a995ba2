package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// measured is how the ceiling is found: so many conversations, for so long, after
// a while that does not count.
func (t *trial) measured() (conversations int, warming, lasting time.Duration) {
	if t.short {
		return 30, time.Second, 5 * time.Second
	}
	return 100, 5 * time.Second, 15 * time.Second
}

func (t *trial) howMeasured() string {
	n, warming, lasting := t.measured()
	return fmt.Sprintf("%d conversations, each side of which writes its next message as soon as its last has arrived, for %s after %s that do not count", n, lasting, warming)
}

// measure finds the ceiling: what passes through in a second, both directions
// together, when each side of each conversation writes its next message as soon as
// the last one has arrived.
func (t *trial) measure(ctx context.Context) (float64, error) {
	if err := t.mark(ctx); err != nil {
		return 0, err
	}
	n, warming, lasting := t.measured()
	c, err := t.open(ctx, n, "")
	if err != nil {
		return 0, err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return 0, err
	}
	defer w.close()
	var arrived atomic.Int64
	from := time.Now().Add(warming)
	end := from.Add(lasting)
	err = together(2*n, 2*n, func(i int) error {
		for k := 0; time.Now().Before(end); k++ {
			if err := t.passes(ctx, w, c, i, k); err != nil {
				return err
			}
			if now := time.Now(); now.After(from) && now.Before(end) {
				arrived.Add(1)
			}
		}
		return nil
	})
	if err == nil && arrived.Load() == 0 {
		err = fmt.Errorf("nothing arrived: %w", errNotYet)
	}
	return float64(arrived.Load()) / lasting.Seconds(), err
}

// passes has one side of a conversation write its k-th message, and waits until it
// has arrived: even ones are consumers, odd ones their agents.
func (t *trial) passes(ctx context.Context, w *watch, c *crowd, side, k int) error {
	text := fmt.Sprintf("%s message %d of %d, some words to say it with", c.name, k, side)
	there := w.expect(text)
	send := c.write
	if side%2 == 1 {
		send = c.tell
	}
	if err := send(ctx, c.all[side/2], text); err != nil {
		return err
	}
	select {
	case <-there:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("a message did not arrive: %w", errNotYet)
	case <-ctx.Done():
		return ctx.Err()
	}
}
