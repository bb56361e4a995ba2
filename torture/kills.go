package main

import (
	"context"
	"errors"
	"time"
)

// workerKill ends workers without a warning while messages flow in both directions.
func workerKill(ctx context.Context, t *trial) error {
	return t.killing(ctx, t.workers, pick(t, 4, 50))
}

// apiKill does the same to the processes that receive webhooks. Senders repeat what
// got no 2xx; one of the two keeps answering.
func apiKill(ctx context.Context, t *trial) error {
	return t.killing(ctx, t.apis, pick(t, 4, 50))
}

// killing kills one of the services after a random while, starts it again, and goes
// on with one of them, under load.
func (t *trial) killing(ctx context.Context, victims []*service, kills int) error {
	c, err := t.open(ctx, pick(t, 30, 200), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	l := t.start(ctx, c, t.rate, pick(t, 150, 5000))
	var whole []time.Time
	for i := range kills {
		pause(ctx, 200*time.Millisecond+time.Duration(t.rnd.Int64N(int64(1500*time.Millisecond))))
		v := victims[t.rnd.IntN(len(victims))]
		v.process.kill()
		if err := t.stack.start(ctx, v); err != nil {
			return errors.Join(err, l.end(ctx))
		}
		whole = append(whole, time.Now())
		if (i+1)%10 == 0 {
			t.say("%d kills, %d messages", i+1, l.done.Load())
		}
	}
	if err := l.end(ctx); err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), time.Minute)
	t.times(l, w, whole)
	t.note("%d kills, %d conversations", kills, len(c.all))
	return errors.Join(err, t.unmarked(ctx))
}

// times puts into the table how long things took.
func (t *trial) times(l *load, w *watch, whole []time.Time) {
	t.result.acks = append(t.result.acks, acks(l.attempts())...)
	for _, at := range whole {
		if d, ok := w.recovery(l, at); ok {
			t.result.recovered = max(t.result.recovered, d)
		}
	}
	t.note("due to arrived %s ms (p50 / p99 / max)", quantiles(w.took(l)))
	refused := 0
	for _, a := range l.attempts() {
		if a.status/100 != 2 {
			refused++
		}
	}
	if refused > 0 {
		t.note("%d requests got no 2xx and were repeated", refused)
	}
}

// unmarked has no conversation wait for a person. One may be marked as uncertain:
// its send was confirmed too late.
func (t *trial) unmarked(ctx context.Context) error {
	bad, err := t.runs(ctx, `ExecutionStatus = "Running" AND ParleyAttention IN ("parked", "dead-letter")`)
	t.check(bad == 0, "%d conversations wait for a person", bad)
	return err
}
