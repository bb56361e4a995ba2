package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/message"
)

const know = `
INSERT INTO consumers AS c (account, lp_id, channel, consumer, address)
VALUES (@account, @lp_id, @channel, @consumer, @address)
ON CONFLICT (account, lp_id) DO UPDATE
SET channel = excluded.channel, consumer = excluded.consumer, address = excluded.address
WHERE c.address <> excluded.address`

// Known remembers by which identity the cloud names the consumer at an address.
func (s *Store) Known(ctx context.Context, account, lpID string, addr message.Address) error {
	_, err := s.pool.Exec(ctx, know, pgx.StrictNamedArgs{
		"account": toText(account), "lp_id": toKey(lpID), "address": addressKey(addr),
		"channel": toText(addr.Channel), "consumer": toText(addr.Consumer),
	})
	if err != nil {
		return fmt.Errorf("remember consumer: %w", redacted(err))
	}
	return nil
}

// tieAndBind gives the streams of news, which are cloud conversations, their
// addresses. One that has an address keeps it, and its binding says the same.
const tieAndBind = `tied AS (
    INSERT INTO streams AS s (stream, account, conversation, address, channel, consumer)
    SELECT stream, account, conversation, address, channel, consumer FROM news ORDER BY stream
    ON CONFLICT (stream) DO UPDATE SET
        address = CASE WHEN s.address = '' THEN excluded.address ELSE s.address END,
        channel = CASE WHEN s.address = '' THEN excluded.channel ELSE s.channel END,
        consumer = CASE WHEN s.address = '' THEN excluded.consumer ELSE s.consumer END
    RETURNING stream, account, conversation, address, channel, consumer
), bound AS (
    INSERT INTO bindings (stream, account, conversation, address, channel, consumer)
    SELECT stream, account, conversation, address, channel, consumer FROM tied
    ON CONFLICT (stream) DO NOTHING
    RETURNING stream
)
SELECT pg_notify(@notify, stream) FROM bound`

const bind = `
WITH news AS (
    SELECT @stream::text AS stream, @account::text AS account, @conversation::text AS conversation,
        @address::text AS address, @channel::text AS channel, @consumer::text AS consumer
), ` + tieAndBind

// Bind makes the address known by which a cloud conversation is reached, and wakes
// the relays for what already waits in its stream. first is false, and nothing
// changes, if it was known before.
func (s *Store) Bind(ctx context.Context, account, conversation string, addr message.Address) (first bool, err error) {
	tag, err := s.pool.Exec(ctx, bind, pgx.StrictNamedArgs{
		"stream": cloudKey(account, conversation), "account": toText(account), "conversation": toText(conversation),
		"address": addressKey(addr), "channel": toText(addr.Channel), "consumer": toText(addr.Consumer),
		"notify": s.notifyChannel(),
	})
	if err != nil {
		return false, fmt.Errorf("bind conversation %s: %w", conversation, redacted(err))
	}
	return tag.RowsAffected() == 1, nil
}

const ended = `
UPDATE bindings SET closed_at = greatest(now(), bound_at)
WHERE stream = @stream AND closed_at IS NULL`

// Ended notes that a cloud conversation is closed. Its stream stays bound: what
// still comes for it is dispatched.
func (s *Store) Ended(ctx context.Context, account, conversation string) error {
	if _, err := s.pool.Exec(ctx, ended, pgx.StrictNamedArgs{"stream": cloudKey(account, conversation)}); err != nil {
		return fmt.Errorf("end conversation %s: %w", conversation, redacted(err))
	}
	return nil
}

const openConversation = `
SELECT conversation, bound_at FROM bindings
WHERE account = @account AND address = @address AND closed_at IS NULL
ORDER BY bound_at DESC LIMIT 1`

// OpenConversation returns the newest cloud conversation of an address that has
// not ended.
func (s *Store) OpenConversation(ctx context.Context, account string, addr message.Address) (conversation string, boundAt time.Time, found bool, err error) {
	row := s.pool.QueryRow(ctx, openConversation, pgx.StrictNamedArgs{"account": toText(account), "address": addressKey(addr)})
	found, err = scanned(row, &conversation, &boundAt)
	if err != nil {
		return "", time.Time{}, false, fmt.Errorf("look up open conversation: %w", err)
	}
	return fromText(conversation), boundAt, found, nil
}

