package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/simulator"
)

// content is in the body of a SEND that carries a message.
const content = `"ContentEvent"`

// sentNotRecorded kills the workers exactly between "the far side has accepted" and
// "the outcome is recorded": the far side does what it was asked for and holds its
// answer back, and the workers die while they wait for it. Each round does so to
// three kinds at once: where the cloud's echo proves it, where the provider's status
// does, and where nothing will.
func sentNotRecorded(ctx context.Context, t *trial) error {
	rounds, each := pick(t, 1, 10), pick(t, 6, 10)
	var k kinds
	for _, one := range []struct {
		crowd   **crowd
		channel string
	}{{&k.echoed, "web"}, {&k.confirmed, "sms"}, {&k.deaf, "web"}} {
		c, err := t.open(ctx, each, one.channel)
		if err != nil {
			return err
		}
		*one.crowd = c
	}
	for round := range rounds {
		if err := t.caught(ctx, k, round); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
		t.say("%d of %d rounds", round+1, rounds)
	}
	if err := t.far.faults(ctx, nil); err != nil {
		return err
	}
	// The journal's entries travel with the next message.
	if err := together(each, 8, func(i int) error {
		return k.deaf.write(ctx, k.deaf.all[i], fmt.Sprintf("%s and one more, %d", k.deaf.name, i))
	}); err != nil {
		return err
	}
	return t.judge(ctx, k, rounds*each)
}

// kinds are the three ways in which a send without an outcome is found out about.
type kinds struct {
	echoed    *crowd // the cloud's echo arrives
	confirmed *crowd // the provider's status arrives
	deaf      *crowd // nothing arrives
}

// caught has every conversation send one message, and kills all workers when the
// far sides have accepted each of them and answered none.
func (t *trial) caught(ctx context.Context, k kinds, round int) error {
	n := len(k.echoed.all)
	hold := func(class, match string) simulator.Rule {
		return simulator.Rule{Class: class, Do: "hang-after", Match: match, Count: n, DelayMs: 300_000}
	}
	text := func(c *crowd, i int) string {
		return fmt.Sprintf("%s accepted and not recorded, round %d, %d", c.name, round, i)
	}
	if err := t.held(ctx, true, []simulator.Rule{hold("send", content)}, n, n, func(i int) error {
		return k.echoed.write(ctx, k.echoed.all[i], text(k.echoed, i))
	}); err != nil {
		return err
	}
	// Whether there is an echo is decided when a message is accepted.
	if err := t.held(ctx, false, []simulator.Rule{hold("send", content), hold("twilio", "")}, n, 2*n, func(i int) error {
		return errors.Join(k.deaf.write(ctx, k.deaf.all[i], text(k.deaf, i)), k.confirmed.tell(ctx, k.confirmed.all[i], text(k.confirmed, i)))
	}); err != nil {
		return err
	}
	for _, v := range t.workers {
		v.process.kill()
	}
	for _, v := range t.workers {
		if err := t.stack.start(ctx, v); err != nil {
			return err
		}
	}
	return every(ctx, 250*time.Millisecond, 2*time.Minute, "everything has an outcome", func() error { return t.decided(ctx) })
}

// held has n things said under some rules, and waits until so many answers are
// held back.
func (t *trial) held(ctx context.Context, echoes bool, rules []simulator.Rule, n, answers int, say func(i int) error) error {
	err := t.far.faults(ctx, &simulator.Faults{Seed: t.seed, Webhooks: simulator.WebhookFaults{Echoes: &echoes}, Rules: rules})
	if err == nil {
		err = together(n, n, say)
	}
	if err != nil {
		return err
	}
	return eventually(ctx, time.Minute, "the far side holds back all answers", func() error {
		hits, err := t.far.hits(ctx)
		if err == nil && hits < answers {
			err = fmt.Errorf("%d of %d: %w", hits, answers, errNotYet)
		}
		return err
	})
}

// judge has what was proven be there once; what nothing could prove was sent again
// once, under the ID it had, and marked for people to see.
func (t *trial) judge(ctx context.Context, k kinds, kills int) error {
	began := time.Now()
	both := &crowd{s: t.stack, name: t.name, all: append(k.echoed.all[:len(k.echoed.all):len(k.echoed.all)], k.confirmed.all...)}
	var proven, deaf tally
	err := every(ctx, time.Second, patience, "everything arrives", func() (err error) {
		if proven, err = both.count(ctx); err != nil {
			return err
		}
		if deaf, err = k.deaf.count(ctx); err != nil {
			return err
		}
		if proven.lost+deaf.lost > 0 {
			return fmt.Errorf("%d and %d are not there: %w", proven.lost, deaf.lost, errNotYet)
		}
		return t.quiet(ctx)
	})
	t.result.messages = proven.sent + deaf.sent
	t.result.drained = time.Since(began)
	t.result.tally = proven
	t.check(proven.clean(), "%s; first: %s", proven, proven.example)
	t.check(deaf.lost+deaf.moved+deaf.strays == 0, "without echoes: %s; first: %s", deaf, deaf.example)
	t.check(deaf.doubled == kills, "without echoes %d of %d were sent again", deaf.doubled, kills)
	marked, countErr := t.marked(ctx, deaf.doubled)
	t.note("%d of each kind were accepted and not recorded; none with an echo or a status was sent again; without echoes %d were, %d of them marked in the journal",
		kills, deaf.doubled, marked)
	attention, runsErr := t.runs(ctx, `ExecutionStatus = "Running" AND ParleyAttention = "uncertain"`)
	t.check(int(attention) >= len(k.deaf.all), "%d conversations are marked as uncertain", attention)
	return errors.Join(err, countErr, runsErr, t.stages(ctx), t.proven(ctx))
}

// marked waits until so many sends are marked in the journal as possibly doubled.
func (t *trial) marked(ctx context.Context, doubled int) (n int, err error) {
	err = every(ctx, time.Second, 30*time.Second, "what was sent again is marked", func() (err error) {
		n, err = t.notes(ctx, "again")
		if err == nil && n < doubled {
			err = fmt.Errorf("%d of %d: %w", n, doubled, errNotYet)
		}
		return err
	})
	return n, err
}
