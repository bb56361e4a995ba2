package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// settled waits until everything has arrived that the phones wrote and agents told
// them, then until nothing is under way any more, and checks on the simulator's own
// records that all of it arrived once and in order. It returns how long that took.
func (s *stack) settled(within time.Duration, phones ...*phone) time.Duration {
	s.t.Helper()
	began := time.Now()
	for _, p := range phones {
		eventuallyWithin(s.t, within, "everything arrives", p.arrived)
	}
	took := time.Since(began)
	eventuallyWithin(s.t, within, "nothing is under way", s.quiet)
	for _, p := range phones {
		s.verify(p)
	}
	c := s.counters()
	assert.Zero(s.t, c.DoubledExternalIDs, "an ID was published twice")
	assert.Zero(s.t, c.DoubledTexts, "a text was published twice")
	assert.Zero(s.t, c.Phones.DoubledTexts, "a text is on a phone twice")
	return took
}

// arrived compares numbers only: it is asked often.
func (p *phone) arrived() error {
	p.mu.Lock()
	wrote, told := len(p.wrote), len(p.told)
	p.mu.Unlock()
	conversations, err := p.conversations()
	if err != nil {
		return err
	}
	got := 0
	for _, c := range conversations {
		d, err := p.s.detail(c.ID)
		if err != nil {
			return err
		}
		got += len(published(d))
	}
	v, err := p.look()
	if err != nil {
		return err
	}
	out := len(heard(v)) - len(asked(v))
	switch {
	case got > wrote || out > told:
		err = fatal(errMore)
	case got < wrote || out < told:
		err = errNotYet
	default:
		return nil
	}
	return fmt.Errorf("%d of %d in the cloud, %d of %d on the phone: %w", got, wrote, out, told, err)
}

// verify checks one phone to the letter.
func (s *stack) verify(p *phone) {
	s.t.Helper()
	conversations, err := p.conversations()
	require.NoError(s.t, err)
	var in []string
	for _, c := range conversations {
		d, err := s.detail(c.ID)
		require.NoError(s.t, err)
		in = append(in, published(d)...)
		assert.Empty(s.t, d.Counters.DoubledExternalIDs)
		assert.Zero(s.t, d.Counters.WithoutExternalID)
		assertOrder(s.t, d)
	}
	out := slices.DeleteFunc(heard(p.view()), isQuestion)
	p.mu.Lock()
	defer p.mu.Unlock()
	assertSame(s.t, p.wrote, in, "what the consumer wrote, and what the agents see")
	assertSame(s.t, p.told, out, "what the agents wrote, and what the consumer sees")
}

func assertSame(t assert.TestingT, sent, received []string, what string) {
	if !slices.Equal(sent, received) {
		assert.Equal(t, sent, received, what)
	}
}

// assertOrder checks that no sequence of a dialog was given out twice or left out.
func assertOrder(t assert.TestingT, d simulator.DetailView) {
	next := map[string]int{}
	for _, e := range d.Transcript {
		if e.Sequence < 0 {
			continue
		}
		assert.Equal(t, next[e.Dialog], e.Sequence)
		next[e.Dialog] = e.Sequence + 1
	}
}

// quiet says that nothing is under way: no event waits in the inbox and no command
// in a conversation, so nothing can be sent again.
func (s *stack) quiet() error {
	pending := 0
	if err := s.row("SELECT count(*) FROM streams WHERE pending AND address <> ''").Scan(&pending); err != nil {
		return err
	}
	if pending > 0 {
		return fmt.Errorf("%d streams wait in the inbox: %w", pending, errNotYet)
	}
	running, err := s.runs(`ExecutionStatus = "Running"`)
	if err != nil {
		return err
	}
	for _, r := range running {
		state, err := s.state(r.Execution.WorkflowId)
		if err != nil {
			return err
		}
		if n := len(state.ToCloud.Queue) + len(state.ToChannel.Queue); n > 0 {
			return fmt.Errorf("%d commands wait in %s: %w", n, r.Execution.WorkflowId, errNotYet)
		}
	}
	return nil
}

// row asks the stack's database. It is safe for several goroutines.
func (s *stack) row(query string, args ...any) interface{ Scan(...any) error } {
	return rowFunc(func(to ...any) error {
		s.dbMu.Lock()
		defer s.dbMu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return s.db.QueryRow(ctx, query, args...).Scan(to...)
	})
}

type rowFunc func(to ...any) error

func (f rowFunc) Scan(to ...any) error { return f(to...) }
