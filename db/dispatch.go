package db

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"parley/message"
)

// The most that one dispatch carries, when its caller does not ask for less.
const (
	MaxEvents = 50
	MaxBytes  = 256 << 10
)

// Dispatch hands what waits in one stream, oldest first, to hand and marks it as
// dispatched once hand has returned nil. When hand fails, its error is returned
// and nothing changes; when this process dies in between, the same events are
// handed over again. At any time at most one Dispatch, in all processes, is at
// work on a stream: the others get Busy.
//
// hand must answer within 30 s: a process that stands still that long loses the
// stream to others. At most max events and maxBytes of bodies are handed over, but at least one
// event; 0 stands for MaxEvents and MaxBytes. Events that are not urgent go along
// with those that are.
func (s *Store) Dispatch(ctx context.Context, key string, max, maxBytes int, hand func(context.Context, message.Dispatch) error) (message.DispatchState, error) {
	state := message.Busy
	var refused error
	err := s.exclusively(ctx, key, max, maxBytes, func(c *pgxpool.Conn, w waiting) (err error) {
		if state = w.state(); state != message.More {
			return nil
		}
		if refused = hand(ctx, w.dispatch); refused != nil {
			return refused
		}
		state, err = markDispatched(ctx, c, key, w.last())
		return err
	})
	switch {
	case refused != nil:
		return state, refused
	case err != nil:
		return state, fmt.Errorf("dispatch: %w", redacted(err))
	}
	return state, nil
}

// Discard moves the oldest waiting events of a stream, up to and with the number
// last, to the dead letters: they can never be handed over. It returns Busy and
// changes nothing while a Dispatch of the stream is under way.
func (s *Store) Discard(ctx context.Context, key string, last int64, reason, code string) (message.DispatchState, error) {
	state := message.Busy
	err := s.exclusively(ctx, key, 0, 0, func(c *pgxpool.Conn, w waiting) (err error) {
		if state = w.state(); state != message.More {
			return nil
		}
		w.dispatch.Events = upTo(w.dispatch.Events, last)
		if len(w.dispatch.Events) == 0 {
			return nil
		}
		b := &pgx.Batch{}
		queueDead(b, w.dead(reason, code))
		if err := c.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		state, err = markDispatched(ctx, c, key, w.last())
		return err
	})
	if err != nil {
		return state, fmt.Errorf("discard: %w", redacted(err))
	}
	return state, nil
}

func upTo(events []message.Stored, last int64) []message.Stored {
	n := 0
	for n < len(events) && events[n].Sequence <= last {
		n++
	}
	return events[:n]
}

// exclusively calls f with what waits in a stream, inside a transaction that holds
// the stream's lock; f may commit it. When another has the lock, f is not called.
func (s *Store) exclusively(ctx context.Context, key string, max, maxBytes int, f func(*pgxpool.Conn, waiting) error) error {
	c, err := s.dispatch.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // a connection still in a transaction is closed, which rolls back
	locked, w, err := s.lockAndRead(ctx, c, key, max, maxBytes)
	if err == nil && locked {
		err = f(c, w)
	}
	if c.Conn().PgConn().TxStatus() != 'I' {
		rollback(ctx, c)
	}
	return err
}

// lockAndRead takes the stream's lock, if nobody has it, and reads what waits.
// These are separate statements of one round trip: the read must not use a
// snapshot from before the lock, in which the last holder's mark is missing.
func (s *Store) lockAndRead(ctx context.Context, c *pgxpool.Conn, key string, max, maxBytes int) (locked bool, w waiting, err error) {
	if max <= 0 {
		max = MaxEvents
	}
	if maxBytes <= 0 {
		maxBytes = MaxBytes
	}
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	b.Queue(`SELECT pg_try_advisory_xact_lock($1)`, s.lockID(key)).QueryRow(func(row pgx.Row) error {
		return row.Scan(&locked)
	})
	b.Queue(readStream, pgx.StrictNamedArgs{"stream": key}).QueryRow(w.scanStream)
	b.Queue(readEvents, pgx.StrictNamedArgs{"stream": key, "max": max, "bytes": maxBytes}).Query(w.scanEvents)
	err = c.SendBatch(ctx, b).Close()
	return locked, w, err
}

