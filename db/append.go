package db

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/message"
)

// Append stores everything that one webhook brought and returns once it is on
// disk, in one commit, which it shares with what arrives at the same time. An
// event already stored changes nothing and is no error. Events get the next
// numbers of their streams, in the order given, without a gap.
//
// It returns the keys of the streams that now want to be dispatched. The error is
// a *fault.Error: Transient when it could not be stored now (too much waiting,
// closing, no database), Rejected should the database refuse the content. When
// ctx ends first, the arrival may be stored all the same: it can be sent again.
func (s *Store) Append(ctx context.Context, a message.Arrival) ([]string, error) {
	if len(a.Events)+len(a.Echoes)+len(a.Participants)+len(a.Dead) == 0 {
		return nil, nil
	}
	if err := s.arrivals.do(ctx, "db: append", a); err != nil {
		return nil, err
	}
	return urgent(a), nil
}

// urgent names the streams that may have news: those of urgent events, and those
// that a participant may have bound to an address.
func urgent(a message.Arrival) []string {
	var keys []string
	for _, e := range a.Events {
		if key := streamKey(e.Stream); e.Urgent && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, p := range a.Participants {
		if key := cloudKey(p.Account, p.Conversation); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func arrivalSize(a message.Arrival) int {
	n := 0
	for _, e := range a.Events {
		n += len(e.Body) + 512
	}
	for _, d := range a.Dead {
		n += len(d.Body) + 512
	}
	return n + 512*(len(a.Echoes)+len(a.Participants))
}

func (s *Store) storeArrivals(ctx context.Context, group []message.Arrival) error {
	b := &pgx.Batch{}
	queueEvents(b, group)
	queueEchoes(b, group)
	queueParticipants(b, group, s.notifyChannel())
	queueRatings(b, group)
	var dead []message.DeadLetter
	for _, a := range group {
		dead = append(dead, a.Dead...)
	}
	queueDead(b, dead)
	return s.atomically(ctx, b)
}

// atomically runs the batch as one transaction in one round trip: queries sent
// before a single sync are one transaction to the server.
func (s *Store) atomically(ctx context.Context, b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return s.writes.SendBatch(ctx, b).Close()
}

// number gives each event that is not stored yet the next number of its stream and
// stores it. The streams' rows are taken in the order of their keys, so two
// processes do not block each other in a circle; the row's lock is held until the
// commit, so numbers become visible in order.
//
// Whether an event is stored already is asked per event, by index: written as NOT
// EXISTS it would be turned into a join with the whole inbox.
//
// An event that another process stores at the same moment ends in a unique
// violation: nothing of the group is kept, and the group is tried again.
const number = `
WITH incoming AS (
    SELECT * FROM unnest(@stream::text[], @channel::text[], @consumer::text[], @account::text[], @conversation::text[],
        @source::text[], @event_id::text[], @urgent::bool[], @starts::bool[], @reply::text[], @body::bytea[])
        WITH ORDINALITY AS t (stream, channel, consumer, account, conversation, source, event_id, urgent, starts, reply, body, n)
), fresh AS (
    SELECT i.*, row_number() OVER (PARTITION BY i.stream ORDER BY i.n) AS k, count(*) OVER (PARTITION BY i.stream) AS added
    FROM incoming i
    WHERE (SELECT x.seq FROM inbox x WHERE x.source = i.source AND x.event_id = i.event_id) IS NULL
), counted AS (
    INSERT INTO streams AS s (stream, channel, consumer, account, conversation, address, last_seq, urgent_seq, reply)
    SELECT stream, min(channel), min(consumer), min(account), min(conversation),
        CASE WHEN min(account) = '' THEN stream ELSE '' END, count(*), coalesce(max(k) FILTER (WHERE urgent), 0),
        coalesce((array_agg(reply ORDER BY k DESC) FILTER (WHERE reply <> ''))[1], '')
    FROM fresh GROUP BY stream ORDER BY stream
    ON CONFLICT (stream) DO UPDATE SET
        last_seq = s.last_seq + excluded.last_seq,
        urgent_seq = CASE WHEN excluded.urgent_seq > 0 THEN s.last_seq + excluded.urgent_seq ELSE s.urgent_seq END,
        waiting_since = CASE WHEN s.pending THEN s.waiting_since ELSE now() END,
        reply = CASE WHEN excluded.reply <> '' THEN excluded.reply ELSE s.reply END
    RETURNING stream, last_seq
)
INSERT INTO inbox (stream, seq, source, event_id, starts, body)
SELECT f.stream, c.last_seq - f.added + f.k, f.source, f.event_id, f.starts, f.body
FROM fresh f JOIN counted c ON c.stream = f.stream
ORDER BY f.stream, f.k`

type eventKey struct{ source, id string }

func queueEvents(b *pgx.Batch, group []message.Arrival) {
	var stream, channel, consumer, account, conversation, source, eventID, reply []string
	var urgent, starts []bool
	var body [][]byte
	seen := map[eventKey]bool{}
	for _, a := range group {
		for _, e := range a.Events {
			key := eventKey{toKey(e.Source), toKey(e.EventID)}
			if seen[key] {
				continue
			}
			seen[key] = true
			stream = append(stream, streamKey(e.Stream))
			channel = append(channel, ownChannel(e.Stream).Channel)
			consumer = append(consumer, ownChannel(e.Stream).Consumer)
			account = append(account, toText(e.Stream.Account))
			conversation = append(conversation, toText(e.Stream.Conversation))
			source, eventID = append(source, key.source), append(eventID, key.id)
			urgent, starts = append(urgent, e.Urgent), append(starts, e.Starts)
			reply = append(reply, toText(e.Reply))
			body = append(body, notNil(e.Body))
		}
	}
	if len(stream) == 0 {
		return
	}
	b.Queue(number, pgx.StrictNamedArgs{
		"stream": stream, "channel": channel, "consumer": consumer, "account": account, "conversation": conversation,
		"source": source, "event_id": eventID, "urgent": urgent, "starts": starts, "reply": reply, "body": body,
	})
}

// ownChannel is the storable address of a channel's stream, and empty for a cloud
// stream, whose address is what it is bound to.
func ownChannel(s message.Stream) message.Address {
	if s.Cloud() {
		return message.Address{}
	}
	return message.Address{Channel: toText(s.Address.Channel), Consumer: toText(s.Address.Consumer)}
}

// notNil keeps an empty body from becoming NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// rememberEchoes keeps an echo by its ID where that is one of ours, else by its
// digest: what a bot attached may look like one of our IDs, and comes back with each
// click on the same answer. What we send is in the ledger before it is sent.
const rememberEchoes = `
INSERT INTO echoes (scope, key, dialog, sequence, digest, at)
SELECT DISTINCT ON (scope, name, dialog, digest, sequence) scope, name, dialog, sequence, digest, at
FROM (
    SELECT *, CASE WHEN key <> '' AND digest <> '' AND NOT EXISTS (SELECT FROM ledger l WHERE l.command = key) THEN '' ELSE key END AS name
    FROM unnest(@scope::text[], @key::text[], @dialog::text[], @sequence::bigint[], @digest::bytea[], @at::timestamptz[])
        AS t (scope, key, dialog, sequence, digest, at)
) e
ORDER BY scope, name, dialog, digest, sequence
ON CONFLICT DO NOTHING`

func queueEchoes(b *pgx.Batch, group []message.Arrival) {
	var scope, key, dialog []string
	var sequence []int64
	var digest [][]byte
	var at []time.Time
	for _, a := range group {
		for _, e := range a.Echoes {
			scope, key, dialog = append(scope, toKey(e.Scope)), append(key, toKey(string(e.Key))), append(dialog, toKey(e.Dialog))
			sequence, digest, at = append(sequence, int64(e.Sequence)), append(digest, toDigest(e.Digest)), append(at, toTime(e.At))
		}
	}
	if len(scope) == 0 {
		return
	}
	b.Queue(rememberEchoes, pgx.StrictNamedArgs{
		"scope": scope, "key": key, "dialog": dialog, "sequence": sequence, "digest": digest, "at": at,
	})
}

// toDigest bounds what goes into an index.
func toDigest(d []byte) []byte {
	if len(d) > 64 {
		sum := sha256.Sum256(d)
		return sum[:]
	}
	return notNil(d)
}

// bindParticipants binds conversations that are not bound yet and whose consumer
// we know. Like bind, it takes the stream's row first: Append and Bind meet there,
// and whoever comes second sees what the first one did.
const bindParticipants = `
WITH news AS (
    SELECT DISTINCT ON (t.stream) t.stream, t.account, t.conversation, c.address, c.channel, c.consumer
    FROM unnest(@stream::text[], @account::text[], @conversation::text[], @lp_id::text[])
        AS t (stream, account, conversation, lp_id)
    CROSS JOIN LATERAL (SELECT * FROM consumers x WHERE x.account = t.account AND x.lp_id = t.lp_id LIMIT 1) c
    WHERE (SELECT b.bound_at FROM bindings b WHERE b.stream = t.stream) IS NULL
    ORDER BY t.stream
), ` + tieAndBind

func queueParticipants(b *pgx.Batch, group []message.Arrival, notify string) {
	var stream, account, conversation, lpID []string
	for _, a := range group {
		for _, p := range a.Participants {
			if p.Account == "" || p.Conversation == "" || p.Consumer == "" {
				continue
			}
			stream = append(stream, cloudKey(p.Account, p.Conversation))
			account, conversation = append(account, toText(p.Account)), append(conversation, toText(p.Conversation))
			lpID = append(lpID, toKey(p.Consumer))
		}
	}
	if len(stream) == 0 {
		return
	}
	b.Queue(bindParticipants, pgx.StrictNamedArgs{
		"stream": stream, "account": account, "conversation": conversation, "lp_id": lpID,
		"notify": notify,
	})
}
