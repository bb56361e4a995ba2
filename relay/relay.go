// Package relay carries stored events from the inbox to their conversations: per
// stream, in order, everything that waits in one signal, one signal at a time.
//
// It is woken by whoever stored something, by a conversation being bound to its
// address, and by a sweep that finds what all of these missed. It knows neither
// Postgres nor Temporal: it is handed an inbox and a way to signal. It looks into
// no event.
package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley/fault"
	"parley/message"
)

// Inbox is where events wait; *db.Store is one.
type Inbox interface {
	// Dispatch gives hand what waits in a stream and marks it once hand returned nil.
	Dispatch(ctx context.Context, stream string, max, maxBytes int, hand func(context.Context, message.Dispatch) error) (message.DispatchState, error)
	// Discard makes dead letters of the events up to the number last.
	Discard(ctx context.Context, stream string, last int64, reason, code string) (message.DispatchState, error)
	// Pending lists streams that have something to dispatch, in order, beginning behind after.
	Pending(ctx context.Context, after string, limit int) ([]string, error)
	// Listen reports streams that any process has made ready, until ctx ends.
	Listen(ctx context.Context, bound func(stream string)) error
}

// Conversations is where events go. Signal returns nil once they are kept there.
// A fault of class Rejected says that these events can never be signalled; after
// any other error they are signalled again.
type Conversations interface {
	Signal(context.Context, message.Dispatch) error
}

// Options tune a Relay; zero values stand for the defaults.
type Options struct {
	Dispatchers  int           // streams in flight at the same time; default 32
	Sweep        time.Duration // how often the inbox is asked for what was missed; default 1 s
	SignalWithin time.Duration // how long one signal may take; default 5 s
	Remember     int           // most streams kept in mind; more are left to the sweep; default 10,000
	Page         int           // streams asked for at a time by the sweep; default 500
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		n *int
		v int
	}{{&o.Dispatchers, 32}, {&o.Remember, 10_000}, {&o.Page, 500}} {
		if *d.n <= 0 {
			*d.n = d.v
		}
	}
	if o.Sweep <= 0 {
		o.Sweep = time.Second
	}
	if o.SignalWithin <= 0 {
		o.SignalWithin = 5 * time.Second
	}
	return o
}

// Relay moves events until it is stopped. Its methods may be called from many
// goroutines.
type Relay struct {
	inbox         Inbox
	conversations Conversations
	options       Options
	log           *slog.Logger
	queue         *queue
	count         counters

	ctx     context.Context // of what is in flight
	abort   context.CancelFunc
	taking  context.Context // of sweep and listener
	leave   context.CancelFunc
	running sync.WaitGroup
}

// New returns a Relay that does nothing until Start. Wake may be called before.
func New(inbox Inbox, conversations Conversations, o Options, log *slog.Logger) *Relay {
	o = o.withDefaults()
	r := &Relay{inbox: inbox, conversations: conversations, options: o, log: log, queue: newQueue(o.Remember)}
	r.ctx, r.abort = context.WithCancel(context.Background())
	r.taking, r.leave = context.WithCancel(r.ctx)
	return r
}

// Start begins to dispatch, with what an earlier process left in the inbox.
func (r *Relay) Start() {
	for range r.options.Dispatchers {
		r.running.Go(r.work)
	}
	r.running.Go(r.sweepUntilStopped)
	r.running.Go(r.listen)
}

// Stop takes nothing new and returns when what is in flight is done. When ctx ends
// before that, what is in flight is broken off, which loses nothing, and the error
// of ctx is returned.
func (r *Relay) Stop(ctx context.Context) error {
	r.leave()
	r.queue.stop()
	done := make(chan struct{})
	go func() {
		r.running.Wait()
		close(done)
	}()
	defer r.abort()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		r.abort()
		<-done
		return ctx.Err()
	}
}

// Wake says that streams have news. It never blocks; when too many streams are in
// mind already, the sweep will find these.
func (r *Relay) Wake(streams ...string) {
	for _, s := range streams {
		r.count.woken.Add(1)
		if !r.queue.wake(s) {
			r.count.dropped.Add(1)
		}
	}
}

func (r *Relay) listen() {
	err := r.inbox.Listen(r.taking, func(stream string) { r.Wake(stream) })
	if err != nil && r.taking.Err() == nil {
		r.log.Error("relay stopped listening; the sweep finds bound conversations instead", "err", err)
	}
}

func (r *Relay) work() {
	for {
		e, ok := r.queue.next()
		if !ok {
			return
		}
		r.settle(e, r.dispatch(e))
	}
}

// result is how one dispatch of a stream ended.
type result struct {
	state  message.DispatchState
	err    error            // nil, or why nothing was marked
	handed message.Dispatch // what was given to Signal, if it came to that
	asked  bool             // it came to that
}

// dispatch gives what waits in a stream to its conversation.
func (r *Relay) dispatch(e *entry) result {
	var res result
	most := 0 // the inbox's own bound
	if e.single > 0 {
		most = 1
	}
	res.state, res.err = r.inbox.Dispatch(r.ctx, e.stream, most, 0, func(ctx context.Context, d message.Dispatch) error {
		ctx, cancel := context.WithTimeout(ctx, r.options.SignalWithin)
		defer cancel()
		res.handed, res.asked = d, true
		return r.conversations.Signal(ctx, d)
	})
	if res.asked && res.err == nil {
		r.count.signals.Add(1)
		r.count.events.Add(int64(len(res.handed.Events)))
	}
	return res
}

// settle decides when the stream is looked at again.
func (r *Relay) settle(e *entry, res result) {
	switch {
	case res.asked && fault.ClassOf(res.err) == fault.Rejected:
		r.reject(e, res)
	case res.err != nil:
		r.count.failures.Add(1)
		// Denied is a channel that is not configured here: it says nothing of the others.
		if r.queue.failed(e, fault.ClassOf(res.err) != fault.Denied) {
			r.log.Warn("relay waits: conversations cannot be signalled", "class", fault.ClassOf(res.err), "err", res.err)
		}
	case res.state == message.Busy:
		r.count.busy.Add(1)
		r.queue.busy(e)
	default:
		if r.queue.succeeded(e, res.state == message.More, res.asked) {
			r.log.Info("relay goes on: conversations can be signalled again")
		}
	}
}

// reject finds the event that can never be signalled, by sending the events of the
// dispatch one by one, and makes a dead letter of it: nobody else is held up.
func (r *Relay) reject(e *entry, res result) {
	events := res.handed.Events
	if len(events) > 1 {
		r.queue.oneByOne(e, len(events))
		return
	}
	state, err := r.inbox.Discard(r.ctx, e.stream, events[0].Sequence, "cannot be signalled: "+res.err.Error(), fault.CodeOf(res.err))
	switch {
	case err != nil:
		r.count.failures.Add(1)
		r.queue.failed(e, true)
	case state == message.Busy:
		r.queue.busy(e)
	default:
		r.count.rejected.Add(1)
		r.log.Error("event cannot be signalled; kept as a dead letter",
			"channel", res.handed.Address.Channel, "conversation", res.handed.Stream.Conversation, "err", res.err)
		r.queue.succeeded(e, state == message.More, true)
	}
}