// rollback frees the connection at once even when ctx has ended.
func rollback(ctx context.Context, c *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	// Should it fail, Release closes the connection, which has the same effect.
	_, _ = c.Exec(ctx, `ROLLBACK`)
}

// lockID names a stream's advisory lock. Two streams that share a number by chance
// only wait for each other.
func (s *Store) lockID(key string) int64 {
	h := fnv.New64a()
	h.Write([]byte(s.schema))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return int64(h.Sum64())
}

const readStream = `
SELECT s.account, s.conversation, s.channel, s.consumer, s.pending, coalesce(a.opted_out, false), coalesce(a.reply, '')
FROM streams s LEFT JOIN streams a ON a.stream = s.address AND s.address <> ''
WHERE s.stream = @stream`

const readEvents = `
SELECT seq, stored_at, source, event_id, starts, body
FROM (
    SELECT i.*, row_number() OVER (ORDER BY i.seq) AS n, sum(octet_length(i.body)) OVER (ORDER BY i.seq) AS bytes
    FROM (
        SELECT x.* FROM inbox x
        WHERE x.stream = @stream AND x.seq > (SELECT dispatched_seq FROM streams WHERE stream = @stream)
        ORDER BY x.seq LIMIT @max
    ) i
) w
WHERE n = 1 OR bytes <= @bytes
ORDER BY seq`

const storedEvents = `
SELECT seq, stored_at, body
FROM (
    SELECT i.*, row_number() OVER (ORDER BY i.seq) AS n, sum(octet_length(i.body)) OVER (ORDER BY i.seq) AS bytes
    FROM (
        SELECT x.* FROM inbox x
        WHERE x.stream = @stream AND x.seq > @after AND x.seq <= @last
        ORDER BY x.seq LIMIT @max
    ) i
) w
WHERE n = 1 OR bytes <= @bytes
ORDER BY seq`

// Stored returns the events of a stream behind the number after, up to and with the
// number last: at most as many as one dispatch carries.
func (s *Store) Stored(ctx context.Context, stream message.Stream, after, last int64) ([]message.Stored, error) {
	rows, err := s.pool.Query(ctx, storedEvents, pgx.StrictNamedArgs{
		"stream": streamKey(stream), "after": after, "last": last, "max": MaxEvents, "bytes": MaxBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("read stored events: %w", redacted(err))
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e message.Stored, err error) {
		var body []byte
		err = row.Scan(&e.Sequence, &e.At, &body)
		e.Body = body
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read stored events: %w", redacted(err))
	}
	return events, nil
}

// waiting is what a stream has for its conversation.
type waiting struct {
	dispatch message.Dispatch
	pending  bool
	names    []eventKey // of dispatch.Events
}

func (w *waiting) scanStream(row pgx.Row) error {
	d := &w.dispatch
	var a message.Address
	err := row.Scan(&d.Stream.Account, &d.Stream.Conversation, &a.Channel, &a.Consumer, &w.pending, &d.OptedOut, &d.Reply)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // nothing pends in a stream that does not exist
	}
	d.Reply = fromText(d.Reply)
	d.Address = message.Address{Channel: fromText(a.Channel), Consumer: fromText(a.Consumer)}
	d.Stream.Account, d.Stream.Conversation = fromText(d.Stream.Account), fromText(d.Stream.Conversation)
	if !d.Stream.Cloud() {
		d.Stream.Address = d.Address
	}
	return err
}

func (w *waiting) scanEvents(rows pgx.Rows) error {
	for rows.Next() {
		var e message.Stored
		var name eventKey
		var starts bool
		var body []byte
		if err := rows.Scan(&e.Sequence, &e.At, &name.source, &name.id, &starts, &body); err != nil {
			return err
		}
		e.Body = body
		w.dispatch.Events, w.names = append(w.dispatch.Events, e), append(w.names, name)
		w.dispatch.Starts = w.dispatch.Starts || starts
	}
	return rows.Err()
}

