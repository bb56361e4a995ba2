package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"parley/message"
)

// Dead is a dead letter as it is kept.
type Dead struct {
	message.DeadLetter
	BuriedAt  time.Time
	SettledBy string // "sent", "skipped", "redriven"; empty while somebody may still want to do something
	Redriven  int    // how often it was put back
}

// DeadRange selects dead letters. The zero value is all that nobody has settled.
type DeadRange struct {
	From, To time.Time // when they were buried; zero is open
	Settled  bool      // also those
	After    Dead      // the last of the page before
	Limit    int
}

const deadColumns = `id, source, channel, consumer, account, dialog, reason, code, body, attempts, buried_at, settled_by, redriven`

const deadLetters = `
SELECT ` + deadColumns + ` FROM dead_letters
WHERE buried_at >= @from AND buried_at < @to AND (@settled OR settled_at IS NULL
        AND NOT EXISTS (SELECT FROM ledger l WHERE l.command = dead_letters.id AND l.state = 'done')
        AND NOT EXISTS (SELECT FROM journal j WHERE j.command = dead_letters.id AND j.what IN ('answered', 'skip')))
    AND (buried_at, id) > (@after_at, @after_id)
ORDER BY buried_at, id LIMIT @limit`

// DeadLetters returns a page of dead letters, the oldest first.
func (s *Store) DeadLetters(ctx context.Context, r DeadRange) ([]Dead, error) {
	to := pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true} // our clock may be behind the database's
	if !r.To.IsZero() {
		to = pgtype.Timestamptz{Time: r.To, Valid: true}
	}
	rows, err := s.pool.Query(ctx, deadLetters, pgx.StrictNamedArgs{
		"from": toTime(r.From), "to": to, "settled": r.Settled, "after_at": toTime(r.After.BuriedAt), "after_id": toKey(string(r.After.ID)), "limit": r.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", redacted(err))
	}
	found, err := pgx.CollectRows(rows, scanDead)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", redacted(err))
	}
	return found, nil
}

const deadLetter = `SELECT ` + deadColumns + ` FROM dead_letters WHERE id = @id`

// DeadLetter returns one dead letter.
func (s *Store) DeadLetter(ctx context.Context, id message.ID) (d Dead, found bool, err error) {
	rows, err := s.pool.Query(ctx, deadLetter, pgx.StrictNamedArgs{"id": toKey(string(id))})
	if err != nil {
		return Dead{}, false, fmt.Errorf("look up dead letter: %w", redacted(err))
	}
	all, err := pgx.CollectRows(rows, scanDead)
	if err != nil || len(all) == 0 {
		return Dead{}, false, redacted(err)
	}
	return all[0], true, nil
}

func scanDead(row pgx.CollectableRow) (d Dead, err error) {
	err = row.Scan(&d.ID, &d.Source, &d.Address.Channel, &d.Address.Consumer, &d.Account, &d.Dialog, &d.Reason, &d.Code, &d.Body,
		&d.Attempts, &d.BuriedAt, &d.SettledBy, &d.Redriven)
	d.Source, d.Account, d.Dialog, d.Reason, d.Code = fromText(d.Source), fromText(d.Account), fromText(d.Dialog), fromText(d.Reason), fromText(d.Code)
	d.Address = message.Address{Channel: fromText(d.Address.Channel), Consumer: fromText(d.Address.Consumer)}
	return d, err
}

const redriven = `
UPDATE dead_letters SET settled_at = now(), settled_by = 'redriven', redriven = redriven + 1
WHERE id = @id AND redriven = @times`

// Redriven notes that a dead letter was put back into the inbox, after so many
// times before. It is one again should it be buried once more.
func (s *Store) Redriven(ctx context.Context, id message.ID, times int) error {
	if _, err := s.pool.Exec(ctx, redriven, pgx.StrictNamedArgs{"id": toKey(string(id)), "times": times}); err != nil {
		return fmt.Errorf("note redrive: %w", redacted(err))
	}
	return nil
}

const resume = `
INSERT INTO ledger AS l (command, state, parts) VALUES (@command, 'failed', @parts)
ON CONFLICT (command) DO UPDATE SET parts = greatest(l.parts, excluded.parts)
WHERE l.state <> 'done'`

// Resume remembers that so many parts of a command got through before it became a
// dead letter. Whether the next one did stays as uncertain as it is.
func (s *Store) Resume(ctx context.Context, command message.ID, parts int) error {
	if _, err := s.pool.Exec(ctx, resume, pgx.StrictNamedArgs{"command": toKey(string(command)), "parts": parts}); err != nil {
		return fmt.Errorf("note parts: %w", redacted(err))
	}
	return nil
}
