package relay

import (
	"sync/atomic"
	"time"
)

// sweepUntilStopped finds what nobody woke us for: what a process stored that died
// before it could dispatch it, and what there was no room to remember.
func (r *Relay) sweepUntilStopped() {
	tick := time.NewTicker(r.options.Sweep)
	defer tick.Stop()
	failing := false
	for {
		err := r.sweep()
		if err != nil && !failing && r.taking.Err() == nil {
			r.log.Warn("relay cannot look for waiting streams", "err", err)
		}
		failing = err != nil
		select {
		case <-r.taking.Done():
			return
		case <-r.queue.healed:
		case <-tick.C:
		}
	}
}

// sweep goes through all pending streams in pages, as fast as they are dispatched.
// While nothing can be signalled there is no use in listing them.
func (r *Relay) sweep() error {
	if r.queue.ailing() {
		return nil
	}
	after := ""
	for {
		streams, err := r.inbox.Pending(r.taking, after, r.options.Page)
		if err != nil {
			return err
		}
		for _, s := range streams {
			if !r.offerSwept(s) {
				return nil
			}
			after = s
		}
		if len(streams) < r.options.Page {
			return nil
		}
	}
}

// offerSwept waits for room for the stream. It is false when there was none for
// long, and the sweep had better begin anew, or the relay is stopped.
func (r *Relay) offerSwept(stream string) bool {
	if r.queue.sweep(stream) {
		return true
	}
	patience := time.NewTimer(r.options.Sweep)
	defer patience.Stop()
	for {
		select {
		case <-r.queue.room:
			if r.queue.sweep(stream) {
				return true
			}
		case <-patience.C:
			return false
		case <-r.taking.Done():
			return false
		}
	}
}

type counters struct {
	woken, dropped, signals, events, failures, busy, rejected atomic.Int64
}

// Stats is what a Relay has done since it was made, and what it has in mind.
type Stats struct {
	Woken    int64 // calls of Wake, per stream
	Dropped  int64 // of these, left to the sweep for want of room
	Signals  int64 // accepted
	Events   int64 // in accepted signals
	Failures int64 // dispatches that failed and are repeated
	Busy     int64 // dispatches that met another process
	Rejected int64 // events that became dead letters

	Streams int           // in mind: in flight, ready or waiting
	Flying  int           // of these, in flight
	Oldest  time.Duration // how long the oldest of them has been waiting
	Open    bool          // nothing but probes is signalled, as nothing got through
}

// Stats returns the counts of this process. What waits in the inbox as a whole is
// for the inbox to tell.
func (r *Relay) Stats() Stats {
	s := Stats{
		Woken: r.count.woken.Load(), Dropped: r.count.dropped.Load(), Signals: r.count.signals.Load(), Events: r.count.events.Load(),
		Failures: r.count.failures.Load(), Busy: r.count.busy.Load(), Rejected: r.count.rejected.Load(),
	}
	r.queue.describe(&s)
	return s
}

func (q *queue) describe(s *Stats) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Streams, s.Open = len(q.streams), q.breaker.open
	oldest := time.Now()
	for _, e := range q.streams {
		if e.running {
			s.Flying++
		}
		if e.since.Before(oldest) {
			oldest = e.since
		}
	}
	s.Oldest = time.Since(oldest)
}
