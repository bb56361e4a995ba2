package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"parley/message"
)

// BenchmarkAppend stores one event per call over 1,000 streams, next to the least
// that could be done instead: a bare insert of one row by primary key.
//
//	go test ./db -run '^$' -bench Append -benchtime 3s
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("bare-insert/clients=%d", clients), func(b *testing.B) { benchBare(b, clients) })
		b.Run(fmt.Sprintf("append/clients=%d", clients), func(b *testing.B) { benchAppend(b, clients) })
	}
}

func benchBare(b *testing.B, clients int) {
	url := migrated(b)
	exec(b, url, `CREATE TABLE bare (id text PRIMARY KEY, body bytea NOT NULL, at timestamptz NOT NULL DEFAULT now())`)
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(b, err)
	cfg.MaxConns = int32(min(clients, 16))
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	require.NoError(b, err)
	defer pool.Close()
	body := []byte(strings.Repeat("x", 330))
	inParallel(b, clients, func(ctx context.Context, n int64) error {
		_, err := pool.Exec(ctx, `INSERT INTO bare (id, body) VALUES ($1, $2)`, fmt.Sprint(n), body)
		return err
	})
}

func benchAppend(b *testing.B, clients int) {
	s := open(b, migrated(b), Options{})
	before := s.arrivals.commits.Load()
	inParallel(b, clients, func(ctx context.Context, n int64) error {
		_, err := s.Append(ctx, arrival(benchEvent(n)))
		return err
	})
	b.ReportMetric(float64(b.N)/float64(s.arrivals.commits.Load()-before), "events/commit")
}

func benchEvent(n int64) message.Event {
	e := wrote(message.Address{Channel: "sms", Consumer: fmt.Sprintf("+1555%07d", n%1000)}, fmt.Sprint("SM", n))
	e.Body = []byte(`"` + strings.Repeat("x", 330) + `"`)
	return e
}

// BenchmarkRecord writes one outcome per call, after its intent.
func BenchmarkRecord(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			s := open(b, migrated(b), Options{})
			ids := make([]message.ID, b.N)
			for i := range ids {
				ids[i] = message.NewID(fmt.Sprint(i))
			}
			for from := 0; from < len(ids); from += 1000 {
				_, err := s.Intend(b.Context(), ids[from:min(from+1000, len(ids))])
				require.NoError(b, err)
			}
			inParallel(b, clients, func(ctx context.Context, n int64) error {
				return s.Record(ctx, []message.Outcome{{
					Command: ids[n-1], State: message.Done, Account: "main", Dialog: fmt.Sprint("d", n%100), Sequence: int(n), Ref: fmt.Sprint("SM", n),
				}})
			})
		})
	}
}

// BenchmarkIntend writes the intents of a batch of ten per call.
func BenchmarkIntend(b *testing.B) {
	s := open(b, migrated(b), Options{})
	inParallel(b, 8, func(ctx context.Context, n int64) error {
		ids := make([]message.ID, 10)
		for i := range ids {
			ids[i] = message.NewID(fmt.Sprint(n, i))
		}
		_, err := s.Intend(ctx, ids)
		return err
	})
}

// BenchmarkDispatch hands over one stream of one event per call, to nobody.
func BenchmarkDispatch(b *testing.B) {
	s := open(b, migrated(b), Options{})
	for n := range int64(b.N) {
		if n%1000 == 0 {
			a := message.Arrival{}
			for i := n; i < min(n+1000, int64(b.N)); i++ {
				a.Events = append(a.Events, wrote(message.Address{Channel: "sms", Consumer: fmt.Sprint(i + 1)}, fmt.Sprint(i)))
			}
			_, err := s.Append(b.Context(), a)
			require.NoError(b, err)
		}
	}
	inParallel(b, 8, func(ctx context.Context, n int64) error {
		_, err := s.Dispatch(ctx, fmt.Sprint("channel/sms/", n), 0, 0, func(context.Context, message.Dispatch) error { return nil })
		return err
	})
}

// inParallel calls f b.N times, with 1 … b.N, from so many goroutines.
func inParallel(b *testing.B, clients int, f func(ctx context.Context, n int64) error) {
	b.Helper()
	ctx := b.Context()
	var next atomic.Int64
	done := make(chan error, clients)
	b.ResetTimer()
	began := time.Now()
	for range clients {
		go func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := f(ctx, n); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range clients {
		require.NoError(b, <-done)
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "per-second")
	b.StopTimer()
}

// latencies stores events at 200 a second, whether or not those before are through, for a while.
func latencies(b *testing.B, s *Store, n *atomic.Int64, during time.Duration) (p50, p99 time.Duration, count int) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	took := make(chan time.Duration, 100_000)
	var g errgroup.Group
	for until := time.Now().Add(during); time.Now().Before(until); {
		due := <-tick.C
		g.Go(func() error {
			_, err := s.Append(context.Background(), arrival(benchEvent(n.Add(1))))
			took <- time.Since(due)
			return err
		})
	}
	require.NoError(b, g.Wait())
	close(took)
	var all []time.Duration
	for d := range took {
		all = append(all, d)
	}
	slices.Sort(all)
	return all[len(all)/2].Round(10 * time.Microsecond), all[len(all)*99/100].Round(10 * time.Microsecond), len(all)
}
