package db

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"parley/fault"
)

// commitWithin bounds one attempt to commit a group; the webhooks that wait for
// it have given up by then.
const commitWithin = 10 * time.Second

// attempts is how often a group is tried when another process got in between.
const attempts = 5

// committer turns many small writes of concurrent callers into few commits. It
// adds no delay: a group is what came while the commits before it were under way.
type committer[T any] struct {
	commit func(ctx context.Context, group []T) error
	size   func(T) int
	group  int
	bytes  int64

	queue   chan *write[T]
	waiting atomic.Int64 // bytes
	commits atomic.Int64 // for tests and benchmarks: how well writes are grouped

	stopping chan struct{}
	stopped  chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

// write is one caller's part of a group.
type write[T any] struct {
	ctx   context.Context
	value T
	size  int64
	done  chan error // holds one: a caller that left does not hold up the group
}

func newCommitter[T any](o Options, size func(T) int, commit func(context.Context, []T) error) *committer[T] {
	c := &committer[T]{
		commit: commit, size: size, group: o.Group, bytes: int64(o.WaitingSize),
		queue:    make(chan *write[T], o.Waiting),
		stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
	for range o.Committers {
		c.running.Go(c.run)
	}
	return c
}

var (
	errFull    = errors.New("too many writes waiting")
	errStopped = errors.New("store is closing")
)

// do returns once value is committed. It is refused at once, as Transient, when
// too much is waiting already or the store is closing. When ctx ends first, value
// may be committed all the same.
func (c *committer[T]) do(ctx context.Context, op string, value T) error {
	w := &write[T]{ctx: ctx, value: value, size: int64(c.size(value)), done: make(chan error, 1)}
	if err := c.enqueue(w); err != nil {
		return &fault.Error{Class: fault.Transient, Op: op, Err: err}
	}
	select {
	case err := <-w.done:
		return judged(op, err)
	case <-ctx.Done():
		return &fault.Error{Class: fault.Transient, Op: op, Err: ctx.Err()}
	case <-c.stopped:
	}
	select {
	case err := <-w.done: // it was in the last group
		return judged(op, err)
	default:
		return &fault.Error{Class: fault.Transient, Op: op, Err: errStopped}
	}
}

func (c *committer[T]) enqueue(w *write[T]) error {
	if c.isStopping() {
		return errStopped
	}
	// A single write larger than the bound is let in when nothing else waits.
	if before := c.waiting.Add(w.size) - w.size; before > 0 && before+w.size > c.bytes {
		c.waiting.Add(-w.size)
		return errFull
	}
	select {
	case c.queue <- w:
		return nil
	default:
		c.waiting.Add(-w.size)
		return errFull
	}
}

// stop lets commits under way finish and refuses the rest.
func (c *committer[T]) stop() {
	c.once.Do(func() { close(c.stopping) })
	c.running.Wait()
	select {
	case <-c.stopped:
	default:
		close(c.stopped)
	}
}

func (c *committer[T]) run() {
	for {
		select {
		case <-c.stopping:
			return
		case w := <-c.queue:
			if c.isStopping() { // both were ready, and one was picked at random
				w.done <- errStopped
				return
			}
			c.settle(c.collect(w))
		}
	}
}

func (c *committer[T]) isStopping() bool {
	select {
	case <-c.stopping:
		return true
	default:
		return false
	}
}

// largestGroup bounds the bytes sent in one statement.
const largestGroup = 4 << 20

// collect takes what waits behind first, without waiting for more.
func (c *committer[T]) collect(first *write[T]) []*write[T] {
	group, size := []*write[T]{first}, first.size
	for len(group) < c.group && size < largestGroup {
		select {
		case w := <-c.queue:
			group, size = append(group, w), size+w.size
		default:
			return group
		}
	}
	return group
}

// settle commits a group; when one write spoils it, each is tried alone, so that
// only that one fails.
func (c *committer[T]) settle(group []*write[T]) {
	live := group[:0]
	for _, w := range group {
		c.waiting.Add(-w.size)
		if w.ctx.Err() != nil {
			w.done <- w.ctx.Err() // nobody waits for it any more: it will be sent again
			continue
		}
		live = append(live, w)
	}
	if len(live) == 0 {
		return
	}
	err := c.try(live)
	if err == nil || len(live) == 1 || !ownFault(err) {
		for _, w := range live {
			w.done <- err
		}
		return
	}
	for _, w := range live {
		w.done <- c.try([]*write[T]{w})
	}
}

func (c *committer[T]) try(group []*write[T]) (err error) {
	values := make([]T, len(group))
	for i, w := range group {
		values[i] = w.value
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	defer cancel()
	for range attempts {
		if err = c.commit(ctx, values); err == nil || !again(err) {
			break
		}
	}
	if err == nil {
		c.commits.Add(1)
	}
	return err
}

// again says whether the same group may pass when tried once more: two processes
// met in a deadlock, or both stored the same event. The writes are made so that
// repeating one that did commit changes nothing; so a connection that broke
// half-way counts too.
func again(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40P01", "40001", "23505", "57P01":
			return true
		}
		return false
	}
	return !pgconn.Timeout(err) && !errors.As(err, new(*pgconn.ConnectError))
}

// ownFault says whether one write of the group may be to blame: the server found
// fault with the data, and not with itself.
func ownFault(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code[:2] {
	case "21", "22", "23", "40", "54":
		return true
	}
	return false
}

// judged gives a failed write its class: Rejected when its own content is to
// blame, otherwise Transient.
func judged(op string, err error) error {
	if err == nil {
		return nil
	}
	class := fault.Transient
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code[:2] == "22" || pg.Code == "54000") {
		class = fault.Rejected
	}
	e := &fault.Error{Class: class, Op: op, Err: redacted(err)}
	if pg != nil {
		e.Code = pg.Code
	}
	return e
}
