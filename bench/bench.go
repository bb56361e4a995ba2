package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// bench is one run of all measurements.
type bench struct {
	options
	stack   *stack
	load    *load
	agents  []string // the warm conversations, as the cloud names them
	warm    *histories
	results *results

	toCloud, toChannel int // messages sent in all
	consumers          int
}

// all warms up and measures, phase by phase. Nothing may be lost or doubled.
func (b *bench) all(ctx context.Context) error {
	b.load = &load{addr: b.stack.api.webhooks, key: b.stack.key}
	if err := b.warmUp(ctx); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	phases := []struct {
		letter, name string
		measure      func(context.Context) error
	}{{"l", "latency", b.latency}, {"a", "acknowledgements", b.acknowledgements}, {"b", "bursts", b.bursts}, {"n", "new conversations", b.newcomers}, {"t", "trimming", b.trimming}}
	for i := range b.repeat {
		for _, p := range phases {
			if !strings.Contains(b.only, p.letter) {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s %d of %d: %s (load %s)\n", time.Now().Format("15:04:05"), i+1, b.repeat, p.name, aboutMachine().load)
			if err := p.measure(ctx); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return b.stack.far.check(b.toCloud, b.toChannel)
}

// write has a consumer write the message n, and returns when it is acknowledged.
func (b *bench) write(n, who int) error { return b.load.post(n, consumer(who)) }

// serials reserves n numbers and returns the first.
func (b *bench) serials(n int) int { return int(b.load.next.Add(int64(n))) - n }

// warmUp opens the conversations and has both sides write twice.
func (b *bench) warmUp(ctx context.Context) error {
	n := b.conversations
	b.consumers = n
	for i := range n {
		phone := "/sim/phones/" + channel + "/" + consumer(i)
		if err := b.stack.far.call(http.MethodPut, phone, map[string]string{"conversation": "c-" + consumer(i)}, nil); err != nil {
			return err
		}
	}
	for range 2 {
		from := b.serials(n)
		if _, err := closedLoop(8, n, 0, func(i int) error { return b.write(from+i, i) }); err != nil {
			return err
		}
		b.toCloud += n
		if _, err := b.stack.far.delivered(ctx, from, from+n); err != nil {
			return err
		}
	}
	var err error
	if b.agents, err = b.stack.far.open(); err != nil {
		return err
	}
	if len(b.agents) != n {
		return fmt.Errorf("%d conversations are open at the cloud, not %d", len(b.agents), n)
	}
	for range 2 {
		if err := b.hear(ctx); err != nil {
			return err
		}
	}
	b.warm, err = newHistories(ctx, b.stack, n)
	return err
}

// hear has each agent write once.
func (b *bench) hear(ctx context.Context) error {
	n := len(b.agents)
	from := b.serials(n)
	for i := range n {
		if err := b.tell(from+i, i); err != nil {
			return err
		}
	}
	b.toChannel += n
	_, err := b.stack.far.delivered(ctx, from, from+n)
	return err
}

// tell has an agent write the message n.
func (b *bench) tell(n, who int) error {
	text := mark(n) + strings.Repeat(" words of an agent", 8)
	return b.stack.far.call(http.MethodPost, "/sim/conversations/"+b.agents[who]+"/text", map[string]string{"text": text}, nil)
}

// latency measures acknowledgement and delivery at a fixed rate, each direction.
func (b *bench) latency(ctx context.Context) error {
	n := int(b.lasting.Seconds() * float64(b.rate))
	w, err := b.watch(ctx)
	if err != nil {
		return err
	}
	from := b.serials(n)
	planned, acks, err := openLoop(ctx, n, b.rate, func(i int) error { return b.write(from+i, i%b.conversations) })
	if err != nil {
		return err
	}
	b.toCloud += n
	seen, err := b.stack.far.delivered(ctx, from, from+n)
	if err != nil {
		return err
	}
	b.results.quantiles("ack at 20/s", acks)
	b.results.quantiles("to the Send API at 20/s", after(planned, seen))
	if err := w.done(ctx, "idle", n); err != nil {
		return err
	}

	if w, err = b.watch(ctx); err != nil {
		return err
	}
	from = b.serials(n)
	planned, _, err = openLoop(ctx, n, b.rate, func(i int) error { return b.tell(from+i, i%b.conversations) })
	if err != nil {
		return err
	}
	b.toChannel += n
	if seen, err = b.stack.far.delivered(ctx, from, from+n); err != nil {
		return err
	}
	b.results.quantiles("to the channel at 20/s", after(planned, seen))
	return w.done(ctx, "idle, agents", n)
}

// after is how long after its planned moment each request arrived.
func after(planned []time.Time, seen []sighting) []time.Duration {
	out := make([]time.Duration, len(planned))
	for i := range planned {
		out[i] = seen[i].arrived.Sub(planned[i])
	}
	return out
}

// watch sees what a phase costs: processor time, and history of the warm
// conversations.
type watch struct {
	b    *bench
	used spent
	size size
}

func (b *bench) watch(ctx context.Context) (watch, error) {
	size, err := b.warm.measure(ctx)
	return watch{b, b.stack.usage.now(), size}, err
}

func (w watch) done(ctx context.Context, name string, messages int) error {
	used := w.b.stack.usage.now().since(w.used)
	size, err := w.b.warm.measure(ctx)
	if err != nil {
		return err
	}
	w.b.results.cost(name, messages, used, size.minus(w.size))
	return nil
}

// acknowledgements has the clients post as fast as they can: at Parley, which
// processes meanwhile; at the bare handler while Parley still processes; and at
// the bare handler with the machine at rest.
func (b *bench) acknowledgements(ctx context.Context) error {
	first := b.serials(0)
	took, err := closedLoop(b.clients, 0, b.closed, func(int) error {
		n := b.serials(1)
		return b.write(n, n%b.conversations)
	})
	if err != nil {
		return err
	}
	b.toCloud += len(took)
	b.results.rate("acks/s", len(took), b.closed)
	b.results.quantiles("ack, all clients", took)
	if err := b.bare("bare, processing", took); err != nil {
		return err
	}
	busy := b.stack.far.outstanding(first, first+len(took))
	b.results.add("messages still on their way after bare, processing", float64(busy))
	if _, err := b.stack.far.delivered(ctx, first, first+len(took)); err != nil {
		return err
	}
	return b.bare("bare, alone", took)
}

// bare has the clients post the same messages to the bare handler.
func (b *bench) bare(name string, compare []time.Duration) error {
	bare := &load{addr: b.stack.bare.webhooks, key: b.stack.key}
	defer bare.close()
	got, err := closedLoop(b.clients, 0, b.closed, func(i int) error { return bare.post(i, consumer(i%b.conversations)) })
	if err != nil {
		return err
	}
	b.results.rate(name, len(got), b.closed)
	b.results.add("ratio to "+name, float64(len(compare))/float64(len(got)))
	return nil
}

// bursts posts much at once and waits for the last to be accepted by the Send API.
func (b *bench) bursts(ctx context.Context) error {
	for _, each := range []int{40, 10} {
		n := each * b.conversations
		w, err := b.watch(ctx)
		if err != nil {
			return err
		}
		from := b.serials(n)
		began := time.Now()
		acks, err := closedLoop(b.clients, n, 0, func(i int) error { return b.write(from+i, i%b.conversations) })
		if err != nil {
			return err
		}
		acked := time.Since(began)
		b.toCloud += n
		seen, err := b.stack.far.delivered(ctx, from, from+n)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("burst of %d", n)
		b.results.rate(name, n, last(seen).Sub(began))
		b.results.rate(name+", acks", n, acked)
		b.results.quantiles(name+", ack", acks)
		if err := w.done(ctx, name, n); err != nil {
			return err
		}
	}
	return nil
}

// newcomers has consumers write whom nobody knows, once each.
func (b *bench) newcomers(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	used := b.stack.usage.now()
	n, who := b.fresh, b.consumers
	b.consumers += n
	from, began := b.serials(n), time.Now()
	acks, err := closedLoop(b.clients, n, 0, func(i int) error { return b.write(from+i, who+i) })
	if err != nil {
		return err
	}
	b.toCloud += n
	seen, err := b.stack.far.delivered(ctx, from, from+n)
	if err != nil {
		return err
	}
	b.results.rate("new conversations", n, last(seen).Sub(began))
	b.results.quantiles("new conversations, ack", acks)
	b.results.cost("new", n, b.stack.usage.now().since(used), size{})
	return nil
}

var errNothing = errors.New("nothing was measured")