// state is More when there is something to hand over, and why not otherwise.
func (w *waiting) state() message.DispatchState {
	switch {
	case !w.pending || len(w.dispatch.Events) == 0:
		return message.Drained
	case w.dispatch.Address == (message.Address{}):
		return message.Unbound
	}
	return message.More
}

func (w *waiting) last() int64 { return w.dispatch.Events[len(w.dispatch.Events)-1].Sequence }

// dead makes dead letters of the events.
func (w *waiting) dead(reason, code string) []message.DeadLetter {
	dead := make([]message.DeadLetter, len(w.dispatch.Events))
	for i, e := range w.dispatch.Events {
		dead[i] = message.DeadLetter{
			ID: message.NewID(w.names[i].source, w.names[i].id), Source: w.names[i].source,
			Address: w.dispatch.Address, Account: w.dispatch.Stream.Account,
			Reason: reason, Code: code, Body: e.Body,
		}
	}
	return dead
}

const mark = `
UPDATE streams AS s SET
    dispatched_seq = greatest(dispatched_seq, @last),
    waiting_since = CASE WHEN @last < urgent_seq
        THEN coalesce((SELECT i.stored_at FROM inbox i WHERE i.stream = s.stream AND i.seq = @last::bigint + 1), waiting_since)
        ELSE waiting_since END
WHERE stream = @stream
RETURNING pending`

// markDispatched marks the events up to last and commits.
func markDispatched(ctx context.Context, c *pgxpool.Conn, key string, last int64) (message.DispatchState, error) {
	var more bool
	b := &pgx.Batch{}
	b.Queue(mark, pgx.StrictNamedArgs{"stream": key, "last": last}).QueryRow(func(row pgx.Row) error { return row.Scan(&more) })
	b.Queue(`COMMIT`)
	if err := c.SendBatch(ctx, b).Close(); err != nil || more {
		return message.More, err
	}
	return message.Drained, nil
}

const pendingStreams = `
SELECT stream FROM streams
WHERE pending AND address <> '' AND stream > @after
ORDER BY stream LIMIT @limit`

// Pending returns streams that want to be dispatched and can be, in the order of
// their keys, beginning after the given one.
func (s *Store) Pending(ctx context.Context, after string, limit int) ([]string, error) {
	keys, err := s.strings(ctx, pendingStreams, pgx.StrictNamedArgs{"after": after, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("list pending streams: %w", err)
	}
	return keys, nil
}

const unboundStreams = `
SELECT account, conversation, waiting_since, last_seq - dispatched_seq AS waiting
FROM streams WHERE pending AND address = ''
ORDER BY waiting_since, stream LIMIT @limit`

// Orphan is a cloud conversation with events for a consumer nobody knows.
type Orphan struct {
	Account      string
	Conversation string
	WaitingSince time.Time
	Waiting      int64 // events
}

// Unbound returns the streams that have waited longest for being bound to an address.
func (s *Store) Unbound(ctx context.Context, limit int) ([]Orphan, error) {
	rows, err := s.pool.Query(ctx, unboundStreams, pgx.StrictNamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("list unbound streams: %w", redacted(err))
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Orphan])
	if err != nil {
		return nil, fmt.Errorf("list unbound streams: %w", redacted(err))
	}
	for i := range found {
		found[i].Account, found[i].Conversation = fromText(found[i].Account), fromText(found[i].Conversation)
	}
	return found, nil
}

const oldestPending = `
SELECT count(*), coalesce(extract(epoch FROM now() - min(waiting_since)), 0)::float8
FROM streams WHERE pending AND address <> ''`

// Backlog returns how many streams want to be dispatched and how long the oldest
// of them has been waiting.
func (s *Store) Backlog(ctx context.Context) (streams int, oldest time.Duration, err error) {
	var seconds float64
	if err := s.pool.QueryRow(ctx, oldestPending).Scan(&streams, &seconds); err != nil {
		return 0, 0, fmt.Errorf("measure backlog: %w", redacted(err))
	}
	return streams, time.Duration(seconds * float64(time.Second)), nil
}

func (s *Store) strings(ctx context.Context, sql string, args pgx.StrictNamedArgs) ([]string, error) {
	rows, err := s.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, redacted(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, redacted(err)
	}
	return found, nil
}
