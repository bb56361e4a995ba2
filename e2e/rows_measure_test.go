package e2e

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// measured leaves a measurement out of ordinary runs: it wants the machine for itself.
func measured(t *testing.T) {
	t.Helper()
	if os.Getenv("PARLEY_LONG") == "" {
		t.Skip("set PARLEY_LONG=1 for measurements")
	}
}

// The cloud welcomes a consumer only if the first message follows CONVERSATION within
// ten seconds. The simulator notes how long it took.
func TestMeasureFirstSend(t *testing.T) {
	measured(t)
	const every, during = 50 * time.Millisecond, 60 * time.Second
	s := newStack(t, options{settings: `{"transcripts":false,"wireEntries":100,"autoMessages":{"on":true,"joined":"","welcome":"Welcome"}}`})
	var wg sync.WaitGroup
	tick := time.NewTicker(every)
	defer tick.Stop()
	n := 0
	for began := time.Now(); time.Since(began) < during; n++ {
		<-tick.C
		p := s.newPhone("web")
		wg.Go(func() {
			_, err := p.send("The first words of "+p.name, true)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	written := time.Now()
	var f simulator.FirstMessages
	eventuallyWithin(t, 4*patience, "every conversation has its first message", func() error {
		if err := s.call("GET", "/sim/first-messages", nil, &f); err != nil {
			return err
		}
		if f.Count < n {
			return fmt.Errorf("%d of %d: %w", f.Count, n, errNotYet)
		}
		return nil
	})
	t.Logf("%d new conversations at %d a second: from CONVERSATION to the first SEND p50 %d ms, p99 %d ms, at most %d ms; %d after more than 10 s, %d welcomed; the last was with the agents %s after it was written",
		n, time.Second/every, f.P50Ms, f.P99Ms, f.MaxMs, f.Late, f.Welcomed, time.Since(written).Round(time.Millisecond))
}

// memory is what a process says of its memory, in bytes.
type memory struct{ resident, heap float64 }

func (s *stack) memory(v *service) (m memory, err error) {
	_, text, err := s.get("http://" + v.ops + "/metrics")
	if err != nil {
		return m, err
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "process_resident_memory_bytes":
			m.resident, err = strconv.ParseFloat(value, 64)
		case "go_memstats_heap_inuse_bytes":
			m.heap, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			return m, err
		}
	}
	if m.resident == 0 || m.heap == 0 {
		return m, fmt.Errorf("%s does not say how much memory it has", v.command)
	}
	return m, lines.Err()
}

// peak watches a process's memory until it is told to end, and returns the most it saw.
func (s *stack) peak(v *service) (end func() memory) {
	stop, done := make(chan struct{}), make(chan memory)
	go func() {
		var most memory
		for {
			if m, err := s.memory(v); err == nil {
				most = memory{max(most.resident, m.resident), max(most.heap, m.heap)}
			}
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() memory { close(stop); return <-done }
}

// Files pass through without being held in memory, however many at once.
func TestMeasureFilesAtOnce(t *testing.T) {
	measured(t)
	const files, size = 50, 3_000_000
	s := newStack(t, options{settings: `{"wireEntries":100}`})
	processes := map[string]*service{"api": s.apis[0], "worker": s.workers[0]}
	var phones []*phone
	var ids []string
	for range files {
		p := s.newPhone("web")
		p.says("The first words of " + p.name)
		phones = append(phones, p)
	}
	for _, p := range phones {
		ids = append(ids, p.conversation(1))
	}
	eventually(t, "nothing is under way", s.quiet)
	report := func(what string, do func(), took func() time.Duration) {
		before, ends := map[string]memory{}, map[string]func() memory{}
		for name, v := range processes {
			m, err := s.memory(v)
			require.NoError(t, err)
			before[name], ends[name] = m, s.peak(v)
		}
		do()
		lasted := took()
		for name, v := range processes {
			most := ends[name]()
			after, err := s.memory(v)
			require.NoError(t, err)
			t.Logf("%s, %s: resident %.0f MB before, %.0f at most, %.0f after; heap %.0f, %.0f, %.0f; %s in all", what, name,
				before[name].resident/1e6, most.resident/1e6, after.resident/1e6, before[name].heap/1e6, most.heap/1e6, after.heap/1e6,
				lasted.Round(10*time.Millisecond))
		}
	}
	// all does something for every phone at once, and says how long it took until each is as it should.
	all := func(act func(i int) error, is func(i int) error) (func(), func() time.Duration) {
		var began time.Time
		return func() {
				began = time.Now()
				var wg sync.WaitGroup
				for i := range phones {
					wg.Go(func() { assert.NoError(t, act(i)) })
				}
				wg.Wait()
			}, func() time.Duration {
				for i := range phones {
					eventuallyWithin(t, 4*patience, "a file has arrived", func() error { return is(i) })
				}
				return time.Since(began)
			}
	}
	act, took := all(func(i int) error {
		return s.call("POST", phones[i].path("/text"), map[string]any{"name": phones[i].name, "attachments": []any{map[string]any{"name": "a.png", "generate": size}}}, nil)
	}, func(i int) error {
		d, err := s.detail(ids[i])
		if err == nil && d.Counters.Files != 1 {
			err = errNotYet
		}
		return err
	})
	report(fmt.Sprintf("%d files of %d MB from consumers", files, size/1_000_000), act, took)
	act, took = all(func(i int) error {
		return s.call("POST", "/sim/conversations/"+ids[i]+"/file", map[string]any{"name": "b.png", "generate": size}, nil)
	}, func(i int) error {
		v, err := phones[i].look()
		if err != nil {
			return err
		}
		for _, m := range v.Thread {
			if m.Direction == "out" && len(m.Media) == 1 && m.Media[0].Sum != "" {
				return nil
			}
		}
		return errNotYet
	})
	report(fmt.Sprintf("%d files of %d MB from agents", files, size/1_000_000), act, took)
}
