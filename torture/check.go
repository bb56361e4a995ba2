package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"parley/simulator"
)

// tally is what the simulator's own records say about a crowd's messages.
type tally struct {
	sent, arrived                int
	lost, doubled, moved, strays int
	example                      string
}

func (t tally) String() string {
	return fmt.Sprintf("%d sent, %d lost, %d doubled, %d out of order", t.sent, t.lost, t.doubled, t.moved)
}

func (t tally) clean() bool { return t.lost+t.doubled+t.moved+t.strays == 0 }

// count compares the messages of all conversations with what the simulator has, to
// the letter.
func (c *crowd) count(ctx context.Context) (tally, error) {
	var sum tally
	var mu sync.Mutex
	err := together(len(c.all), 8, func(i int) error {
		one := c.all[i]
		in, out, err := c.received(ctx, one)
		if err != nil {
			return err
		}
		wrote, told := one.expects()
		mu.Lock()
		defer mu.Unlock()
		sum.compare(wrote, in, one.name+" → cloud")
		sum.compare(told, out, "agent → "+one.name)
		return nil
	})
	return sum, err
}

// received is what an agent and a consumer have before them.
func (c *crowd) received(ctx context.Context, one *consumer) (in, out []string, err error) {
	if one.conversation == "" {
		return nil, nil, fmt.Errorf("%s has no conversation", one.name)
	}
	d, err := c.s.far.detail(ctx, one.conversation)
	if err != nil {
		return nil, nil, err
	}
	v, err := c.s.far.phone(ctx, one.channel, one.name)
	return published(d), heard(v), err
}

