package e2e

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// hang stops a process in its tracks, until the test ends or goes on.
func hang(t testing.TB, v *service) (goOn func()) {
	t.Helper()
	p := v.process
	p.signal(syscall.SIGSTOP)
	goOn = func() { p.signal(syscall.SIGCONT) }
	t.Cleanup(goOn)
	return goOn
}

// While a long batch is being sent, Temporal is away for longer than it waits for a
// heartbeat, and then gives the batch to be sent again.
func TestTemporalLosesSightOfABatch(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{ownTemporal: true, workers: 2})
	p := s.newPhone("web")
	p.says("I am going to write a lot now")
	p.conversation(1)
	s.settled(patience, p)
	s.fault(rules(simulator.Rule{Class: "send", Do: "delay", DelayMs: 700}))
	for i := range 21 {
		p.says(fmt.Sprintf("one of many words, %d", i))
	}
	s.publishes(p, 4)
	s.server.process.kill()
	quietFor(t, 12*time.Second)
	require.NoError(t, s.server.start())
	s.settled(3*patience, p)
	s.noneParked()
}

// publishes waits until so many messages of a phone are in the cloud.
func (s *stack) publishes(p *phone, n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d messages are published", n), func() error {
		list, err := p.conversations()
		if err == nil && list[0].Messages < n {
			err = fmt.Errorf("%d: %w", list[0].Messages, errNotYet)
		}
		return err
	})
}

// quietFor lets an outage last.
func quietFor(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func TestTemporalIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{ownTemporal: true})
	l := newLoad(s, 10)
	l.begin(20, 500*time.Millisecond)
	for _, percent := range []int64{25, 60} {
		l.reaches(percent)
		s.server.process.kill()
		killed := time.Now()
		require.NoError(t, s.server.start())
		s.recovery("a killed Temporal server", killed, l.probe, l.probeID)
	}
	l.arrives()
	s.noneParked()
}

// Acknowledging depends on one commit in Postgres, so Temporal may be away for as
// long as it likes: nothing is refused, nothing waits longer than usual.
func TestTemporalIsAwayForAWhile(t *testing.T) {
	slow(t)
	long := os.Getenv("PARLEY_LONG") != ""
	away := 12 * time.Second
	if long {
		away = time.Minute
	} else {
		t.Parallel()
	}
	s := newStack(t, options{ownTemporal: true})
	var phones []*phone
	for range 10 {
		p := s.newPhone("sms")
		p.says("Are you open? " + p.name)
		phones = append(phones, p)
	}
	for _, p := range phones {
		p.conversation(1)
	}
	s.settled(patience, phones...)

	if long { // what this machine does when all is well
		before, _ := everySecond(t, "while all is well", 20, away/4, phones)
		t.Logf("with Temporal: %d messages, p50 %s, p99 %s, longest %s", len(before), quantile(before, .5), quantile(before, .99), quantile(before, 1))
		s.settled(patience, phones...)
	}
	require.NoError(t, s.server.process.terminate(20*time.Second))
	took, waited := everySecond(t, "while nobody listens", 20, away, phones)
	require.NoError(t, s.server.start())
	back := time.Now()
	for what, list := range map[string][]time.Duration{"by its webhook": took, "from when it was due": waited} {
		t.Logf("Temporal was away for %s: %d messages, acknowledged %s: p50 %s, p99 %s, longest %s", away, len(list), what,
			quantile(list, .5), quantile(list, .99), quantile(list, 1))
	}
	if long {
		assert.Less(t, quantile(took, .99), 50*time.Millisecond)
	}
	s.settled(3*patience, phones...)
	t.Logf("everything had arrived %s after Temporal was back", time.Since(back).Round(time.Millisecond))
	s.noneParked()
}

// everySecond posts messages at a fixed rate, whatever becomes of those before, for
// some time. Each phone writes its next message when its last one is acknowledged.
// It returns how long each webhook took to be answered, and how long each message
// took from when it was due: there waiting counts, and so does the simulator's part.
func everySecond(t testing.TB, words string, rate int, during time.Duration, phones []*phone) (took, waited []time.Duration) {
	t.Helper()
	n := int(during.Seconds() * float64(rate))
	took, waited = make([]time.Duration, n), make([]time.Duration, n)
	turn := make([]chan time.Time, len(phones))
	var wg sync.WaitGroup
	for i, p := range phones {
		turn[i] = make(chan time.Time, n)
		wg.Go(func() {
			k := 0
			for due := range turn[i] {
				out, err := p.send(fmt.Sprintf("words %d %s", k, words), false)
				assert.NoError(t, err)
				at := k*len(phones) + i
				took[at], waited[at] = time.Duration(out.Ms*float64(time.Millisecond)), time.Since(due)
				k++
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range n {
		turn[i%len(phones)] <- time.Now()
		<-tick.C
	}
	for _, c := range turn {
		close(c)
	}
	wg.Wait()
	return took, waited
}
