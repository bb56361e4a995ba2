package main

import (
	"context"
	"errors"
	"time"
)

// temporalAway slows Temporal down, cuts Parley off from it, and then kills the server, again and
// again. Acknowledging goes on as if nothing were.
func temporalAway(ctx context.Context, t *trial) error {
	c, err := t.open(ctx, pick(t, 30, 200), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	l := t.start(ctx, c, t.rate, 1)
	pause(ctx, time.Second)
	var away [][2]time.Time
	outage := func(begin func(), lasting time.Duration, end func() error) error {
		from := time.Now()
		begin()
		pause(ctx, lasting)
		err := end()
		away = append(away, [2]time.Time{from, time.Now()})
		return err
	}
	// Slow first: every answer of Temporal's takes a while.
	err = t.wire.slow(300 * time.Millisecond)
	pause(ctx, pick(t, 3*time.Second, 10*time.Second))
	t.wire.quicken(ctx)
	err = errors.Join(err, outage(t.wire.cut, pick(t, 8*time.Second, 5*time.Minute), t.wire.mend))
	for range pick(t, 1, 3) {
		pause(ctx, pick(t, 2*time.Second, 10*time.Second))
		err = errors.Join(err, outage(t.temporal.process.kill, time.Second, func() error { return t.temporal.start(ctx) }))
	}
	pause(ctx, 3*time.Second)
	if err := errors.Join(err, l.end(ctx)); err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), pick(t, time.Minute, 5*time.Minute))
	var back []time.Time
	var during []attempt
	for _, a := range away {
		back = append(back, a[1])
		during = append(during, between(l.attempts(), a[0], a[1])...)
	}
	t.times(l, w, back)
	for _, a := range during {
		if a.status/100 != 2 {
			t.check(false, "a webhook was answered %d while Temporal was away", a.status)
			break
		}
	}
	t.note("acks while Temporal was away %s ms", quantiles(acks(during)))
	t.timely(quantile(acks(during), .99) < 50*time.Millisecond, "p99 of acks while Temporal was away is not below 50 ms")
	return errors.Join(err, t.unmarked(ctx))
}