// published are the consumer's texts in one conversation, in order.
func published(d simulator.DetailView) []string {
	var texts []string
	for _, e := range d.Transcript {
		if e.Role == "CONSUMER" && e.Type == "ContentEvent" {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// heard are the texts Parley has put on the phone, in order.
func heard(v simulator.PhoneView) []string {
	var texts []string
	for _, m := range v.Thread {
		if m.Direction == "out" && m.Kind != "system" {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// compare adds one stream: what was sent, in order, and what arrived.
func (t *tally) compare(sent, got []string, where string) {
	t.sent += len(sent)
	t.arrived += len(got)
	times := map[string]int{}
	var first []string // each text at its first arrival
	for _, text := range got {
		if times[text]++; times[text] == 1 {
			first = append(first, text)
		}
	}
	say := func(n *int, what, text string) {
		*n++
		if t.example == "" {
			t.example = fmt.Sprintf("%s: %s: %q", where, what, text)
		}
	}
	known := map[string]bool{}
	for _, text := range sent {
		known[text] = true
		switch n := times[text]; {
		case n == 0:
			say(&t.lost, "lost", text)
		case n > 1:
			say(&t.doubled, "doubled", text)
		}
	}
	for _, text := range first {
		if !known[text] {
			say(&t.strays, "never sent", text)
		}
	}
	there := slices.DeleteFunc(slices.Clone(sent), func(text string) bool { return times[text] == 0 })
	first = slices.DeleteFunc(first, func(text string) bool { return !known[text] })
	for i := range min(len(there), len(first)) {
		if there[i] != first[i] {
			say(&t.moved, "out of order", first[i])
			break
		}
	}
}

// settle waits until everything has arrived and nothing is under way, and returns
// how long that took since a moment.
func (t *trial) settle(ctx context.Context, c *crowd, since time.Time, within time.Duration) (time.Duration, error) {
	in, out := c.totals()
	t.result.messages += in + out
	var took time.Duration
	err := every(ctx, 250*time.Millisecond, within, "everything arrives", func() error {
		now, err := t.far.counters(ctx)
		if err != nil {
			return err
		}
		got, heard := int(now.Published)-t.before.in, now.Phones.Received-t.before.out
		if got < in || heard < out {
			return fmt.Errorf("%d of %d in the cloud, %d of %d on phones: %w", got, in, heard, out, errNotYet)
		}
		return nil
	})
	took = time.Since(since)
	if err != nil {
		return took, err
	}
	return took, every(ctx, 500*time.Millisecond, within, "nothing is under way", func() error { return t.quiet(ctx) })
}

// quiet says that nothing waits in the inbox. What is in a lane has been counted as
// not arrived; whether every send has its outcome, parley verify is asked.
func (t *trial) quiet(ctx context.Context) error {
	var waiting int
	if err := t.db.QueryRow(ctx, `SELECT count(*) FROM streams WHERE pending AND address <> ''`).Scan(&waiting); err != nil {
		return err
	}
	if waiting > 0 {
		return fmt.Errorf("%d streams wait: %w", waiting, errNotYet)
	}
	return nil
}

// decided says that every send has its outcome in the ledger. It is not asked where
// Postgres was away: what could not be recorded then is known to its conversation.
func (t *trial) decided(ctx context.Context) error {
	var intended int
	if err := t.db.QueryRow(ctx, `SELECT count(*) FROM ledger WHERE state = 'intended'`).Scan(&intended); err != nil {
		return err
	}
	if intended > 0 {
		return fmt.Errorf("%d sends have no outcome: %w", intended, errNotYet)
	}
	return nil
}

// verify settles a crowd and has nothing lost, doubled or out of order, and every
// conversation in a legal stage.
func (t *trial) verify(ctx context.Context, c *crowd, since time.Time, drain time.Duration) error {
	took, err := t.settle(ctx, c, since, 3*time.Minute+drain)
	t.result.drained = took
	got, countErr := c.count(ctx)
	t.result.tally = got
	err = errors.Join(err, countErr)
	t.check(got.clean(), "%s; first: %s", got, got.example)
	t.timely(took <= drain, "drained within %s, not %s", round(took), drain)
	return errors.Join(err, t.stages(ctx), t.proven(ctx))
}

// proven has Parley's own `verify` come to the same end: everything that was
// accepted in this scenario is at its effect. Whether what is uncertain was doubled
// has been counted at the far sides.
func (t *trial) proven(ctx context.Context) error {
	return every(ctx, 2*time.Second, 30*time.Second, "parley verify agrees", func() error {
		out, err := t.tool(ctx, "verify", "-allow", "uncertain", "-list", "3", "-from", t.began.UTC().Format(time.RFC3339))
		status := new(exec.ExitError)
		switch {
		case err == nil:
			return nil
		case errors.As(err, &status) && status.ExitCode() == verifyWaiting:
			return fmt.Errorf("%s: %w", out, errNotYet)
		}
		return fatal(fmt.Errorf("%w: %s", err, out))
	})
}

// verifyWaiting is the status of parley verify when something is still on its way.
const verifyWaiting = 3

// stages has every run of a workflow running in a stage there is, or completed.
func (t *trial) stages(ctx context.Context) error {
	return every(ctx, time.Second, 15*time.Second, "every conversation is in a legal stage", func() error {
		bad, err := t.runs(ctx, `ExecutionStatus IN ("Failed", "Terminated", "TimedOut", "Canceled")`)
		if err != nil {
			return err
		}
		if bad > 0 {
			return fatal(fmt.Errorf("%d runs have ended in a way that is not theirs", bad))
		}
		running, err := t.runs(ctx, `ExecutionStatus = "Running"`)
		if err != nil {
			return err
		}
		legal, err := t.runs(ctx, `ExecutionStatus = "Running" AND ParleyStage IN ("opening", "open", "closing", "closed")`)
		if err == nil && legal != running {
			err = fmt.Errorf("%d of %d are: %w", legal, running, errNotYet)
		}
		return err
	})
}

// runs counts the runs that a query finds.
func (t *trial) runs(ctx context.Context, query string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := t.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	if err != nil {
		return 0, err
	}
	return found.Count, nil
}

// notes counts the messages of which the journal says one kind of thing since the
// scenario began. A worker that dies leaves some entries to be written once more.
func (t *trial) notes(ctx context.Context, what string) (n int, err error) {
	err = t.db.QueryRow(ctx, `SELECT count(DISTINCT (address, command)) FROM journal WHERE what = $1 AND at >= $2`, what, t.began).Scan(&n)
	return n, err
}
