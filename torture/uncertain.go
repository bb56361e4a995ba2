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
// answer back, and the workers die while they wait for it.
func sentNotRecorded(ctx context.Context, t *trial) error {
	rounds, each := pick(t, 1, 10), pick(t, 6, 10)
	for _, far := range []struct{ class, match, channel string }{{"send", content, "web"}, {"twilio", "", "sms"}} {
		if err := t.accepted(ctx, rounds, each, far.class, far.match, far.channel); err != nil {
			return fmt.Errorf("%s: %w", far.class, err)
		}
	}
	return t.deaf(ctx, rounds, each)
}

// accepted has the proof arrive: an echo from the cloud, a status from the provider.
func (t *trial) accepted(ctx context.Context, rounds, each int, class, match, channel string) error {
	if err := t.mark(ctx); err != nil {
		return err
	}
	c, err := t.open(ctx, each, channel)
	if err != nil {
		return err
	}
	kills := 0
	for round := range rounds {
		n, err := t.caught(ctx, c, round, class, match, nil)
		if err != nil {
			return err
		}
		kills += n
	}
	t.note("%s: killed with %d answers outstanding", class, kills)
	return t.verify(ctx, c, time.Now(), time.Minute)
}

// caught has every conversation of a crowd send one message, and kills all workers
// when the far side has accepted each of them and answered none. It returns how
// many there were.
func (t *trial) caught(ctx context.Context, c *crowd, round int, class, match string, echoes *bool) (int, error) {
	n := len(c.all)
	if err := t.far.faults(ctx, &simulator.Faults{Seed: t.seed, Webhooks: simulator.WebhookFaults{Echoes: echoes},
		Rules: []simulator.Rule{{Class: class, Do: "hang-after", Match: match, Count: n, DelayMs: 300_000}}}); err != nil {
		return 0, err
	}
	write := c.write
	if class != "send" {
		write = c.tell
	}
	err := together(n, n, func(i int) error {
		return write(ctx, c.all[i], fmt.Sprintf("%s %s accepted and not recorded, round %d, %d", c.name, class, round, i))
	})
	if err != nil {
		return 0, err
	}
	if err := eventually(ctx, time.Minute, "the far side holds back all answers", func() error {
		hits, err := t.far.hits(ctx)
		if err == nil && hits < n {
			err = fmt.Errorf("%d of %d: %w", hits, n, errNotYet)
		}
		return err
	}); err != nil {
		return 0, err
	}
	for _, v := range t.workers {
		v.process.kill()
	}
	for _, v := range t.workers {
		if err := t.stack.start(ctx, v); err != nil {
			return 0, err
		}
	}
	return n, every(ctx, 250*time.Millisecond, 2*time.Minute, "everything has an outcome", func() error { return t.decided(ctx) })
}

// deaf has no proof arrive: nobody can know, so each is sent again once, under the
// ID it had, and marked for people to see.
func (t *trial) deaf(ctx context.Context, rounds, each int) error {
	if err := t.mark(ctx); err != nil {
		return err
	}
	c, err := t.open(ctx, each, "web")
	if err != nil {
		return err
	}
	no := false
	kills := 0
	for round := range rounds {
		n, err := t.caught(ctx, c, round, "send", content, &no)
		if err != nil {
			return err
		}
		kills += n
	}
	if err := t.far.faults(ctx, nil); err != nil {
		return err
	}
	// The journal's entries travel with the next message.
	if err := together(len(c.all), 8, func(i int) error { return c.write(ctx, c.all[i], c.name+fmt.Sprintf(" and one more, %d", i)) }); err != nil {
		return err
	}
	if _, err := t.settle(ctx, c, time.Now(), time.Minute); err != nil {
		return err
	}
	got, err := c.count(ctx)
	if err != nil {
		return err
	}
	t.check(got.lost+got.moved+got.strays == 0, "without echoes: %s; first: %s", got, got.example)
	t.check(got.doubled == kills, "without echoes %d of %d were sent again", got.doubled, kills)
	marked, err := t.notes(ctx, "again")
	t.check(marked >= got.doubled, "%d doubled, %d marked in the journal", got.doubled, marked)
	t.note("without echoes: %d killed, %d sent again, %d of them marked in the journal", kills, got.doubled, marked)
	attention, countErr := t.runs(ctx, `ExecutionStatus = "Running" AND ParleyAttention = "uncertain"`)
	t.check(int(attention) >= min(kills, each), "%d conversations are marked as uncertain", attention)
	return errors.Join(err, countErr)
}
