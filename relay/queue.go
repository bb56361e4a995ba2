package relay

import (
	"math/rand/v2"
	"sync"
	"time"
)

// How long a stream waits before it is tried again.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	firstBusy  = 20 * time.Millisecond
	lastBusy   = 160 * time.Millisecond
	mostBusy   = 20 // times in a row; then it is left to the sweep
)

// entry is a stream that has, or may have, something to dispatch. It is running,
// in queue.ready, or waits for its timer.
type entry struct {
	stream   string
	since    time.Time // it is known to have something
	running  bool
	again    bool // woken while running
	probe    bool
	timer    *time.Timer
	failures int // in a row
	busy     int // in a row
	single   int // dispatches still to be made with one event each
}

// queue keeps the streams that want to be dispatched, each once, in the order in
// which they came. A stream is given to one dispatcher at a time.
type queue struct {
	most int

	mu      sync.Mutex
	changed sync.Cond
	streams map[string]*entry
	ready   []*entry
	breaker breaker
	room    chan struct{} // holds one when the queue has become half empty
	healed  chan struct{} // holds one when the breaker has closed
	stopped bool
}

func newQueue(most int) *queue {
	q := &queue{most: most, streams: map[string]*entry{}, room: make(chan struct{}, 1), healed: make(chan struct{}, 1)}
	q.changed.L = &q.mu
	return q
}

// wake adds a stream, or has it looked at once more if it is being dispatched; a
// stream that waits after a failure goes on waiting. It is false when there is no
// room to remember the stream.
func (q *queue) wake(stream string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.streams[stream]; e != nil {
		e.again = e.running
		return true
	}
	return q.add(stream)
}

// sweep adds a stream that the inbox listed, unless it is known: whoever has it
// will see what the inbox saw.
func (q *queue) sweep(stream string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.streams[stream] != nil || q.add(stream)
}

func (q *queue) add(stream string) bool {
	if len(q.streams) >= q.most || q.stopped {
		return false
	}
	e := &entry{stream: stream, since: time.Now()}
	q.streams[stream] = e
	q.push(e)
	return true
}

func (q *queue) push(e *entry) {
	e.timer = nil
	q.ready = append(q.ready, e)
	q.changed.Signal()
}

// next returns the stream that has waited longest, as soon as there is one and the
// breaker lets it pass. It is false once the queue is stopped.
func (q *queue) next() (*entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.stopped && (len(q.ready) == 0 || !q.breaker.lets(time.Now())) {
		q.changed.Wait()
	}
	if q.stopped {
		return nil, false
	}
	e := q.ready[0]
	q.ready[0] = nil
	q.ready = q.ready[1:]
	e.running, e.again = true, false
	e.probe = q.breaker.begin()
	return e, true
}

// succeeded settles a dispatch that went well; asked says that something was
// signalled. It is true when that ended an outage.
func (q *queue) succeeded(e *entry, more, asked bool) (healed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finish(e)
	e.failures, e.busy = 0, 0
	if asked && e.single > 0 {
		e.single--
	}
	if asked {
		healed = q.heal()
	}
	if more || e.again {
		e.since = time.Now()
		q.push(e)
		return healed
	}
	q.forget(e)
	return healed
}

// failed makes the stream wait, longer each time. outage says that others may fail
// for the same reason. It is true when that opened the breaker.
func (q *queue) failed(e *entry, outage bool) (opened bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	probe := e.probe
	q.finish(e)
	e.failures++
	q.later(e, jitter(doubled(firstRetry, lastRetry, e.failures-1)))
	if !outage {
		return false
	}
	if opened = q.breaker.failed(e.stream, probe, time.Now()); q.breaker.open {
		time.AfterFunc(time.Until(q.breaker.until), q.look)
	}
	return opened
}

// look has the dispatchers look again whether they may begin.
func (q *queue) look() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changed.Broadcast()
}

// busy makes the stream wait for another process to be done with it.
func (q *queue) busy(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finish(e)
	e.busy++
	if e.busy > mostBusy {
		q.forget(e)
		return
	}
	q.later(e, jitter(doubled(firstBusy, lastBusy, e.busy-1)))
}

// oneByOne has the next n events of the stream dispatched one at a time. They were
// refused, but by someone who answers.
func (q *queue) oneByOne(e *entry, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finish(e)
	q.heal()
	e.single = n
	q.push(e)
}

func (q *queue) finish(e *entry) {
	e.running = false
	if e.probe {
		e.probe = false
		q.breaker.probing = false
		q.changed.Signal()
	}
}

func (q *queue) forget(e *entry) {
	delete(q.streams, e.stream)
	if len(q.streams) == q.most/2 {
		offer(q.room)
	}
}

func (q *queue) later(e *entry, wait time.Duration) {
	if q.stopped {
		return
	}
	e.timer = time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if e.timer != nil && !q.stopped {
			q.push(e)
		}
	})
}

// heal closes the breaker, as conversations answer, and ends all waits: what failed
// while nothing could be signalled may pass now. It is false if nothing was wrong.
func (q *queue) heal() bool {
	if !q.breaker.closed() {
		return false
	}
	for _, e := range q.streams {
		if e.timer != nil && e.timer.Stop() {
			q.push(e)
		}
	}
	q.changed.Broadcast()
	offer(q.healed)
	return true
}

// ailing says whether the breaker is open.
func (q *queue) ailing() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.breaker.open
}

func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	for _, e := range q.streams {
		if e.timer != nil {
			e.timer.Stop()
		}
	}
	q.changed.Broadcast()
}

func offer(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// doubled returns first, doubled n times, and no more than last.
func doubled(first, last time.Duration, n int) time.Duration {
	for ; n > 0 && first < last; n-- {
		first *= 2
	}
	return min(first, last)
}

// jitter keeps streams that failed together from coming back together.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*d/5+1)
}
