package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/message"
)

func TestEveryStreamKeepsItsOrderWhateverFails(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(1, 2))
	roll := func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return dice.Float64()
	}
	l := listen(t, func(ctx context.Context, d message.Dispatch) error {
		switch p := roll(); {
		case p < 0.1:
			return errDown
		case p < 0.3: // slow
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
			}
		}
		return nil
	})
	r := begin(t, s, l, Options{})
	const streams, rounds = 100, 40
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range rounds {
				for n := range streams {
					k := fmt.Sprint("s", n)
					s.add(k, 1)
					r.Wake(k)
				}
			}
		})
	}
	all.Wait()
	eventually(t, func() bool { return s.waiting() == 0 })
	for n := range streams {
		require.EqualValues(t, 4*rounds, l.last[fmt.Sprint("s", n)])
	}
	eventually(t, func() bool { return r.Stats().Streams == 0 })
	require.EqualValues(t, 4*rounds*streams, r.Stats().Events)
}

func TestAnOutageIsProbedAndThenDrainedPromptly(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var down atomic.Bool
	down.Store(true)
	l := listen(t, func(context.Context, message.Dispatch) error {
		if down.Load() {
			return errDown
		}
		return nil
	})
	r := begin(t, s, l, Options{Dispatchers: 8, Remember: 100, Page: 50})
	const streams = 500 // more than it can remember
	for n := range streams {
		k := fmt.Sprint("s", n)
		s.add(k, 7)
		r.Wake(k)
	}
	eventually(t, func() bool { return r.Stats().Open })
	opened := time.Now()
	eventually(t, func() bool { r.queue.mu.Lock(); defer r.queue.mu.Unlock(); return r.queue.breaker.waits >= 2 })
	require.Greater(t, time.Since(opened), 2*firstProbe, "probes wait longer each time")
	require.Less(t, l.tries(), 8+manyFailing+4, "not every stream found out by itself")
	require.Positive(t, r.Stats().Dropped)
	require.Positive(t, r.Stats().Oldest)
	down.Store(false)
	began := time.Now()
	eventually(t, func() bool { return s.waiting() == 0 })
	require.Less(t, time.Since(began), 5*time.Second)
	require.False(t, r.Stats().Open)
}

func TestAStreamThatAlwaysFailsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := listen(t, func(_ context.Context, d message.Dispatch) error {
		if d.Stream.Conversation == "bad" || d.Stream.Conversation == "worse" {
			return errDown
		}
		return nil
	})
	r := begin(t, s, l, Options{Dispatchers: 2})
	for _, k := range []string{"bad", "worse"} {
		s.add(k, 1)
		r.Wake(k)
	}
	eventually(t, func() bool { return r.Stats().Failures >= 6 })
	require.False(t, r.Stats().Open)
	s.add("good", 1)
	r.Wake("good")
	eventually(t, func() bool { return len(l.heard()) == 1 })
}

func TestAChannelThatIsNotConfiguredHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := listen(t, func(_ context.Context, d message.Dispatch) error {
		if d.Stream.Conversation != "good" {
			return fault.New(fault.Denied, "signal", "not configured")
		}
		return nil
	})
	r := begin(t, s, l, Options{Dispatchers: 2})
	for n := range 3 * manyFailing {
		k := fmt.Sprint("retired", n)
		s.add(k, 1)
		r.Wake(k)
	}
	eventually(t, func() bool { return r.Stats().Failures >= 4*manyFailing })
	require.False(t, r.Stats().Open)
	s.add("good", 1)
	r.Wake("good")
	eventually(t, func() bool { return len(l.heard()) == 1 })
}

func TestAnEventThatCannotBeSignalledIsBuriedAlone(t *testing.T) {
	t.Parallel()
	s := newShelf()
	l := listen(t, func(_ context.Context, d message.Dispatch) error {
		for _, e := range d.Events {
			if e.Sequence == 3 && d.Stream.Conversation == "a" {
				return errBad
			}
		}
		return nil
	})
	r := begin(t, s, l, Options{})
	s.add("a", 12)
	s.add("b", 12)
	r.Wake("a", "b")
	eventually(t, func() bool { return s.waiting() == 0 })
	require.Equal(t, []string{"a 3 TooLarge"}, s.buried)
	require.EqualValues(t, 12, l.last["a"])
	eventually(t, func() bool { return r.Stats().Streams == 0 })
	require.EqualValues(t, 1, r.Stats().Rejected)
	require.EqualValues(t, 23, r.Stats().Events)
}

func TestALongStreamTakesTurns(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("long", 20)
	s.add("short", 1)
	l := listen(t, nil)
	r := New(s, l, Options{Dispatchers: 1, Sweep: time.Hour}, nil)
	r.Wake("long", "short")
	r.Start()
	eventually(t, func() bool { return s.waiting() == 0 })
	require.NoError(t, r.Stop(t.Context()))
	require.Equal(t, []string{"long", "short", "long", "long", "long"}, l.heard())
}

