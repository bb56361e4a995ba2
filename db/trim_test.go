package db

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

// trim deletes what is older than now in batches of two.
func trim(t *testing.T, s *Store, table string) (rows int) {
	t.Helper()
	after := time.Time{}
	for {
		n, last, err := s.Trim(t.Context(), table, time.Now().Add(time.Minute), after, 2)
		require.NoError(t, err)
		if rows += n; n < 2 {
			return rows
		}
		after = last
	}
}

func (s *Store) left(t *testing.T, sql string) []string {
	t.Helper()
	got, err := s.strings(context.Background(), sql, nil)
	require.NoError(t, err)
	return got
}

func TestTrimTakesOnlyWhatIsFinished(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	inbox := func() []string { return s.left(t, `SELECT event_id FROM inbox ORDER BY event_id`) }
	receipt := wrote(phone, "m2")
	receipt.Starts = false
	saw := said("C9", "s1")
	saw.Urgent = false
	_, err := s.Append(t.Context(), arrival(wrote(phone, "m1"), receipt, wrote(phone, "m3"), wrote(phone, "m4"), wrote(phone, "m5"), said("C1", "a1"), saw))
	require.NoError(t, err)
	assert.Equal(t, 1, trim(t, s, "inbox"), "nothing urgent came after it")
	taken(t, s, "channel/sms/"+phone.Consumer)
	assert.Zero(t, trim(t, s, "inbox"), "handed over is not applied: a conversation without room fetches it again")
	done(t, s, message.NewID("sms", "m3"), "")
	assert.Equal(t, 3, trim(t, s, "inbox"))
	assert.Equal(t, []string{"a1", "m4", "m5"}, inbox())
	require.NoError(t, s.Finish(t.Context(), phone, []message.Applied{{Stream: message.Stream{Address: phone}, Sequence: 5}}, false))
	assert.Equal(t, 2, trim(t, s, "inbox"))
	assert.Equal(t, []string{"a1"}, inbox(), "it waits for its address")
	n, _, err := s.Trim(t.Context(), "inbox", time.Now().Add(-time.Hour), time.Time{}, 10)
	require.NoError(t, err)
	assert.Zero(t, n, "too young")
}

func TestTrimOfTheOtherTables(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	ctx := t.Context()
	for _, id := range []message.ID{"d1", "d2", "d3"} {
		done(t, s, id, "")
	}
	_, err := s.Intend(ctx, []message.ID{"i1"})
	require.NoError(t, err)
	_, err = s.Append(ctx, message.Arrival{Echoes: []message.Echo{
		{Scope: "main", Key: "d1", Sequence: 1}, {Scope: "main", Key: "i1", Sequence: 2}, {Scope: "main", Dialog: "D", Digest: []byte("x"), Sequence: 3}}})
	require.NoError(t, err)
	require.NoError(t, s.Note(ctx, []message.Note{{At: time.Now(), Command: "k1", What: "skip"}, {At: time.Now(), What: "a"}, {At: time.Now().Add(time.Hour), What: "b"}}))
	require.NoError(t, s.Bury(ctx, []message.DeadLetter{{ID: "d1"}, {ID: "k1"}, {ID: "open"}, {ID: "back"}}))
	require.NoError(t, s.Redriven(ctx, "back", 0))
	for _, c := range []string{"C1", "C2"} {
		_, err = s.Bind(ctx, "main", c, phone)
		require.NoError(t, err)
	}
	require.NoError(t, s.Ended(ctx, "main", "C1"))

	assert.Equal(t, 2, trim(t, s, "settle"))
	assert.Equal(t, 3, trim(t, s, "dead_letters"))
	assert.Equal(t, []string{"open"}, s.left(t, `SELECT id FROM dead_letters`))
	assert.Equal(t, 2, trim(t, s, "echoes"))
	assert.Equal(t, []string{"i1"}, s.left(t, `SELECT key FROM echoes`), "its command waits for it")
	assert.Equal(t, 3, trim(t, s, "ledger"))
	assert.Equal(t, []string{"i1"}, s.left(t, `SELECT command FROM ledger`))
	assert.Equal(t, 2, trim(t, s, "journal"))
	assert.Equal(t, []string{"b"}, s.left(t, `SELECT what FROM journal`))
	assert.Equal(t, 1, trim(t, s, "bindings"))
	assert.Equal(t, []string{"C2"}, s.left(t, `SELECT conversation FROM bindings`))
	_, _, err = s.Trim(ctx, "ratings", time.Now(), time.Time{}, 1)
	assert.Error(t, err)
}

// BenchmarkAppendBesideTrim stores events, in turns with and without 300,000 old rows
// being deleted meanwhile as housekeeping does it.
//
//	go test ./db -run '^$' -bench BesideTrim -benchtime 1x
func BenchmarkAppendBesideTrim(b *testing.B) {
	url := migrated(b)
	s := open(b, url, Options{})
	fill(b, url, 300_000, 24*time.Hour)
	var n atomic.Int64
	n.Store(10_000_000)
	for round := range 8 {
		ctx, cancel := context.WithCancel(b.Context())
		trimmed := make(chan int, 1)
		go func() {
			rows := 0
			after := map[string]time.Time{}
			for round%2 == 1 && ctx.Err() == nil {
				table, batch := []string{"inbox", "ledger"}[round/2%2], time.Now()
				k, last, err := s.Trim(ctx, table, time.Now().Add(-time.Minute), after[table], 250)
				if rows, after[table] = rows+k, last; err != nil {
					break
				}
				select {
				case <-ctx.Done():
				case <-time.After(max(100*time.Millisecond, 9*time.Since(batch))):
				}
			}
			trimmed <- rows
		}()
		p50, p99, count := latencies(b, s, &n, 4*time.Second)
		cancel()
		b.Logf("trimming %v: %d appended, p50 %s, p99 %s; %d rows deleted meanwhile", round%2 == 1, count, p50, p99, <-trimmed)
	}
}
