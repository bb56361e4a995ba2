// Package db keeps in Postgres what must survive anything: the inbox of events
// not yet known to their workflow, the directory that ties cloud conversations to
// addresses, the ledger of what was sent, the journal, dead letters and ratings.
//
// SQL is written by hand next to the method that runs it. The package knows
// neither Temporal nor the far sides, decides nothing about conversations, and
// never looks into the bodies it stores.
package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"parley/message"
)

// Options sizes a Store. The zero value is what one process needs; connections
// are opened as they are needed and closed when idle for a minute.
type Options struct {
	Queries     int // connections for lookups and single statements; default 8
	Dispatching int // connections for Dispatch, each held while Temporal answers; default 16
	Committers  int // groups of arrivals, and of records, committed at the same time; default 2 each
	Group       int // most arrivals or records in one commit; default 256
	Waiting     int // most arrivals or records waiting for their commit; default 4,096
	WaitingSize int // most bytes of arrivals waiting for their commit; default 64 MiB
}

func (o Options) withDefaults() Options {
	def := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	def(&o.Queries, 8)
	def(&o.Dispatching, 16)
	def(&o.Committers, 2)
	def(&o.Group, 256)
	def(&o.Waiting, 4096)
	def(&o.WaitingSize, 64<<20)
	return o
}

// Store is Parley's part of a Postgres database. It keeps three pools, so that a
// slow Temporal, which holds connections of Dispatch, takes none from Append, and one
// for files.
type Store struct {
	writes   *pgxpool.Pool // what is committed in groups
	pool     *pgxpool.Pool // everything else
	dispatch *pgxpool.Pool
	files    *pgxpool.Pool // storing files, which takes as long as they are large
	schema   string        // tells our advisory locks and channel from those of another schema

	arrivals *committer[message.Arrival]
	outcomes *committer[[]message.Outcome]
	close    sync.Once
}

// Open prepares a Store for the database at url. It does not wait for the
// database to be there beyond one attempt, and does not need the schema yet.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o = o.withDefaults()
	s := &Store{}
	var err error
	if s.pool, err = newPool(ctx, url, o.Queries, planning); err != nil {
		return nil, err
	}
	if err := s.pool.QueryRow(ctx, `SELECT current_schema()::text`).Scan(&s.schema); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("open database: %w", redacted(err))
	}
	if s.writes, err = newPool(ctx, url, 2*o.Committers, grouping); err != nil {
		s.pool.Close()
		return nil, err
	}
	if s.dispatch, err = newPool(ctx, url, o.Dispatching, handing); err != nil {
		s.pool.Close()
		s.writes.Close()
		return nil, err
	}
	if s.files, err = newPool(ctx, url, fileConnections, planning); err != nil {
		s.pool.Close()
		s.writes.Close()
		s.dispatch.Close()
		return nil, err
	}
	s.arrivals = newCommitter(o, arrivalSize, s.storeArrivals)
	s.outcomes = newCommitter(o, func([]message.Outcome) int { return 0 }, s.storeOutcomes)
	return s, nil
}

// Close stops what is in the queues with a Transient error, waits for the commits
// under way and closes all connections. It waits for calls of Dispatch to end.
func (s *Store) Close() {
	s.close.Do(func() {
		s.arrivals.stop()
		s.outcomes.stop()
		s.writes.Close()
		s.dispatch.Close()
		s.files.Close()
		s.pool.Close()
	})
}

// Ready says whether the database answers and has the schema this program needs.
func (s *Store) Ready(ctx context.Context) error {
	var version int
	if err := s.pool.QueryRow(ctx, `SELECT version FROM `+versionTable).Scan(&version); err != nil {
		return fmt.Errorf("database not ready: %w", redacted(err))
	}
	if want := latestVersion(); version < want {
		return fmt.Errorf("database not ready: schema is at version %d, %d is needed: run parley migrate", version, want)
	}
	return nil
}

// DigestKey returns the installation's random key of 32 bytes, made by the first Migrate.
func (s *Store) DigestKey(ctx context.Context) ([]byte, error) {
	var key []byte
	if err := s.pool.QueryRow(ctx, `SELECT digest_key FROM installation`).Scan(&key); err != nil {
		return nil, fmt.Errorf("read digest key: %w", redacted(err))
	}
	return key, nil
}

// planning keeps each statement on the one plan that it was written for, by index,
// and plans it once per connection. Left to itself, Postgres plans while the inbox
// is empty, takes a sequential scan for cheapest, and keeps that plan as the table
// grows: Append was six times slower after 20,000 events. Planning the statement
// anew each time costs as much as executing it.
var planning = []string{"jit", "off", "enable_seqscan", "off", "plan_cache_mode", "force_generic_plan"}

// grouping joins a group's own rows by sorting: a loop over all pairs of 256 takes
// longer than storing them.
var grouping = append(slices.Clone(planning), "enable_nestloop", "off")

// handing frees a stream whose dispatcher was cut off from the database or stands
// still: the server would keep its lock for as long as it believes in the
// connection, which may be hours. And a mark need not be on disk at once: should
// the database lose it, the same events are handed over again.
var handing = append(slices.Clone(planning), "idle_in_transaction_session_timeout", "30s", "synchronous_commit", "off")

// alwaysOnDisk undoes a server's default that answers a commit before it is on disk.
const alwaysOnDisk = `
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'`

// newPool sets the settings, names and values in turn, for each connection. They
// are not sent while connecting, which a pooler in between may refuse.
func newPool(ctx context.Context, url string, size int, settings []string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", redacted(err))
	}
	cfg.MaxConns = int32(size)
	cfg.MinConns = 0
	cfg.MaxConnIdleTime = time.Minute
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		b := &pgx.Batch{}
		b.Queue(alwaysOnDisk)
		for i := 0; i < len(settings); i += 2 {
			b.Queue(`SELECT set_config($1, $2, false)`, settings[i], settings[i+1])
		}
		return c.SendBatch(ctx, b).Close()
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", redacted(err))
	}
	return pool, nil
}

// redacted makes sure that an error of the driver holds neither a value of a row,
// which the server quotes in some messages, nor the URL with its password.
func redacted(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return &pgconn.PgError{Severity: pg.Severity, Code: pg.Code, Message: serverMessage(pg), ConstraintName: pg.ConstraintName}
	}
	if errors.As(err, new(*pgconn.ParseConfigError)) {
		return errors.New("DATABASE_URL cannot be read")
	}
	return err
}

// serverMessage is the server's message without what it quotes when the input is
// to blame (class 22, data exception).
func serverMessage(pg *pgconn.PgError) string {
	if strings.HasPrefix(pg.Code, "22") {
		return "data exception"
	}
	return pg.Message
}