func TestWhatAnEarlierProcessLeftIsFoundAtStart(t *testing.T) {
	t.Parallel()
	s := newShelf()
	for n := range 130 {
		s.add(fmt.Sprint("s", n), 1)
	}
	begin(t, s, listen(t, nil), Options{Page: 20, Remember: 30})
	eventually(t, func() bool { return s.waiting() == 0 })
}

func TestTheSweepFindsWhatNobodyWokeUsFor(t *testing.T) {
	t.Parallel()
	s := newShelf()
	begin(t, s, listen(t, nil), Options{Sweep: 5 * time.Millisecond})
	eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.lists > 2 })
	s.add("a", 1)
	eventually(t, func() bool { return s.waiting() == 0 })
}

func TestABusyStreamIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.add("a", 1)
	s.take("a", true)
	r := begin(t, s, listen(t, nil), Options{})
	r.Wake("a")
	eventually(t, func() bool { return r.Stats().Busy >= 2 })
	s.take("a", false)
	eventually(t, func() bool { return s.waiting() == 0 })
}

func TestABoundConversationIsDispatched(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := begin(t, s, listen(t, nil), Options{})
	s.add("cloud", 1)
	s.bound <- "cloud"
	eventually(t, func() bool { return s.waiting() == 0 })
	require.EqualValues(t, 1, r.Stats().Signals)
}

func TestNewsWhileASignalIsOnItsWayIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := newShelf()
	arrived, goOn := make(chan struct{}, 10), make(chan struct{})
	l := listen(t, func(context.Context, message.Dispatch) error {
		arrived <- struct{}{}
		<-goOn
		return nil
	})
	r := begin(t, s, l, Options{})
	s.add("a", 1)
	r.Wake("a")
	<-arrived
	s.add("a", 1)
	r.Wake("a")
	close(goOn)
	eventually(t, func() bool { return s.waiting() == 0 })
}

func TestASignalThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var hangs atomic.Bool
	hangs.Store(true)
	l := listen(t, func(ctx context.Context, _ message.Dispatch) error {
		if hangs.Swap(false) {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	r := begin(t, s, l, Options{SignalWithin: 10 * time.Millisecond})
	s.add("a", 1)
	r.Wake("a")
	eventually(t, func() bool { return s.waiting() == 0 })
	require.EqualValues(t, 1, r.Stats().Failures)
}

func TestStopFinishesWhatIsInFlightAndTakesNothingNew(t *testing.T) {
	t.Parallel()
	s := newShelf()
	arrived, goOn := make(chan struct{}), make(chan struct{})
	l := listen(t, func(context.Context, message.Dispatch) error {
		close(arrived)
		<-goOn
		return nil
	})
	r := New(s, l, Options{Dispatchers: 1, Sweep: time.Hour}, nil)
	r.Start()
	s.add("a", 1)
	s.add("b", 1)
	r.Wake("a", "b")
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(context.Background()) }()
	<-r.taking.Done()
	close(goOn)
	require.NoError(t, <-stopped)
	require.Equal(t, []string{"a"}, l.heard())
	require.EqualValues(t, 1, s.waiting())
	r.Wake("b")
	require.EqualValues(t, 1, s.waiting())
}

func TestStopBreaksOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	s := newShelf()
	arrived := make(chan struct{})
	l := listen(t, func(ctx context.Context, _ message.Dispatch) error {
		close(arrived)
		<-ctx.Done()
		return ctx.Err()
	})
	r := New(s, l, Options{Sweep: time.Hour}, nil)
	r.Start()
	s.add("a", 1)
	r.Wake("a")
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Stop(ctx), context.Canceled)
	require.EqualValues(t, 1, s.waiting(), "nothing is lost by it")
}

func TestBreakerCountsStreams(t *testing.T) {
	t.Parallel()
	var b breaker
	now := time.Now()
	for range 10 {
		require.False(t, b.failed("one", false, now))
	}
	require.False(t, b.failed("two", false, now))
	require.True(t, b.failed("three", false, now))
	require.False(t, b.lets(now))
	now = now.Add(firstProbe)
	require.True(t, b.lets(now))
	require.True(t, b.begin())
	require.False(t, b.lets(now), "one probe at a time")
	b.probing = false
	require.False(t, b.failed("one", true, now))
	require.False(t, b.lets(now.Add(firstProbe)), "it waits longer")
	require.True(t, b.lets(now.Add(lastProbe)))
	require.True(t, b.closed())
	require.True(t, b.lets(now))
	require.Equal(t, fault.Transient, fault.ClassOf(errDown))
}
