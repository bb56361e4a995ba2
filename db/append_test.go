package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/message"
)

// stored is what the inbox holds of one stream, in order.
func stored(t testing.TB, url, stream string) (ids []string) {
	t.Helper()
	var sequences []int64
	query(t, url, `SELECT seq, event_id FROM inbox WHERE stream = $1 ORDER BY seq`, func(row pgx.CollectableRow) error {
		var seq int64
		var id string
		err := row.Scan(&seq, &id)
		sequences, ids = append(sequences, seq), append(ids, id)
		return err
	}, stream)
	for i, seq := range sequences {
		require.EqualValues(t, i+1, seq, "a gap in %s", stream)
	}
	return ids
}

func query(t testing.TB, url, sql string, each func(pgx.CollectableRow) error, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), sql, args...)
	require.NoError(t, err)
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, each(row) })
	require.NoError(t, err)
}

func number64(t testing.TB, url, sql string, args ...any) (n int64) {
	t.Helper()
	query(t, url, sql, func(row pgx.CollectableRow) error { return row.Scan(&n) }, args...)
	return n
}

func TestWritersOfSeveralProcessesLeaveNoGapAndNoDouble(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	const processes, writers, rounds, streams = 3, 8, 30, 7
	var all sync.WaitGroup
	for p := range processes {
		s := open(t, url, Options{})
		for w := range writers {
			all.Go(func() {
				for r := range rounds {
					// Every event is sent by two writers of every process.
					n := (w/2)*rounds + r
					a := phoneNumber((n + p) % streams)
					_, err := s.Append(t.Context(), arrival(wrote(phoneNumber(n%streams), fmt.Sprint("e", n)), wrote(a, fmt.Sprint("p", p, "-", n))))
					if err != nil {
						t.Errorf("append: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	seen := map[string]bool{}
	for n := range streams {
		for _, id := range stored(t, url, "channel/sms/"+phoneNumber(n).Consumer) {
			require.False(t, seen[id], "stored twice: %s", id)
			seen[id] = true
		}
	}
	require.Len(t, seen, writers/2*rounds*(processes+1))
	require.Zero(t, number64(t, url, `SELECT count(*) FROM streams s WHERE last_seq <> (SELECT count(*) FROM inbox i WHERE i.stream = s.stream)`))
}

func phoneNumber(n int) message.Address {
	return message.Address{Channel: "sms", Consumer: fmt.Sprintf("+1555%07d", n)}
}

func TestDuplicatesRacingInSeveralProcessesAreStoredOnce(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	stores := []*Store{open(t, url, Options{}), open(t, url, Options{}), open(t, url, Options{})}
	for r := range 40 {
		var all sync.WaitGroup
		for _, s := range stores {
			all.Go(func() {
				_, err := s.Append(t.Context(), arrival(wrote(phone, fmt.Sprint("same", r)), wrote(phoneNumber(r), fmt.Sprint("also", r))))
				if err != nil {
					t.Errorf("append: %v", err)
				}
			})
		}
		all.Wait()
	}
	require.Len(t, stored(t, url, "channel/sms/"+phone.Consumer), 40)
	require.EqualValues(t, 80, number64(t, url, `SELECT count(*) FROM inbox`))
}

// held is a transaction of another process that keeps a stream's row.
type held struct {
	t     *testing.T
	conn  *pgx.Conn
	watch *pgx.Conn // of its own: a transaction sees the statistics of its beginning
}

func hold(t *testing.T, url, sql string) held {
	t.Helper()
	h := held{t, connect(t, url), connect(t, url)}
	for _, q := range []string{"BEGIN", sql} {
		_, err := h.conn.Exec(context.Background(), q)
		require.NoError(t, err)
	}
	return h
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (h held) release() {
	h.t.Helper()
	_, err := h.conn.Exec(context.Background(), "COMMIT")
	require.NoError(h.t, err)
}

// blocked waits until so many statements wait for the transaction.
func (h held) blocked(n int) {
	h.t.Helper()
	const waiting = `SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))`
	eventually(h.t, func() bool {
		var got int
		err := h.watch.QueryRow(context.Background(), waiting, int32(h.conn.PgConn().PID())).Scan(&got)
		require.NoError(h.t, err)
		return got >= n
	})
}

const takeRow = `INSERT INTO streams (stream, channel, consumer, address) VALUES ('channel/sms/held', 'sms', 'held', 'channel/sms/held')`

var heldPhone = message.Address{Channel: "sms", Consumer: "held"}

// behind appends once the store's only committer is stuck, so that all of these
// wait for the same commit. The errors come in the order of the arrivals.
func behind(t *testing.T, s *Store, h held, arrivals ...message.Arrival) []error {
	t.Helper()
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := s.Append(context.Background(), arrival(wrote(heldPhone, "first"))); err != nil {
			t.Errorf("append: %v", err)
		}
	})
	h.blocked(1)
	errs := make([]error, len(arrivals))
	for i, a := range arrivals {
		all.Go(func() { _, errs[i] = s.Append(context.Background(), a) })
	}
	eventually(t, func() bool { return len(s.arrivals.queue) == len(arrivals) })
	h.release()
	all.Wait()
	return errs
}

func TestConcurrentAppendsShareACommit(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{Committers: 1})
	arrivals := make([]message.Arrival, 100)
	for i := range arrivals {
		arrivals[i] = arrival(wrote(phoneNumber(i%10), fmt.Sprint(i)))
	}
	for _, err := range behind(t, s, hold(t, url, takeRow), arrivals...) {
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, s.arrivals.commits.Load())
	require.EqualValues(t, 2, number64(t, url, `SELECT count(DISTINCT xmin::text) FROM inbox`), "transactions")
	for n := range 10 {
		require.Len(t, stored(t, url, "channel/sms/"+phoneNumber(n).Consumer), 10)
	}
}

func TestABadArrivalFailsAlone(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{Committers: 1})
	exec(t, url, `ALTER TABLE inbox ADD CHECK (event_id <> 'bad')`)
	errs := behind(t, s, hold(t, url, takeRow), arrival(wrote(phone, "a")), arrival(wrote(phone, "bad")), arrival(wrote(phone, "b")))
	require.NoError(t, errs[0])
	require.Error(t, errs[1])
	require.NoError(t, errs[2])
	require.ElementsMatch(t, []string{"a", "b"}, stored(t, url, "channel/sms/"+phone.Consumer))
}

func TestAnEventStoredElsewhereMeanwhileDoesNotSpoilItsGroup(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{Committers: 1})
	h := hold(t, url, `INSERT INTO inbox (stream, seq, source, event_id, starts, body) VALUES ('channel/sms/elsewhere', 1, 'channel/sms', 'same', true, '')`)
	done := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), arrival(wrote(phone, "a"), wrote(phone, "same"), wrote(phone, "b")))
		done <- err
	}()
	h.blocked(1)
	h.release() // and now our insert violates the key
	require.NoError(t, <-done)
	require.Equal(t, []string{"a", "b"}, stored(t, url, "channel/sms/"+phone.Consumer))
}

