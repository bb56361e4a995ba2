package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/message"
)

const note = `
INSERT INTO journal (at, address, account, conversation, command, what, detail)
SELECT at, address, account, conversation, command, what, detail
FROM unnest(@at::timestamptz[], @address::text[], @account::text[], @conversation::text[], @command::text[], @what::text[], @detail::text[])
    WITH ORDINALITY AS t (at, address, account, conversation, command, what, detail, n)
ORDER BY n`

// Note adds lines to the journal.
func (s *Store) Note(ctx context.Context, notes []message.Note) error {
	if len(notes) == 0 {
		return nil
	}
	at := make([]time.Time, len(notes))
	var address, account, conversation, command, what, detail []string
	for i, n := range notes {
		at[i] = toTime(n.At)
		address = append(address, addressKey(n.Address))
		account, conversation = append(account, toText(n.Account)), append(conversation, toText(n.Conversation))
		command, what, detail = append(command, toText(string(n.Command))), append(what, toText(n.What)), append(detail, toText(n.Detail))
	}
	_, err := s.pool.Exec(ctx, note, pgx.StrictNamedArgs{
		"at": at, "address": address, "account": account, "conversation": conversation, "command": command, "what": what, "detail": detail,
	})
	if err != nil {
		return fmt.Errorf("write journal: %w", redacted(err))
	}
	return nil
}

const buryDead = `
INSERT INTO dead_letters (id, source, channel, consumer, account, dialog, reason, code, body, attempts)
SELECT DISTINCT ON (id) id, source, channel, consumer, account, dialog, reason, code, body, attempts
FROM unnest(@id::text[], @source::text[], @channel::text[], @consumer::text[], @account::text[], @dialog::text[],
    @reason::text[], @code::text[], @body::bytea[], @attempts::int[])
    AS t (id, source, channel, consumer, account, dialog, reason, code, body, attempts)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET settled_at = NULL, settled_by = '', reason = excluded.reason, code = excluded.code, attempts = excluded.attempts
WHERE dead_letters.settled_by = 'redriven'`

// Bury keeps dead letters. One whose ID is known already changes nothing, unless it
// was put back since.
func (s *Store) Bury(ctx context.Context, dead []message.DeadLetter) error {
	b := &pgx.Batch{}
	queueDead(b, dead)
	if b.Len() == 0 {
		return nil
	}
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("bury: %w", redacted(err))
	}
	return nil
}

func queueDead(b *pgx.Batch, dead []message.DeadLetter) {
	if len(dead) == 0 {
		return
	}
	var id, source, channel, consumer, account, dialog, reason, code []string
	var body [][]byte
	var tries []int32
	for _, d := range dead {
		if d.ID == "" { // nothing to recognise it by but its content
			d.ID = message.NewID("dead", d.Source, d.Reason, string(d.Body))
		}
		id, source = append(id, toKey(string(d.ID))), append(source, toText(d.Source))
		channel, consumer = append(channel, toText(d.Address.Channel)), append(consumer, toText(d.Address.Consumer))
		account, dialog = append(account, toText(d.Account)), append(dialog, toText(d.Dialog))
		reason, code = append(reason, toText(d.Reason)), append(code, toText(d.Code))
		body, tries = append(body, notNil(d.Body)), append(tries, int32(d.Attempts))
	}
	b.Queue(buryDead, pgx.StrictNamedArgs{
		"id": id, "source": source, "channel": channel, "consumer": consumer, "account": account, "dialog": dialog,
		"reason": reason, "code": code, "body": body, "attempts": tries,
	})
}

const rate = `
INSERT INTO ratings (account, conversation, channel, consumer, csat, resolved, status, at)
VALUES (@account, @conversation, @channel, @consumer, nullif(@csat::smallint, 0), @resolved, @status, @at)
ON CONFLICT (account, conversation) DO UPDATE
SET csat = excluded.csat, resolved = excluded.resolved, status = excluded.status, at = excluded.at`

// Rate keeps what a consumer answered when the conversation was over; the last
// word on a conversation counts.
func (s *Store) Rate(ctx context.Context, r message.Rating) error {
	_, err := s.pool.Exec(ctx, rate, pgx.StrictNamedArgs{
		"account": toKey(r.Account), "conversation": toKey(r.Conversation),
		"channel": toText(r.Address.Channel), "consumer": toText(r.Address.Consumer),
		"csat": r.CSAT, "resolved": r.Resolved, "status": toText(r.Status), "at": toTime(r.At),
	})
	if err != nil {
		return fmt.Errorf("keep rating: %w", redacted(err))
	}
	return nil
}

// rateKnown keeps ratings that the cloud told of conversations we know.
const rateKnown = `
INSERT INTO ratings (account, conversation, channel, consumer, csat, resolved, status, at)
SELECT t.account, t.conversation, b.channel, b.consumer, CASE WHEN t.csat BETWEEN 1 AND 5 THEN t.csat END, t.resolved, t.status, t.at
FROM unnest(@stream::text[], @account::text[], @conversation::text[], @csat::int[], @resolved::bool[], @status::text[], @at::timestamptz[])
    AS t (stream, account, conversation, csat, resolved, status, at)
CROSS JOIN LATERAL (SELECT * FROM bindings x WHERE x.stream = t.stream LIMIT 1) b
ORDER BY t.account, t.conversation
ON CONFLICT (account, conversation) DO UPDATE
SET csat = coalesce(excluded.csat, ratings.csat), resolved = coalesce(excluded.resolved, ratings.resolved),
    status = CASE WHEN excluded.status = '' THEN ratings.status ELSE excluded.status END, at = excluded.at`

// queueRatings keeps what the cloud's own survey found out. The address follows from
// the conversation; of several words on one conversation in a group the last counts.
func queueRatings(b *pgx.Batch, group []message.Arrival) {
	last := map[string]message.Rating{}
	for _, a := range group {
		for _, r := range a.Ratings {
			last[cloudKey(r.Account, r.Conversation)] = r
		}
	}
	if len(last) == 0 {
		return
	}
	var stream, account, conversation, status []string
	var csat []int32
	var resolved []*bool
	var at []time.Time
	for key, r := range last {
		stream, account, conversation = append(stream, key), append(account, toKey(r.Account)), append(conversation, toKey(r.Conversation))
		csat, resolved, status = append(csat, int32(min(max(r.CSAT, 0), 9))), append(resolved, r.Resolved), append(status, toText(r.Status))
		at = append(at, toTime(r.At))
	}
	b.Queue(rateKnown, pgx.StrictNamedArgs{
		"stream": stream, "account": account, "conversation": conversation, "csat": csat, "resolved": resolved, "status": status, "at": at,
	})
}
