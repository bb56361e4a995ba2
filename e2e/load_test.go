package e2e

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"parley/simulator"
)

// load is messages in both directions over many conversations. Each consumer and
// each agent writes one message after the other, so all of them have an order.
type load struct {
	s       *stack
	phones  []*phone
	ids     []string // the phones' conversations
	probe   *phone   // one more, to see whether anything gets through
	probeID string
	done    atomic.Int64
	total   int64
	wg      sync.WaitGroup

	mu   sync.Mutex
	took []time.Duration // each acknowledgement, with all repetitions
}

// newLoad opens the conversations.
func newLoad(s *stack, conversations int) *load {
	s.t.Helper()
	l := &load{s: s}
	for i := range conversations {
		channel := "sms"
		if i%2 == 1 {
			channel = "web"
		}
		l.phones = append(l.phones, s.newPhone(channel))
	}
	for _, p := range l.phones {
		p.says("The first words of " + p.name)
	}
	for _, p := range l.phones {
		l.ids = append(l.ids, p.conversation(1))
	}
	l.probe = s.newPhone("sms")
	l.probe.says("Somebody else's first words")
	l.probeID = l.probe.conversation(1)
	return l
}

// begin has every consumer write so many messages, and every agent tell as many.
// pace is how long each waits between two; senders repeat what got no 2xx.
func (l *load) begin(each int, pace time.Duration) {
	l.total += int64(2 * each * len(l.phones))
	for i, p := range l.phones {
		l.wg.Go(func() {
			for range each {
				began := time.Now()
				n := l.done.Add(1)
				if _, err := p.send(fmt.Sprintf("words %d of a consumer", n), true); err != nil {
					l.s.t.Errorf("a sender gave up: %v", err)
					return
				}
				l.took1(time.Since(began))
				pause(pace - time.Since(began))
			}
		})
		l.wg.Go(func() {
			for range each {
				began := time.Now()
				n := l.done.Add(1)
				if err := p.tell(l.ids[i], fmt.Sprintf("words %d of an agent", n)); err != nil {
					l.s.t.Errorf("an agent could not write: %v", err)
					return
				}
				pause(pace - time.Since(began))
			}
		})
	}
}

func (l *load) took1(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, d)
}

// pause keeps a sender's pace; nothing is waited for.
func pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// reaches waits until a share of the load, in percent, was handed in.
func (l *load) reaches(percent int64) {
	l.s.t.Helper()
	eventuallyWithin(l.s.t, 3*patience, fmt.Sprintf("%d %% of the load", percent), func() error {
		if done := l.done.Load(); 100*done < percent*l.total {
			return fmt.Errorf("%d of %d: %w", done, l.total, errNotYet)
		}
		return nil
	})
}

// arrives waits for the end of the load and for everything to be delivered.
func (l *load) arrives() {
	l.s.t.Helper()
	l.wg.Wait()
	took := l.s.settled(3*patience, append(l.phones, l.probe)...)
	l.s.t.Logf("%d messages; the last arrived %s after all were handed in", l.total, took.Round(time.Millisecond))
}

// quantile of a list of times.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// recovery says how long it took until a new message reached an agent.
func (s *stack) recovery(what string, since time.Time, p *phone, conversation string) {
	s.t.Helper()
	text := fmt.Sprintf("words after %s, %d", what, time.Now().UnixNano())
	_, err := p.send(text, true)
	assert.NoError(s.t, err)
	eventuallyWithin(s.t, 3*patience, "a message gets through", func() error {
		d, err := s.detail(conversation)
		if _, ok := event(d, text); err == nil && !ok {
			err = errNotYet
		}
		return err
	})
	s.t.Logf("%s: a message was with the agent again after %s", what, time.Since(since).Round(time.Millisecond))
}

func TestWorkerIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{})
	l := newLoad(s, 20)
	l.begin(15, 400*time.Millisecond)
	for i, percent := range []int64{15, 35, 55, 75} {
		l.reaches(percent)
		s.workers[0].process.kill()
		killed := time.Now()
		s.restart(s.workers[0])
		if i == 1 {
			s.recovery("a killed worker", killed, l.probe, l.probeID)
		}
	}
	l.arrives()
	s.noneParked()
}

func TestAPIIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{apis: 2})
	l := newLoad(s, 10)
	l.begin(20, 300*time.Millisecond)
	for i, percent := range []int64{15, 30, 45, 60, 75} {
		l.reaches(percent)
		v := s.apis[i%2]
		v.process.kill()
		s.restart(v)
	}
	l.arrives()
	s.noneParked()
}

// A worker that stood still and goes on does not send what another one has sent
// meanwhile.
func TestWorkerStandsStillAndGoesOn(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{workers: 2})
	l := newLoad(s, 4)
	s.fault(rules(simulator.Rule{Class: "send", Do: "delay", DelayMs: 50}, simulator.Rule{Class: "twilio", Do: "delay", DelayMs: 50}))
	l.begin(25, 100*time.Millisecond)
	l.reaches(30)
	for _, v := range s.workers {
		goOn := hang(t, v)
		stopped := time.Now()
		s.recovery("a worker stood still", stopped, l.probe, l.probeID)
		s.recovery("a worker stood still", stopped, l.probe, l.probeID)
		goOn()
	}
	l.arrives()
	s.noneParked()
}

// noneParked checks that nothing needs a person's attention in the end.
func (s *stack) noneParked() {
	s.t.Helper()
	eventually(s.t, "no conversation waits for a person", func() error {
		return s.found(0, `ParleyAttention IN ("parked", "dead-letter", "waiting")`)
	})
	list, err := s.runs(`ParleyAttention = "uncertain"`)
	assert.NoError(s.t, err)
	s.t.Logf("%d conversations are marked as uncertain", len(list))
}
