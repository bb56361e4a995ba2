package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/fault"
	"parley/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is an inbox in memory.
type shelf struct {
	mu      sync.Mutex
	streams map[string]*row
	buried  []string // "stream sequence"
	lists   int      // calls of Pending
	bound   chan string
}

type row struct {
	last, dispatched int64
	taken            bool
}

func newShelf() *shelf { return &shelf{streams: map[string]*row{}, bound: make(chan string, 100)} }

func (s *shelf) add(stream string, events int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[stream] == nil {
		s.streams[stream] = &row{}
	}
	s.streams[stream].last += int64(events)
}

// take is the lock of another process.
func (s *shelf) take(stream string, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[stream].taken = taken
}

func (s *shelf) waiting() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.streams {
		n += r.last - r.dispatched
	}
	return n
}

func (s *shelf) Dispatch(ctx context.Context, stream string, most, _ int, hand func(context.Context, message.Dispatch) error) (message.DispatchState, error) {
	d, state := s.begin(stream, most)
	if state != message.More {
		return state, nil
	}
	err := hand(ctx, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.streams[stream]
	r.taken = false
	if err != nil {
		return message.More, err
	}
	r.dispatched = d.Events[len(d.Events)-1].Sequence
	if r.dispatched < r.last {
		return message.More, nil
	}
	return message.Drained, nil
}

func (s *shelf) begin(stream string, most int) (d message.Dispatch, state message.DispatchState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.streams[stream]
	switch {
	case r == nil || r.dispatched == r.last:
		return d, message.Drained
	case r.taken:
		return d, message.Busy
	}
	r.taken = true
	if most == 0 {
		most = 5
	}
	d.Stream.Conversation = stream
	for n := r.dispatched + 1; n <= min(r.last, r.dispatched+int64(most)); n++ {
		d.Events = append(d.Events, message.Stored{Sequence: n})
	}
	return d, message.More
}

func (s *shelf) Discard(_ context.Context, stream string, last int64, reason, code string) (message.DispatchState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.streams[stream]
	for r.dispatched < last {
		r.dispatched++
		s.buried = append(s.buried, fmt.Sprint(stream, " ", r.dispatched, " ", code))
	}
	if r.dispatched < r.last {
		return message.More, nil
	}
	return message.Drained, nil
}

func (s *shelf) Pending(_ context.Context, after string, limit int) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	for k, r := range s.streams {
		if k > after && r.dispatched < r.last {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], nil
}

func (s *shelf) Listen(ctx context.Context, bound func(string)) error {
	for {
		select {
		case k := <-s.bound:
			bound(k)
		case <-ctx.Done():
			return nil
		}
	}
}

// listeners take signals, and complain when they come in a wrong order, or two of
// a stream at the same time.
type listeners struct {
	t      testing.TB
	answer func(ctx context.Context, d message.Dispatch) error // nil means accept

	mu     sync.Mutex
	last   map[string]int64
	flying map[string]bool
	asked  int
	log    []string // streams, in order of acceptance
}

func listen(t testing.TB, answer func(context.Context, message.Dispatch) error) *listeners {
	return &listeners{t: t, answer: answer, last: map[string]int64{}, flying: map[string]bool{}}
}

func (l *listeners) Signal(ctx context.Context, d message.Dispatch) error {
	stream := d.Stream.Conversation
	l.enter(stream)
	var err error
	if l.answer != nil {
		err = l.answer(ctx, d)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flying[stream] = false
	if err != nil {
		return err
	}
	for _, e := range d.Events {
		if e.Sequence <= l.last[stream] {
			l.t.Errorf("%s: %d after %d", stream, e.Sequence, l.last[stream])
		}
		l.last[stream] = e.Sequence
	}
	l.log = append(l.log, stream)
	return nil
}

func (l *listeners) enter(stream string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.flying[stream] {
		l.t.Errorf("%s: two signals at the same time", stream)
	}
	l.flying[stream] = true
}

func (l *listeners) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.log)
}

func (l *listeners) tries() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

var (
	errDown = &fault.Error{Class: fault.Transient, Op: "signal", Err: errors.New("down")}
	errBad  = &fault.Error{Class: fault.Rejected, Op: "signal", Code: "TooLarge"}
)

// begin starts a relay that sweeps only when a test asks for it.
func begin(t testing.TB, inbox Inbox, c Conversations, o Options) *Relay {
	t.Helper()
	if o.Sweep == 0 {
		o.Sweep = time.Hour
	}
	r := New(inbox, c, o, slog.New(slog.DiscardHandler))
	r.Start()
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

func eventually(t testing.TB, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(20 * time.Second); !cond(); <-tick.C {
		if time.Now().After(until) {
			t.Fatal("waited too long")
		}
	}
}
