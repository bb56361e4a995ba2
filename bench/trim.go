package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
)

// housekeeping names the schedule that deletes old rows.
const housekeeping = "parley-housekeeping"

// trimming measures acknowledgements at a fixed rate twice over the same rows: while
// nobody touches the old ones, and while housekeeping deletes them as the worker does
// at night. The next repetition does the same, so that the two alternate.
func (b *bench) trimming(ctx context.Context) error {
	if err := b.age(ctx, standing, 0); err != nil {
		return err
	}
	// More than can be deleted meanwhile, so that it goes on to the end.
	old := int(b.lasting.Seconds()*trimmedAtMost) + trimmedAtMost
	if err := b.age(ctx, old, oldAge); err != nil {
		return err
	}
	for _, name := range []string{"after filling", "without trim"} { // the first is not shown: the database comes to rest
		if err := b.acknowledged(ctx, name); err != nil {
			return err
		}
	}
	if err := b.stack.temporal.ScheduleClient().GetHandle(ctx, housekeeping).Trigger(ctx, client.ScheduleTriggerOptions{}); err != nil {
		return err
	}
	before, err := b.below(ctx, old, time.Minute)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.acknowledged(ctx, "with trim"); err != nil {
		return err
	}
	took := time.Since(began)
	left, err := b.old(ctx)
	if err != nil {
		return err
	}
	if left == 0 {
		return errors.New("everything was deleted before the measurement was over")
	}
	b.results.rate("trimmed", before-left, took)
	_, err = b.below(ctx, 1, 10*time.Minute) // the next repetition begins with nothing to delete
	return err
}

// acknowledged measures acknowledgements at the fixed rate.
func (b *bench) acknowledged(ctx context.Context, name string) error {
	n := int(b.lasting.Seconds() * float64(b.rate))
	from := b.serials(n)
	_, acks, err := openLoop(ctx, n, b.rate, func(i int) error { return b.write(from+i, i%b.conversations) })
	if err != nil {
		return err
	}
	b.toCloud += n
	b.results.quantiles("ack "+name, acks)
	_, err = b.stack.far.delivered(ctx, from, from+n)
	return err
}

const (
	standing      = 80_000 // rows a repetition adds that are not old enough
	trimmedAtMost = 3_000  // rows a second; activities.Trim rests after each batch
	oldAge        = 30 * 24 * time.Hour
)

// Rows of the inbox as they are after a while: of conversations that are over, and of
// ones that go on, where the ledger has the outcome.
var aged = []string{
	`CREATE TEMP TABLE g AS SELECT $1 || n AS id, n, CASE n % 2 WHEN 0 THEN 'channel/web/over-' ELSE 'channel/web/on-' END || $1 || n / 40 AS stream
		FROM generate_series(1, $2::int) n`,
	`INSERT INTO streams (stream, channel, consumer, address, last_seq, urgent_seq, dispatched_seq, settled_seq)
		SELECT stream, 'web', split_part(stream, '/', 3), stream, max(n), max(n), max(n), CASE WHEN stream LIKE '%/over-%' THEN max(n) ELSE 0 END FROM g GROUP BY stream`,
	`INSERT INTO inbox (stream, seq, source, event_id, starts, body, stored_at)
		SELECT stream, n, 'channel/web', id, true, convert_to(repeat('x', 350), 'UTF8'), now() - $1::interval - ($2::int - n) * interval '1 ms' FROM g`,
	`INSERT INTO ledger (command, state, since, recorded_at, account, dialog, sequence)
		SELECT encode(substr(sha256(convert_to('web', 'UTF8') || '\x00'::bytea || convert_to(id, 'UTF8') || '\x00'::bytea), 1, 16), 'hex'),
		'done', now() - interval '1 day', now() - interval '1 day', 'main', '', n FROM g`,
	`DROP TABLE g`, `VACUUM (ANALYZE) inbox, streams, ledger`, `CHECKPOINT`,
}

// age stores so many finished rows of that age.
func (b *bench) age(ctx context.Context, rows int, age time.Duration) error {
	args := [][]any{{random(6) + "-", rows}, nil, {fmt.Sprintf("%d seconds", int(age.Seconds())), rows}}
	for i, sql := range aged {
		var with []any
		if i < len(args) {
			with = args[i]
		}
		if _, err := b.stack.database.Exec(ctx, sql, with...); err != nil {
			return fmt.Errorf("storing old rows: %w", err)
		}
	}
	return nil
}

// old counts the old rows that are left.
func (b *bench) old(ctx context.Context) (left int, err error) {
	err = b.stack.database.QueryRow(ctx, `SELECT count(*) FROM inbox WHERE stored_at < now() - interval '20 days'`).Scan(&left)
	return left, err
}

// below waits until fewer old rows are left.
func (b *bench) below(ctx context.Context, than int, within time.Duration) (left int, err error) {
	for until := time.Now().Add(within); ; {
		if left, err = b.old(ctx); err != nil || left < than {
			return left, err
		}
		if time.Now().After(until) {
			return left, fmt.Errorf("%d old rows are left after %s", left, within)
		}
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
