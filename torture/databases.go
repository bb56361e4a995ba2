package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// postgresKill ends the whole server, again and again, as a power cut would, and
// starts it again.
func postgresKill(ctx context.Context, t *trial) error {
	return t.withoutPostgres(ctx, pick(t, 2, 5), func(ctx context.Context) (time.Time, time.Time, error) {
		from := time.Now()
		if err := t.postgres.kill(); err != nil {
			return from, from, err
		}
		pause(ctx, pick(t, time.Second, 3*time.Second))
		if err := t.postgres.start(ctx); err != nil {
			return from, from, err
		}
		err := t.postgres.up(ctx)
		return from, time.Now(), err
	})
}

// postgresStop has the server stand still: connections stay, nothing answers.
func postgresStop(ctx context.Context, t *trial) error {
	return t.withoutPostgres(ctx, 1, func(ctx context.Context) (time.Time, time.Time, error) {
		thaw, err := t.postgres.freeze()
		from := time.Now()
		if err != nil {
			return from, from, err
		}
		pause(ctx, pick(t, 8*time.Second, time.Minute))
		thaw()
		return from, time.Now(), nil
	})
}

// withoutPostgres breaks Postgres under load. What it refuses, it refuses fast, with
// 503; it is well again within seconds, and has grown by nothing.
func (t *trial) withoutPostgres(ctx context.Context, times int, outage func(context.Context) (from, to time.Time, err error)) error {
	c, err := t.open(ctx, pick(t, 20, 100), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	goroutines, connections, err := t.size(ctx)
	if err != nil {
		return err
	}
	l := t.start(ctx, c, t.rate, pick(t, 100, 1500))
	pause(ctx, pick(t, time.Second, 3*time.Second))
	var down [][2]time.Time
	for i := range times {
		from, to, err := outage(ctx)
		if err != nil {
			return errors.Join(fmt.Errorf("outage %d: %w", i+1, err), l.end(ctx))
		}
		down = append(down, [2]time.Time{from, to})
		pause(ctx, pick(t, 4*time.Second, 6*time.Second))
	}
	if err := l.end(ctx); err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), time.Minute)
	var back []time.Time
	for _, d := range down {
		back = append(back, d[1])
		t.refusals(l, d[0], d[1])
	}
	t.times(l, w, back)
	return errors.Join(err, t.shrunk(ctx, goroutines, connections), t.unmarked(ctx))
}

// refuseWithin is what "fast" means for a 503: well within LivePerson's 5 s and the
// 2.5 s from which on it holds a slow endpoint against the app.
const refuseWithin = 2500 * time.Millisecond

// refusals looks at one outage: every answer in it was 503 and came fast, and soon
// after it there was a 2xx.
func (t *trial) refusals(l *load, from, to time.Time) {
	list := between(l.attempts(), from, to)
	other := 0
	var took []time.Duration
	for _, a := range list {
		switch {
		case a.status == 503:
			took = append(took, a.took)
		case a.status/100 != 2:
			other++
		}
	}
	t.note("%d refused, after %s ms", len(took), quantiles(took))
	t.check(other == 0, "%d requests got neither 2xx nor 503", other)
	t.check(len(took) > 0, "nothing was refused during the outage")
	t.timely(quantile(took, .99) <= refuseWithin, "refused after %s (p99)", round(quantile(took, .99)))
	for _, a := range between(l.attempts(), to.Add(-refuseWithin), to.Add(time.Hour)) {
		if end := a.began.Add(a.took); a.status/100 == 2 && end.After(to) {
			t.result.recovered = max(t.result.recovered, end.Sub(to))
			t.timely(end.Sub(to) <= 5*time.Second, "the first 2xx came %s after Postgres was back", round(end.Sub(to)))
			return
		}
	}
	t.check(false, "nothing was accepted after Postgres was back")
}

// size is how many goroutines and database connections Parley has.
func (t *trial) size(ctx context.Context) (goroutines, connections int, err error) {
	for _, v := range append(t.apis[:len(t.apis):len(t.apis)], t.workers...) {
		m, err := t.metrics(ctx, v)
		if err != nil {
			return 0, 0, err
		}
		goroutines += int(m["go_goroutines"])
	}
	err = t.db.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&connections)
	return goroutines, connections, err
}

// shrunk has processes come back to the size they had, with a little room for what
// Temporal's pollers and pools do by themselves.
func (t *trial) shrunk(ctx context.Context, goroutines, connections int) error {
	const roomConnections = 60 // four pools, filled up to their limits by any burst
	var g, c int
	err := every(ctx, time.Second, 30*time.Second, "nothing has grown", func() (err error) {
		if g, c, err = t.size(ctx); err != nil {
			return err
		}
		if g > goroutines*3/2+200 || c > connections+roomConnections {
			return fmt.Errorf("%d goroutines, %d connections; before %d, %d: %w", g, c, goroutines, connections, errNotYet)
		}
		return nil
	})
	t.note("goroutines %d → %d, connections %d → %d", goroutines, g, connections, c)
	return err
}
