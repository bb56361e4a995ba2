package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sent is one message of the load: when it was due, and what became of it.
type sent struct {
	text     string
	inbound  bool
	due      time.Time
	acked    time.Time
	attempts []attempt
}

// load is messages at moments fixed in advance, whatever becomes of those before.
// Who writes when comes from the seed. A consumer's or an agent's next message
// waits until their last one is acknowledged, so that there is an order; its time
// counts from when it was due.
type load struct {
	crowd *crowd
	name  string  // begins its texts
	rate  float64 // messages a second, both directions together
	done  atomic.Int64

	mu   sync.Mutex
	sent []*sent
	errs []error

	stop chan struct{}
	over chan struct{}
	turn map[*consumer][2]chan *sent
}

// start begins a load that lasts for at least least messages and until it is told
// to end.
func (t *trial) start(ctx context.Context, c *crowd, rate float64, least int) *load {
	l := &load{crowd: c, name: t.tag(), rate: rate, stop: make(chan struct{}), over: make(chan struct{}), turn: map[*consumer][2]chan *sent{}}
	var all sync.WaitGroup
	// More than a conversation gets while nothing is acknowledged, and little in all
	// when there are ten thousand of them.
	room := min(1<<14, max(256, 1<<18/len(c.all)))
	for _, one := range c.all {
		q := [2]chan *sent{make(chan *sent, room), make(chan *sent, room)}
		l.turn[one] = q
		all.Go(func() { l.consume(ctx, one, q[0]) })
		all.Go(func() { l.consume(ctx, one, q[1]) })
	}
	rnd := rand.New(rand.NewPCG(t.seed, 1))
	go func() {
		l.schedule(ctx, rnd, least)
		for _, q := range l.turn {
			close(q[0])
			close(q[1])
		}
		all.Wait()
		close(l.over)
	}()
	return l
}

func (l *load) schedule(ctx context.Context, rnd *rand.Rand, least int) {
	begin := time.Now().Add(20 * time.Millisecond)
	for i := 0; ; i++ {
		due := begin.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
		pause(ctx, time.Until(due))
		if ctx.Err() != nil {
			return
		}
		if i >= least {
			select {
			case <-l.stop:
				return
			default:
			}
		}
		one := l.crowd.all[rnd.IntN(len(l.crowd.all))]
		side := rnd.IntN(2)
		l.turn[one][side] <- &sent{due: due, inbound: side == 0, text: fmt.Sprintf("%s message %d, some words to say it with", l.name, i)}
	}
}

func (l *load) consume(ctx context.Context, one *consumer, queue chan *sent) {
	for m := range queue {
		if ctx.Err() != nil {
			return
		}
		var err error
		if m.inbound {
			if m.attempts, err = l.crowd.s.deliver(ctx, one, random(8), m.text); err == nil {
				one.mu.Lock()
				one.wrote = append(one.wrote, m.text)
				one.mu.Unlock()
			}
		} else {
			err = l.crowd.tell(ctx, one, m.text)
		}
		m.acked = time.Now()
		l.done.Add(1)
		l.mu.Lock()
		if err != nil {
			l.errs = append(l.errs, err)
		} else {
			l.sent = append(l.sent, m)
		}
		l.mu.Unlock()
	}
}

// end has the load come to its end, once there was enough of it, and waits for
// that. It returns the first failure.
func (l *load) end(ctx context.Context) error {
	close(l.stop)
	select {
	case <-l.over:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) > 0 {
		return fmt.Errorf("%d messages were not sent, the first: %w", len(l.errs), l.errs[0])
	}
	return nil
}

// attempts are all requests of consumers' providers so far.
func (l *load) attempts() []attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []attempt
	for _, m := range l.sent {
		all = append(all, m.attempts...)
	}
	return all
}

// acks is how long each acknowledged request took.
func acks(list []attempt) []time.Duration {
	var took []time.Duration
	for _, a := range list {
		if a.status/100 == 2 {
			took = append(took, a.took)
		}
	}
	return took
}

// between are the requests begun in a span of time.
func between(list []attempt, from, to time.Time) []attempt {
	var some []attempt
	for _, a := range list {
		if !a.began.Before(from) && a.began.Before(to) {
			some = append(some, a)
		}
	}
	return some
}

// quantile of a list of times.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// quantiles as the table shows them.
func quantiles(list []time.Duration) string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
	if len(list) == 0 {
		return "–"
	}
	return ms(quantile(list, .5)) + " / " + ms(quantile(list, .99)) + " / " + ms(quantile(list, 1))
}