func TestAnyContentIsStoredAsItCame(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	for name, c := range map[string]struct{ consumer, id, body string }{
		"NUL":           {"a\x00b", "1\x00", `{"text":"` + "\x00" + `\u0000"}`},
		"invalid UTF-8": {"a\xffb", "2\xff", "\xff\xfe"},
		"backslash":     {`a\x00b`, `1\x00`, `\x41`},
		"a megabyte":    {"big", "3", strings.Repeat("x", 1<<20)},
		"long names":    {strings.Repeat("ü", 5000), strings.Repeat("i", 5000), "{}"},
		"empty":         {"", "", ""},
	} {
		a := message.Address{Channel: "web", Consumer: c.consumer}
		e := wrote(a, c.id)
		e.Body, e.Reply = json.RawMessage(c.body), c.consumer
		keys, err := s.Append(t.Context(), message.Arrival{
			Events: []message.Event{e, e},
			Echoes: []message.Echo{{Scope: c.body, Key: message.ID(c.body), Dialog: c.body, Digest: []byte(c.body), At: time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)}},
			Dead:   []message.DeadLetter{{ID: message.ID(c.id), Reason: c.id, Body: []byte(c.body)}},
			Participants: []message.Participant{
				{Account: c.consumer, Conversation: c.consumer, Consumer: c.consumer},
			},
		})
		require.NoError(t, err, name)
		d, state := taken(t, s, keys[0])
		require.Equal(t, message.Drained, state, name)
		require.Equal(t, a, d.Address, name)
		require.Len(t, d.Events, 1, name)
		require.True(t, string(d.Events[0].Body) == c.body, name)
		reply, err := s.Reply(t.Context(), a)
		require.NoError(t, err)
		require.True(t, reply == c.consumer, name)
	}
}

func TestTooMuchWaitingIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	for name, o := range map[string]Options{
		"arrivals": {Committers: 1, Waiting: 2},
		"bytes":    {Committers: 1, WaitingSize: 1500}, // of about 650 each
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, url, o)
			h := hold(t, url, strings.ReplaceAll(takeRow, "held", name))
			results := make(chan error, 4)
			add := func(id string) {
				go func() {
					_, err := s.Append(context.Background(), arrival(wrote(message.Address{Channel: "sms", Consumer: name}, name+id)))
					results <- err
				}()
			}
			add("first")
			h.blocked(1)
			add("a")
			add("b")
			eventually(t, func() bool { return len(s.arrivals.queue) == 2 })
			_, err := s.Append(t.Context(), arrival(wrote(phone, name)))
			require.ErrorIs(t, err, errFull)
			require.Equal(t, fault.Transient, fault.ClassOf(err))
			h.release()
			for range 3 {
				require.NoError(t, <-results)
			}
		})
	}
}

func TestACallerThatLeavesSpoilsNothing(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{Committers: 1})
	h := hold(t, url, takeRow)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 2)
	go func() { _, err := s.Append(ctx, arrival(wrote(heldPhone, "in flight"))); left <- err }()
	h.blocked(1)
	go func() { _, err := s.Append(ctx, arrival(wrote(phone, "in the queue"))); left <- err }()
	stays := make(chan error, 1)
	go func() { _, err := s.Append(t.Context(), arrival(wrote(phone, "stays"))); stays <- err }()
	eventually(t, func() bool { return len(s.arrivals.queue) == 2 })
	cancel()
	for range 2 {
		err := <-left
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, fault.Transient, fault.ClassOf(err))
	}
	h.release()
	require.NoError(t, <-stays)
	require.Equal(t, []string{"stays"}, stored(t, url, "channel/sms/"+phone.Consumer))
	require.Equal(t, []string{"in flight"}, stored(t, url, "channel/sms/held"), "what was being committed is")
}

func TestCloseRefusesWhatWaits(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s, err := Open(t.Context(), url, Options{Committers: 1})
	require.NoError(t, err)
	h := hold(t, url, takeRow)
	first, waits := make(chan error, 1), make(chan error, 1)
	go func() { _, err := s.Append(t.Context(), arrival(wrote(heldPhone, "first"))); first <- err }()
	h.blocked(1)
	go func() { _, err := s.Append(t.Context(), arrival(wrote(phone, "waits"))); waits <- err }()
	eventually(t, func() bool { return len(s.arrivals.queue) == 1 })
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	<-s.arrivals.stopping
	h.release()
	<-closed
	require.NoError(t, <-first)
	err = <-waits
	require.ErrorIs(t, err, errStopped)
	require.Equal(t, fault.Transient, fault.ClassOf(err))
	_, err = s.Append(t.Context(), arrival(wrote(phone, "late")))
	require.ErrorIs(t, err, errStopped)
}

func TestUrgentNamesEachStreamOnce(t *testing.T) {
	t.Parallel()
	quiet := wrote(phoneNumber(1), "q")
	quiet.Urgent = false
	keys := urgent(arrival(wrote(phone, "a"), quiet, said("c1", "b"), wrote(phone, "c")))
	require.True(t, slices.Equal([]string{"channel/sms/" + phone.Consumer, "cloud/main/c1"}, keys))
}