const address = `SELECT channel, consumer FROM bindings WHERE stream = @stream`

// Address returns what a cloud conversation is bound to.
func (s *Store) Address(ctx context.Context, account, conversation string) (message.Address, bool, error) {
	var a message.Address
	found, err := scanned(s.pool.QueryRow(ctx, address, pgx.StrictNamedArgs{"stream": cloudKey(account, conversation)}), &a.Channel, &a.Consumer)
	if err != nil {
		return message.Address{}, false, fmt.Errorf("look up address of conversation %s: %w", conversation, err)
	}
	return message.Address{Channel: fromText(a.Channel), Consumer: fromText(a.Consumer)}, found, nil
}

const latestReply = `SELECT reply FROM streams WHERE stream = @stream`

// Reply returns the latest Inbound.Reply of a consumer, empty when there is none.
func (s *Store) Reply(ctx context.Context, addr message.Address) (string, error) {
	var reply string
	if _, err := scanned(s.pool.QueryRow(ctx, latestReply, pgx.StrictNamedArgs{"stream": addressKey(addr)}), &reply); err != nil {
		return "", fmt.Errorf("look up where answers go: %w", err)
	}
	return fromText(reply), nil
}

// scanned scans one row, which may be missing.
func scanned(row pgx.Row, into ...any) (bool, error) {
	err := row.Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, redacted(err)
}

const lockStream = `SELECT pg_advisory_xact_lock(@lock)`

const finishStream = `
UPDATE streams SET dispatched_seq = greatest(dispatched_seq, @applied), settled_seq = greatest(settled_seq, @applied)
WHERE stream = @stream`

const finishAddress = `
INSERT INTO streams AS s (stream, channel, consumer, address, opted_out)
VALUES (@stream, @channel, @consumer, @stream, @opted_out)
ON CONFLICT (stream) DO UPDATE SET opted_out = excluded.opted_out
WHERE s.opted_out <> excluded.opted_out`

// Finish writes back what a run that ends has applied, so that no later run gets
// it again, and whether its consumer has opted out. It waits for dispatches of
// these streams that are under way: what they handed over is either applied by
// this run and marked here, or still theirs to mark.
func (s *Store) Finish(ctx context.Context, addr message.Address, applied []message.Applied, optedOut bool) error {
	last := map[string]int64{}
	for _, a := range applied {
		key := streamKey(a.Stream)
		last[key] = max(last[key], a.Sequence)
	}
	keys := slices.Collect(maps.Keys(last))
	// All who take several locks, or several rows, take them in the same order.
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(s.lockID(a), s.lockID(b)) })
	b := &pgx.Batch{}
	for _, key := range keys {
		b.Queue(lockStream, pgx.StrictNamedArgs{"lock": s.lockID(key)})
	}
	if home := addressKey(addr); !slices.Contains(keys, home) {
		keys = append(keys, home)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if n, ok := last[key]; ok {
			b.Queue(finishStream, pgx.StrictNamedArgs{"stream": key, "applied": n})
		}
		if key == addressKey(addr) {
			b.Queue(finishAddress, pgx.StrictNamedArgs{
				"stream": key, "channel": toText(addr.Channel), "consumer": toText(addr.Consumer), "opted_out": optedOut,
			})
		}
	}
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("finish run: %w", redacted(err))
	}
	return nil
}

const settleStream = `
UPDATE streams SET settled_seq = greatest(settled_seq, @last)
WHERE stream = @stream`

// Settled notes that nothing follows from the events of a stream up to the number
// last any more: they found no conversation, and are not worth starting one.
func (s *Store) Settled(ctx context.Context, stream message.Stream, last int64) error {
	if _, err := s.pool.Exec(ctx, settleStream, pgx.StrictNamedArgs{"stream": streamKey(stream), "last": last}); err != nil {
		return fmt.Errorf("settle: %w", redacted(err))
	}
	return nil
}
