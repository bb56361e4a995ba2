package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// commandID is, in SQL, the ID of the command that an event of row j causes.
const commandID = `encode(substr(sha256(convert_to(split_part(j.source, '/', 2), 'UTF8') || '\x00'::bytea || convert_to(j.event_id, 'UTF8') || '\x00'::bytea), 1, 16), 'hex')`

// trims delete, per table, the oldest rows of before that nobody needs any more. @after
// is where the batch before came to, so that what it deleted is not read again.
//
// An event of the inbox is needed until a conversation has applied it, which may be
// long after it was handed over: a conversation without room leaves events in the
// inbox. It has been applied when the run has ended, or when this event or one soon
// behind it in the stream has reached its effect. One that is not urgent, and after
// which nothing urgent came, is waited for by nobody.
var trims = map[string]string{
	"inbox": `
WITH old AS (
    SELECT i.stream, i.seq FROM inbox i
    WHERE i.stored_at >= @after AND i.stored_at < @before AND (
        EXISTS (SELECT FROM streams s WHERE s.stream = i.stream AND (i.seq <= s.settled_seq OR (NOT i.starts AND i.seq > s.urgent_seq)))
        OR EXISTS (SELECT FROM (SELECT * FROM inbox n WHERE n.stream = i.stream AND n.seq >= i.seq ORDER BY n.seq LIMIT 20) j
            JOIN ledger l ON l.command = ` + commandID + ` WHERE j.starts AND l.state = 'done'))
    ORDER BY i.stored_at LIMIT @limit
), gone AS (
    DELETE FROM inbox i USING old WHERE i.stream = old.stream AND i.seq = old.seq RETURNING i.stored_at
)
SELECT count(*), max(stored_at) FROM gone`,

	"ledger": `
WITH old AS (
    SELECT command FROM ledger
    WHERE since >= @after AND since < @before AND state <> 'intended' AND coalesce(recorded_at, since) < @before
    ORDER BY since LIMIT @limit
), gone AS (
    DELETE FROM ledger l USING old WHERE l.command = old.command AND l.state <> 'intended' RETURNING l.since
)
SELECT count(*), max(since) FROM gone`,

	"echoes": `
WITH old AS (
    SELECT scope, key, dialog, digest, sequence FROM echoes e
    WHERE stored_at >= @after AND stored_at < @before
        AND (key = '' OR NOT EXISTS (SELECT FROM ledger l WHERE l.command = e.key AND l.state = 'intended'))
    ORDER BY stored_at LIMIT @limit
), named AS (
    DELETE FROM echoes e USING old o WHERE e.scope = o.scope AND e.key = o.key AND e.key <> '' AND o.key <> '' RETURNING e.stored_at
), nameless AS (
    DELETE FROM echoes e USING old o
    WHERE e.scope = o.scope AND e.dialog = o.dialog AND e.digest = o.digest AND e.sequence = o.sequence AND e.key = '' AND o.key = ''
    RETURNING e.stored_at
)
SELECT count(*), max(stored_at) FROM (SELECT * FROM named UNION ALL SELECT * FROM nameless) gone`,

	// The journal grows at one end: the oldest lines are those with the smallest numbers.
	"journal": `
WITH gone AS (
    DELETE FROM journal WHERE at < @before AND @after::timestamptz IS NOT NULL
        AND id IN (SELECT id FROM journal ORDER BY id LIMIT @limit) RETURNING at
)
SELECT count(*), max(at) FROM gone`,

	// Those that a conversation has sent, or dropped on a person's word, are settled.
	"settle": `
WITH found AS (
    SELECT d.id, CASE WHEN EXISTS (SELECT FROM ledger l WHERE l.command = d.id AND l.state = 'done') THEN 'sent' ELSE 'skipped' END AS how
    FROM dead_letters d
    WHERE d.settled_at IS NULL AND d.buried_at < @before AND @after::timestamptz IS NOT NULL AND (
        EXISTS (SELECT FROM ledger l WHERE l.command = d.id AND l.state = 'done')
        OR EXISTS (SELECT FROM journal j WHERE j.command = d.id AND j.what = 'skip'))
    ORDER BY d.buried_at, d.id LIMIT @limit
), done AS (
    UPDATE dead_letters d SET settled_at = now(), settled_by = found.how FROM found WHERE d.id = found.id RETURNING d.buried_at
)
SELECT count(*), max(buried_at) FROM done`,

	"dead_letters": `
WITH old AS (
    SELECT id FROM dead_letters
    WHERE settled_at >= @after AND settled_at < @before AND settled_at IS NOT NULL ORDER BY settled_at LIMIT @limit
), gone AS (
    DELETE FROM dead_letters d USING old WHERE d.id = old.id AND d.settled_at IS NOT NULL RETURNING d.settled_at
)
SELECT count(*), max(settled_at) FROM gone`,

	"bindings": `
WITH old AS (
    SELECT stream FROM bindings
    WHERE closed_at >= @after AND closed_at < @before AND closed_at IS NOT NULL ORDER BY closed_at LIMIT @limit
), gone AS (
    DELETE FROM bindings b USING old WHERE b.stream = old.stream AND b.closed_at IS NOT NULL RETURNING b.closed_at
)
SELECT count(*), max(closed_at) FROM gone`,

	// A file counts as its chunks, which go with it: so much as fits a batch, and one
	// file however large it is.
	"files": `
WITH eldest AS (
    SELECT token, created_at, greatest(1, (size + 262143) / 262144) AS chunks FROM files
    WHERE created_at >= @after AND created_at < @before ORDER BY created_at, token LIMIT @limit
), old AS (
    SELECT token, chunks FROM (SELECT *, sum(chunks) OVER (ORDER BY created_at, token) - chunks AS sooner FROM eldest) e
    WHERE sooner < @limit
), gone AS (
    DELETE FROM files f USING old WHERE f.token = old.token RETURNING f.created_at, old.chunks
)
SELECT coalesce(sum(chunks), 0)::int, max(created_at) FROM gone`,
}

// Trim deletes at most limit rows of a table that are older than before and finished:
// of inbox, ledger, echoes, journal, dead_letters, bindings or files. "settle" deletes
// nothing: it notes which dead letters are settled. after is the zero time, and last
// of the batch before from then on; when rows is less than limit, there are no more.
//
// A deletion need not be on disk at once: should the database lose it, it is made
// again.
func (s *Store) Trim(ctx context.Context, table string, before, after time.Time, limit int) (rows int, last time.Time, err error) {
	sql, ok := trims[table]
	if !ok {
		return 0, after, fmt.Errorf("trim: there is no %q", table)
	}
	var reached *time.Time
	row := s.dispatch.QueryRow(ctx, sql, pgx.StrictNamedArgs{"before": before, "after": toTime(after), "limit": limit})
	if err := row.Scan(&rows, &reached); err != nil {
		return 0, after, fmt.Errorf("trim %s: %w", table, redacted(err))
	}
	if reached != nil && reached.After(after) {
		after = *reached
	}
	return rows, after, nil
}
