package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/simulator"
)

// livepersonDown has the cloud answer 503 for a while, then 429 to every other call, then
// 5xx at random, half of them after the effect.
func livepersonDown(ctx context.Context, t *trial) error {
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
	phases := []struct {
		name    string
		lasting time.Duration
		rules   []simulator.Rule
		most    float64 // calls a second for each conversation
	}{
		{"503", pick(t, 4*time.Second, 10*time.Minute), []simulator.Rule{{Class: "send", Do: "fail-before", Status: 503}}, .3},
		{"429", pick(t, 4*time.Second, time.Minute), []simulator.Rule{{Class: "send", Do: "throttle", RetryAfter: 2, Probability: .5}}, 3},
		{"5xx at random", pick(t, 5*time.Second, time.Minute), []simulator.Rule{
			{Class: "send", Do: "fail-before", Status: 500, Probability: .1}, {Class: "send", Do: "fail-after", Status: 502, Probability: .1}}, 0},
	}
	var fresh []*crowd
	for i, p := range phases {
		if t.short && i == 2 {
			// Whoever has failed often waits for minutes after one failure more.
			err := t.far.faults(ctx, nil)
			pause(ctx, 8*time.Second)
			if err != nil {
				return errors.Join(err, l.end(ctx))
			}
		}
		if err := t.far.faults(ctx, &simulator.Faults{Seed: t.seed, Rules: p.rules}); err != nil {
			return errors.Join(err, l.end(ctx))
		}
		before, err := t.far.counters(ctx)
		if err != nil {
			return errors.Join(err, l.end(ctx))
		}
		began := time.Now()
		if p.name != "503" {
			some, err := t.open(ctx, 5, "")
			if err != nil {
				return errors.Join(fmt.Errorf("new conversations starve during %s: %w", p.name, err), l.end(ctx))
			}
			t.note("5 new conversations were open %s after they began, during %s", round(time.Since(began)), p.name)
			fresh = append(fresh, some)
		}
		pause(ctx, p.lasting-time.Since(began))
		after, err := t.far.counters(ctx)
		if err != nil {
			return errors.Join(err, l.end(ctx))
		}
		calls := float64(after.Requests["send"].Total-before.Requests["send"].Total) / time.Since(began).Seconds()
		t.note("%s: %.1f calls/s", p.name, calls)
		// Each conversation asks once at the beginning, and its receipts too.
		allowed := p.most*float64(len(c.all)) + 2*float64(len(c.all))/time.Since(began).Seconds()
		t.check(p.most == 0 || calls <= allowed, "%.0f calls a second during %s; %.0f would do", calls, p.name, allowed)
	}
	err = t.far.faults(ctx, nil)
	whole := time.Now()
	if err := errors.Join(err, l.end(ctx)); err != nil {
		return err
	}
	for _, f := range fresh {
		c.all = append(c.all, f.all...)
	}
	err = t.verify(ctx, c, time.Now(), pick(t, 90*time.Second, 6*time.Minute))
	t.times(l, w, []time.Time{whole})
	return errors.Join(err, t.unmarked(ctx))
}

// tokens has AppJWTs live for seconds, and consumers' tokens refused at random.
func tokens(ctx context.Context, t *trial) error {
	lifetime := pick(t, 3, 20)
	if err := t.far.settings(ctx, map[string]any{"appJwtLifetimeSec": lifetime}); err != nil {
		return err
	}
	if err := t.far.call(ctx, "POST", "/sim/expire-tokens", nil, nil); err != nil {
		return err
	}
	c, err := t.open(ctx, pick(t, 20, 100), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	before, err := t.far.counters(ctx)
	if err != nil {
		return err
	}
	// A hanging answer shows whether more than one caller asks for a new token.
	if err := t.far.faults(ctx, &simulator.Faults{Seed: t.seed, Rules: []simulator.Rule{
		{Class: "token", Do: "delay", DelayMs: 300}, {Class: "send", Do: "reject-jws", Probability: .1}}}); err != nil {
		return err
	}
	began := time.Now()
	l := t.start(ctx, c, t.rate, 1)
	pause(ctx, pick(t, 8*time.Second, 2*time.Minute))
	lasted := time.Since(began)
	after, err := t.far.counters(ctx)
	if err := errors.Join(err, t.far.faults(ctx, nil), l.end(ctx)); err != nil {
		return err
	}
	asked := after.Requests["token"].Total - before.Requests["token"].Total
	// Two workers, each of which may renew a token well before its end.
	allowed := int64(2*(3*lasted.Seconds()/float64(lifetime)) + 4)
	t.note("AppJWT lives %d s: %d asked for in %s", lifetime, asked, round(lasted))
	t.check(asked > 0 && asked <= allowed, "%d tokens were asked for; two workers need %d at most", asked, allowed)
	err = t.verify(ctx, c, time.Now(), time.Minute)
	t.times(l, w, nil)
	uncertain, countErr := t.runs(ctx, `ExecutionStatus = "Running" AND ParleyAttention = "dead-letter"`)
	t.check(uncertain == 0, "%d conversations have a message that failed", uncertain)
	return errors.Join(err, countErr, t.unmarked(ctx))
}

// channelDead has one channel refuse everything while its conversations are chatty.
func channelDead(ctx context.Context, t *trial) error {
	dead, err := t.open(ctx, pick(t, 15, 30), "sms")
	if err != nil {
		return err
	}
	alive, err := t.open(ctx, pick(t, 15, 60), "web")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	// The same load before and during, so that only the dead channel differs.
	calm, other := t.start(ctx, alive, t.rate/2, 1), t.start(ctx, dead, t.rate/2, 1)
	pause(ctx, pick(t, 6*time.Second, time.Minute))
	if err := errors.Join(calm.end(ctx), other.end(ctx)); err != nil {
		return err
	}
	if err := t.far.faults(ctx, &simulator.Faults{Seed: t.seed, Rules: []simulator.Rule{{Class: "twilio", Do: "fail-before", Status: 503}}}); err != nil {
		return err
	}
	chatty := t.start(ctx, dead, t.rate/2, 1)
	beside := t.start(ctx, alive, t.rate/2, 1)
	broken := time.Now()
	pause(ctx, pick(t, 10*time.Second, 30*time.Minute))
	handed, countErr := t.runs(ctx, fmt.Sprintf(`ExecutionStatus = "ContinuedAsNew" AND ParleyChannel = "sms" AND CloseTime >= %q`, broken.UTC().Format(time.RFC3339)))
	err = errors.Join(beside.end(ctx), chatty.end(ctx), t.far.faults(ctx, nil))
	whole := time.Now()
	if err != nil {
		return err
	}
	both := &crowd{s: t.stack, name: t.name, all: append(dead.all, alive.all...)}
	err = t.verify(ctx, both, whole, pick(t, 90*time.Second, 6*time.Minute))
	before, during := w.took(calm), w.took(beside)
	t.note("the other channel's messages took %s ms before, %s ms while one was dead", quantiles(before), quantiles(during))
	t.timely(quantile(during, .5) <= 3*quantile(before, .5)/2+20*time.Millisecond, "the other channel slowed down")
	t.result.acks = append(acks(beside.attempts()), acks(chatty.attempts())...)
	t.note("%d hand-overs in the dead channel's conversations while it was", handed)
	if !t.short {
		t.check(handed > 0, "no conversation was handed over")
	}
	return errors.Join(err, countErr, t.unmarked(ctx))
}
