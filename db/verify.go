package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/message"
)

// Accepted selects stored events: those of a time, or all of some streams.
type Accepted struct {
	From, To time.Time
	Streams  []string // keys; From and To do not count where there are some
}

// Proven counts the events whose effect these tables prove.
type Proven struct {
	Published int64 // consumer → cloud, the ledger has the outcome
	Delivered int64 // agent → consumer, the ledger has the outcome
	Applied   int64 // nothing follows from them but a change of state, and that is written back
}

// Evidence is what these tables know of an event that they do not prove.
type Evidence struct {
	Stream     message.Stream
	Address    message.Address // where its conversation lives; empty while that is not known
	Sequence   int64
	At         time.Time // when it was stored
	Source     string
	EventID    string
	Starts     bool
	Dispatched bool   // handed to its conversation
	Settled    bool   // taken by a run that has ended
	Again      bool   // done, but sent again without a confirmation
	Body       []byte // as it was stored
}

// slice is how much time one statement looks at, so that none is long.
const slice = 15 * time.Minute

// examine joins events with the outcomes of the commands they cause, whose ID is
// message.NewID of the configured name and the event's own ID. A consumer's text of
// more than 8,000 characters is published in parts, and so is one with files: what
// may be one is not counted as proven here.
const examine = `
WITH e AS MATERIALIZED (
    SELECT i.stream, i.seq, i.source, i.event_id, i.starts, i.stored_at,
        s.account, s.conversation, s.channel, s.consumer,
        i.seq <= s.dispatched_seq AS dispatched, i.seq <= s.settled_seq AS settled,
        coalesce(l.state = 'done' AND l.note = 'again', false) AS again,
        CASE
            WHEN l.state = 'done' AND l.note <> 'again' AND s.account <> '' THEN 'delivered'
            WHEN l.state = 'done' AND l.note <> 'again' AND octet_length(i.body) <= 8000
                AND position(convert_to('"attachments":[', 'UTF8') IN i.body) = 0 THEN 'published'
            WHEN NOT i.starts AND (i.seq <= s.settled_seq OR i.seq > s.urgent_seq) THEN 'applied'
            ELSE ''
        END AS verdict, i.ctid AS place
    FROM inbox i
    JOIN streams s ON s.stream = i.stream
    LEFT JOIN ledger l ON l.command = CASE WHEN i.starts THEN encode(substr(sha256(
        convert_to(split_part(i.source, '/', 2), 'UTF8') || '\x00'::bytea || convert_to(i.event_id, 'UTF8') || '\x00'::bytea), 1, 16), 'hex') END
    WHERE `

const examined = `
)
SELECT verdict, count(*), '', 0, '', '', false, now(), '', '', '', '', false, false, false, NULL::bytea
FROM e WHERE verdict <> '' GROUP BY verdict
UNION ALL
SELECT '', 1, stream, seq, source, event_id, starts, stored_at, account, conversation, channel, consumer, dispatched, settled, again,
    (SELECT i.body FROM inbox i WHERE i.stream = e.stream AND i.seq = e.seq)
FROM e WHERE verdict = ''`

const (
	examineTime    = examine + `i.stored_at >= @from AND i.stored_at < @to` + examined
	examineStreams = examine + `i.stream = ANY(@streams::text[])` + examined
)

