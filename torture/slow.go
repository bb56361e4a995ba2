package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// postgresSlow has every answer of Postgres come late: first by so much that
// messages are still accepted, then by more than anybody waits.
func postgresSlow(ctx context.Context, t *trial) (err error) {
	line, back, err := t.reroute(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, back()) }()
	c, err := t.open(ctx, pick(t, 20, 100), "web")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	goroutines, connections, err := t.size(ctx)
	if err != nil {
		return err
	}
	memory, err := t.memory(ctx, t.apis)
	if err != nil {
		return err
	}
	l := t.start(ctx, c, t.rate, 1)
	v := t.typists(ctx, c)
	pause(ctx, 2*time.Second)
	v.check(t, v.last().shed == 0, "presence was shed while all was well")
	if err := line.slow(300 * time.Millisecond); err != nil {
		return err
	}
	pause(ctx, pick(t, 3*time.Second, 30*time.Second))
	slow := v.last()
	v.check(t, slow.shed > 0, "no presence was shed at 300 ms")
	v.check(t, slow.stored > 0, "no message was accepted at 300 ms")
	line.quicken(ctx)
	from := time.Now()
	if err := line.slow(1500 * time.Millisecond); err != nil {
		return err
	}
	pause(ctx, pick(t, 5*time.Second, time.Minute))
	most, memoryErr := t.memory(ctx, t.apis)
	crowded, _, sizeErr := t.size(ctx)
	line.quicken(ctx)
	to := time.Now()
	err = errors.Join(memoryErr, sizeErr, v.returns(ctx), l.end(ctx), v.end())
	if err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), time.Minute)
	t.refusals(l, from, to)
	t.times(l, w, []time.Time{to})
	v.check(t, !v.first.IsZero(), "no refusal was seen")
	v.check(t, v.inOrder, "messages were refused before presence was shed")
	t.note("presence: %d shed at 300 ms, %d messages refused by then; memory of both api %d → %d MB, goroutines of all %d → %d while slow",
		slow.shed, slow.refused, memory>>20, most>>20, goroutines, crowded)
	// At such a rate what waits is some hundred requests; an api that queued what it
	// cannot store would grow with time instead.
	t.check(most < memory+(64<<20), "memory grew by %d MB", (most-memory)>>20)
	t.check(crowded < goroutines*3/2+1000, "%d goroutines, before %d", crowded, goroutines)
	return errors.Join(err, t.shrunk(ctx, goroutines, connections), t.unmarked(ctx))
}

// reroute starts every process of Parley anew, with a wire before Postgres; back
// does so without.
func (t *trial) reroute(ctx context.Context) (line *wire, back func() error, err error) {
	u, err := url.Parse(t.postgres.url)
	if err != nil {
		return nil, nil, err
	}
	if line, err = newWire("postgres", u.Host); err != nil {
		return nil, nil, err
	}
	u.Host = line.address()
	all := append(t.apis[:len(t.apis):len(t.apis)], t.workers...)
	restart := func(change func(env map[string]string)) error {
		return together(len(all), len(all), func(i int) error {
			_, err := all[i].process.terminate(30 * time.Second)
			change(all[i].env)
			return errors.Join(err, t.stack.start(ctx, all[i]))
		})
	}
	back = func() error {
		defer line.cut()
		return restart(func(env map[string]string) { delete(env, "DATABASE_URL") })
	}
	return line, back, restart(func(env map[string]string) { env["DATABASE_URL"] = u.String() })
}

// vitals are what the api processes say about themselves.
type vitals struct{ shed, done, stored, refused int }

// typists are consumers who type all the time, while it is seen what becomes of it.
type typists struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu      sync.Mutex
	now     vitals
	err     error
	first   time.Time // when a refusal was first seen
	inOrder bool      // presence had been shed by then
}

func (t *trial) typists(ctx context.Context, c *crowd) *typists {
	ctx, stop := context.WithCancel(ctx)
	v := &typists{stop: stop, inOrder: true}
	v.all.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			v.all.Go(func() { t.types(ctx, c.all[i%len(c.all)]) })
			pause(ctx, 50*time.Millisecond)
		}
	})
	v.all.Go(func() {
		for ctx.Err() == nil {
			now, err := t.vitals(ctx)
			if ctx.Err() == nil {
				v.see(now, err)
			}
			pause(ctx, 100*time.Millisecond)
		}
	})
	return v
}

func (v *typists) see(now vitals, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err = errors.Join(v.err, err); err != nil {
		return
	}
	if v.now = now; now.refused > 0 && v.first.IsZero() {
		v.first, v.inOrder = time.Now(), now.shed > 0
	}
}

func (v *typists) last() vitals {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// check adds a failure to the trial's, with what was last seen.
func (v *typists) check(t *trial, ok bool, what string) {
	t.check(ok, "%s: %+v", what, v.last())
}

// returns waits until presence is passed on once more.
func (v *typists) returns(ctx context.Context) error {
	before := v.last().done
	return eventually(ctx, 30*time.Second, "presence is passed on again", func() error {
		if v.last().done <= before {
			return errNotYet
		}
		return nil
	})
}

// end stops them, and says whether something could not be seen.
func (v *typists) end() error {
	v.stop()
	v.all.Wait()
	return v.err
}

// types has a consumer of the http channel type.
func (t *trial) types(ctx context.Context, one *consumer) {
	id := random(8)
	body := fmt.Sprintf(`{"events":[{"id":"evt-%s","type":"typing","typing":true,"conversation":{"id":"c-%s","participant":{"id":%q}}}]}`,
		id, one.name, one.name)
	if r, err := t.webRaw(ctx, id, []byte(body)); err == nil {
		t.send(r)
	}
}

// vitals reads both api.
func (t *trial) vitals(ctx context.Context) (sum vitals, err error) {
	for _, v := range t.apis {
		text, err := t.scrape(ctx, v)
		if err != nil {
			return sum, err
		}
		sum.shed += labelled(text, "parley_presence_total{", `outcome="shed"`)
		sum.done += labelled(text, "parley_presence_total{", `outcome="done"`)
		sum.stored += labelled(text, "parley_events_total{", "")
		sum.refused += labelled(text, "parley_webhooks_total{", `status="503"`)
	}
	return sum, nil
}

// labelled sums a metric over the lines that carry a label.
func labelled(text, name, label string) (sum int) {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, name) && strings.Contains(line, label) {
			n, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			sum += int(n)
		}
	}
	return sum
}
