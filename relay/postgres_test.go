package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"parley/db"
	"parley/message"
	"parley/relay"
)

// schemaURL returns the URL of a fresh schema for one test.
func schemaURL(t testing.TB) string {
	t.Helper()
	base := os.Getenv("DATABASE_URL")
	if base == "" {
		if os.Getenv("CI") == "" {
			t.Skip("DATABASE_URL is not set")
		}
		t.Fatal("DATABASE_URL is not set")
	}
	name := fmt.Sprintf("relay_%d", time.Now().UnixNano())
	exec(t, base, `CREATE SCHEMA `+name)
	t.Cleanup(func() { exec(t, base, `DROP SCHEMA `+name+` CASCADE`) })
	u, err := url.Parse(base)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	require.NoError(t, db.Migrate(t.Context(), u.String(), nil))
	return u.String()
}

func exec(t testing.TB, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), sql)
	require.NoError(t, err)
}

func open(t testing.TB, url string) *db.Store {
	t.Helper()
	s, err := db.Open(t.Context(), url, db.Options{})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func start(t testing.TB, s *db.Store, c relay.Conversations, sweep time.Duration) *relay.Relay {
	t.Helper()
	r := relay.New(s, c, relay.Options{Sweep: sweep}, slog.New(slog.DiscardHandler))
	r.Start()
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

// workflows stands for Temporal: it keeps, per stream, the events above the last
// one it applied, as the rules of a conversation do.
type workflows struct {
	t      testing.TB
	before func(message.Dispatch) error

	mu     sync.Mutex
	flying map[message.Stream]bool
	last   map[message.Stream]int64
	total  int
	again  int // delivered a second time
}

func newWorkflows(t testing.TB) *workflows {
	return &workflows{t: t, flying: map[message.Stream]bool{}, last: map[message.Stream]int64{}}
}

func (w *workflows) Signal(_ context.Context, d message.Dispatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flying[d.Stream] {
		w.t.Error("two signals of a stream at the same time")
	}
	w.flying[d.Stream] = true
	w.mu.Unlock()
	var err error
	if w.before != nil {
		err = w.before(d)
	}
	w.mu.Lock()
	w.flying[d.Stream] = false
	if err == nil {
		w.apply(d)
	}
	return err
}

func (w *workflows) apply(d message.Dispatch) {
	for _, e := range d.Events {
		switch {
		case e.Sequence <= w.last[d.Stream]:
			w.again++
		case e.Sequence == w.last[d.Stream]+1:
			w.last[d.Stream]++
			w.total++
		default:
			w.t.Errorf("%d follows %d", e.Sequence, w.last[d.Stream])
		}
	}
}

func (w *workflows) applied() (total, again int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total, w.again
}

func wrote(consumer, id string) message.Arrival {
	a := message.Address{Channel: "sms", Consumer: consumer}
	return message.Arrival{Events: []message.Event{{
		Stream: message.Stream{Address: a}, Source: "channel/sms", EventID: id, Urgent: true, Starts: true, Body: json.RawMessage(`{}`),
	}}}
}

func eventually(t testing.TB, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(30 * time.Second); !cond(); <-tick.C {
		if time.Now().After(until) {
			t.Fatal("waited too long")
		}
	}
}

func TestRelaysOfSeveralProcessesShareTheWork(t *testing.T) {
	t.Parallel()
	url := schemaURL(t)
	w := newWorkflows(t)
	const processes, streams, each = 2, 100, 12
	var all sync.WaitGroup
	for p := range processes {
		s := open(t, url)
		r := start(t, s, w, 100*time.Millisecond)
		for c := range 8 {
			all.Go(func() {
				for n := range each {
					for k := c; k < streams; k += 8 {
						keys, err := s.Append(context.Background(), wrote(fmt.Sprint(k), fmt.Sprint(p, "-", n, "-", k)))
						if err != nil {
							t.Errorf("append: %v", err)
						}
						r.Wake(keys...)
					}
				}
			})
		}
	}
	all.Wait()
	eventually(t, func() bool { total, _ := w.applied(); return total == processes*streams*each })
	_, again := w.applied()
	require.Zero(t, again, "nothing was delivered twice")
}

func TestARelayThatDiesBetweenSignalAndMarkLosesNothing(t *testing.T) {
	t.Parallel()
	url := schemaURL(t)
	w := newWorkflows(t)
	s := open(t, url)
	var deaths atomic.Int32
	killer := &dying{workflows: w, kill: func() {
		if deaths.Add(1) <= 3 { // takes the connection away, with lock and transaction
			exec(t, url, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'dying'`)
		}
	}}
	dies, err := db.Open(t.Context(), url+"&application_name=dying", db.Options{})
	require.NoError(t, err)
	t.Cleanup(dies.Close)
	r := start(t, dies, killer, time.Hour)
	start(t, s, w, 50*time.Millisecond)
	for n := range 50 {
		keys, err := s.Append(t.Context(), wrote(fmt.Sprint(n%5), fmt.Sprint(n)))
		require.NoError(t, err)
		r.Wake(keys...)
	}
	eventually(t, func() bool { total, _ := w.applied(); return total == 50 })
	eventually(t, func() bool {
		pending, err := s.Pending(t.Context(), "", 10)
		require.NoError(t, err)
		return len(pending) == 0
	})
}

// dying is a process that dies right after its signal was accepted.
type dying struct {
	*workflows
	kill func()
}

func (d *dying) Signal(ctx context.Context, m message.Dispatch) error {
	err := d.workflows.Signal(ctx, m)
	d.kill()
	return err
}

func TestAConversationBoundElsewhereIsDispatchedAtOnce(t *testing.T) {
	t.Parallel()
	url := schemaURL(t)
	w := newWorkflows(t)
	api, worker := open(t, url), open(t, url)
	r := start(t, api, w, time.Hour) // so that only the notification can do it
	n := 0
	eventually(t, func() bool { // it may not listen yet
		n++
		conversation := fmt.Sprint("c", n)
		keys, err := api.Append(t.Context(), message.Arrival{Events: []message.Event{{
			Stream: message.Stream{Account: "main", Conversation: conversation}, Source: "cloud/main", EventID: conversation, Urgent: true, Body: json.RawMessage(`{}`),
		}}})
		require.NoError(t, err)
		r.Wake(keys...)
		eventually(t, func() bool { return r.Stats().Streams == 0 }) // forgotten, as it is unbound
		_, err = worker.Bind(t.Context(), "main", conversation, message.Address{Channel: "sms", Consumer: "1"})
		require.NoError(t, err)
		total, _ := w.applied()
		return total > 0
	})
}

func TestTemporalDownThenUpDrainsEverythingInOrder(t *testing.T) {
	t.Parallel()
	url := schemaURL(t)
	w := newWorkflows(t)
	var down atomic.Bool
	down.Store(true)
	w.before = func(message.Dispatch) error {
		if down.Load() {
			return context.DeadlineExceeded
		}
		return nil
	}
	s := open(t, url)
	r := start(t, s, w, 100*time.Millisecond)
	const events = 600
	for n := range events {
		keys, err := s.Append(t.Context(), wrote(fmt.Sprint(n%200), fmt.Sprint(n)))
		require.NoError(t, err)
		r.Wake(keys...)
	}
	eventually(t, func() bool { return r.Stats().Open })
	total, _ := w.applied()
	require.Zero(t, total)
	streams, oldest, err := s.Backlog(t.Context())
	require.NoError(t, err)
	require.Equal(t, 200, streams)
	require.Positive(t, oldest)
	down.Store(false)
	eventually(t, func() bool { total, _ := w.applied(); return total == events })
}

// BenchmarkRelay stores events of 100 streams from 16 goroutines and carries them
// to conversations that accept at once: what inbox and relay can do at most.
//
//	go test ./relay -run '^$' -bench Relay -benchtime 3s
func BenchmarkRelay(b *testing.B) {
	w := newWorkflows(b)
	s := open(b, schemaURL(b))
	r := start(b, s, w, time.Second)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range 16 {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				keys, err := s.Append(context.Background(), wrote(fmt.Sprint(n%100), fmt.Sprint(n)))
				if err != nil {
					b.Errorf("append: %v", err)
				}
				r.Wake(keys...)
			}
		})
	}
	all.Wait()
	eventually(b, func() bool { total, _ := w.applied(); return total == b.N })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.N)/float64(r.Stats().Signals), "events/signal")
}

// BenchmarkOneEvent measures from the call of Append to the call of Signal, for
// one event at a time.
func BenchmarkOneEvent(b *testing.B) {
	w := newWorkflows(b)
	signalled := make(chan struct{})
	w.before = func(message.Dispatch) error { signalled <- struct{}{}; return nil }
	s := open(b, schemaURL(b))
	r := start(b, s, w, time.Second)
	b.ResetTimer()
	for n := range b.N {
		keys, err := s.Append(context.Background(), wrote(fmt.Sprint(n%100), fmt.Sprint(n)))
		require.NoError(b, err)
		r.Wake(keys...)
		<-signalled
	}
}