// Examine goes through accepted events, counts those that are proven, and gives the
// others to open. It reads only.
func (s *Store) Examine(ctx context.Context, a Accepted, open func(Evidence) error) (Proven, error) {
	var p Proven
	if len(a.Streams) > 0 {
		return p, s.examine(ctx, &p, open, examineStreams, pgx.StrictNamedArgs{"streams": a.Streams})
	}
	for from := a.From; from.Before(a.To); from = from.Add(slice) {
		to := from.Add(slice)
		if to.After(a.To) {
			to = a.To
		}
		if err := s.examine(ctx, &p, open, examineTime, pgx.StrictNamedArgs{"from": from, "to": to}); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (s *Store) examine(ctx context.Context, p *Proven, open func(Evidence) error, sql string, args pgx.StrictNamedArgs) error {
	rows, err := s.pool.Query(ctx, sql, args)
	if err != nil {
		return fmt.Errorf("examine: %w", redacted(err))
	}
	defer rows.Close()
	for rows.Next() {
		var e Evidence
		var verdict, stream string
		var n int64
		if err := rows.Scan(&verdict, &n, &stream, &e.Sequence, &e.Source, &e.EventID, &e.Starts, &e.At, &e.Stream.Account, &e.Stream.Conversation,
			&e.Address.Channel, &e.Address.Consumer, &e.Dispatched, &e.Settled, &e.Again, &e.Body); err != nil {
			return fmt.Errorf("examine: %w", redacted(err))
		}
		switch verdict {
		case "published":
			p.Published += n
		case "delivered":
			p.Delivered += n
		case "applied":
			p.Applied += n
		default:
			e.readable()
			if err := open(e); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("examine: %w", redacted(err))
	}
	return nil
}

func (e *Evidence) readable() {
	e.Stream.Account, e.Stream.Conversation = fromText(e.Stream.Account), fromText(e.Stream.Conversation)
	e.Address = message.Address{Channel: fromText(e.Address.Channel), Consumer: fromText(e.Address.Consumer)}
	if !e.Stream.Cloud() {
		e.Stream.Address = e.Address
	}
}

// Fate is what is on record of a message.
type Fate string

// The fates, the strongest first.
const (
	FateDone     Fate = "done"     // the ledger has its outcome
	FateAgain    Fate = "again"    // so it has, but it was sent again without a confirmation
	FateAnswered Fate = "answered" // it was an answer to the survey
	FateSkipped  Fate = "skip"     // a person dropped it
	FateDead     Fate = "dead"     // it is a dead letter
	FateRedriven Fate = "redriven" // it was one, and was put back into the inbox under its ID
	FateIntended Fate = "intended" // it was about to be sent; no outcome is on record
)

// fates says Fate per message; of several the strongest.
const fates = `
SELECT DISTINCT ON (id) id, fate FROM (
    SELECT command AS id, CASE note WHEN 'again' THEN 'again' ELSE 'done' END AS fate, 1 AS rank
    FROM ledger WHERE command = ANY(@ids::text[]) AND state = 'done'
    UNION ALL
    SELECT command, what, 2 FROM journal WHERE command = ANY(@ids::text[]) AND what IN ('answered', 'skip')
    UNION ALL
    SELECT id, CASE settled_by WHEN '' THEN 'dead' WHEN 'skipped' THEN 'skip' WHEN 'sent' THEN 'done' ELSE settled_by END, 3
    FROM dead_letters WHERE id = ANY(@ids::text[])
    UNION ALL
    SELECT command, 'intended', 4 FROM ledger WHERE command = ANY(@ids::text[]) AND state = 'intended'
) f ORDER BY id, rank`

// Fates returns what is on record of messages, those left out of which nothing is.
func (s *Store) Fates(ctx context.Context, ids []message.ID) (map[message.ID]Fate, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = toKey(string(id))
	}
	rows, err := s.pool.Query(ctx, fates, pgx.StrictNamedArgs{"ids": keys})
	if err != nil {
		return nil, fmt.Errorf("look up messages: %w", redacted(err))
	}
	out := map[message.ID]Fate{}
	var id, fate string
	if _, err := pgx.ForEachRow(rows, []any{&id, &fate}, func() error { out[message.ID(id)] = Fate(fate); return nil }); err != nil {
		return nil, fmt.Errorf("look up messages: %w", redacted(err))
	}
	return out, nil
}

const streamsOf = `
SELECT stream FROM streams
WHERE address = @address OR stream = @address
    OR @conversation <> '' AND (conversation = @conversation
        OR address IN (SELECT address FROM streams WHERE conversation = @conversation AND address <> ''))`

// StreamsOf returns the keys of all streams of one consumer: found by an address,
// or by a cloud conversation; the other is empty.
func (s *Store) StreamsOf(ctx context.Context, addr message.Address, conversation string) ([]string, error) {
	key := addressKey(addr)
	if key == "" {
		key = "-" // no stream has this name: '' is the address of all that are not bound
	}
	keys, err := s.strings(ctx, streamsOf, pgx.StrictNamedArgs{"address": key, "conversation": toText(conversation)})
	if err != nil {
		return nil, fmt.Errorf("look up streams: %w", err)
	}
	return keys, nil
}
