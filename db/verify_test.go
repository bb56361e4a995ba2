package db

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

// always is a range in which everything lies.
func always() Accepted {
	return Accepted{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
}

func examineAll(t testing.TB, s *Store, a Accepted) (Proven, map[string]Evidence) {
	t.Helper()
	open := map[string]Evidence{}
	p, err := s.Examine(t.Context(), a, func(e Evidence) error { open[e.EventID] = e; return nil })
	require.NoError(t, err)
	return p, open
}

func done(t testing.TB, s *Store, id message.ID, note string) {
	t.Helper()
	_, err := s.Intend(t.Context(), []message.ID{id})
	require.NoError(t, err)
	require.NoError(t, s.Record(t.Context(), []message.Outcome{{Command: id, State: message.Done, Account: "main", Sequence: 1, Note: note}}))
}

func TestExamineProvesWhatTheLedgerKnows(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	long := wrote(phone, "long")
	long.Body = make([]byte, 9000)
	odd := wrote(phone, `back\slash`)
	picture := wrote(phone, "picture")
	picture.Body = []byte(`{"kind":"wrote","text":"\"attachments\":[ is only said","attachments":[{"url":"https://x"}]}`)
	quoting := wrote(phone, "quoting")
	quoting.Body = []byte(`{"kind":"wrote","text":"\"attachments\":[ is only said"}`)
	answer := said("C1", "a1")
	answer.Starts = true
	receipt := wrote(phone, "r1")
	receipt.Starts = false
	saw := said("C1", "s1")
	saw.Urgent = false
	_, err := s.Append(t.Context(), arrival(wrote(phone, "m1"), wrote(phone, "m2"), long, odd, receipt, wrote(phone, "m3"), answer, saw, picture, quoting))
	require.NoError(t, err)
	for _, id := range []string{"m1", "m2", "long", "picture", "quoting"} {
		done(t, s, message.NewID("sms", id), map[string]string{"m2": "again"}[id])
	}
	done(t, s, message.NewID("main", "a1"), "")

	p, open := examineAll(t, s, always())
	assert.Equal(t, Proven{Published: 2, Delivered: 1, Applied: 1}, p, "what is not urgent waits for nothing")
	require.Len(t, open, 6)
	assert.Contains(t, open, "picture", "it has a part for its file")
	assert.True(t, open["m2"].Again)
	assert.False(t, open["long"].Again, "it may have parts")
	assert.Contains(t, open, `back\\slash`, "how it is stored says nothing about its ID: the body does")
	assert.Equal(t, phone, open["m3"].Address)
	assert.False(t, open["m3"].Dispatched)

	taken(t, s, "channel/sms/"+phone.Consumer)
	require.NoError(t, s.Finish(t.Context(), phone, []message.Applied{{Stream: message.Stream{Address: phone}, Sequence: 5}}, false))
	p, open = examineAll(t, s, always())
	assert.EqualValues(t, 2, p.Applied, "the receipt was taken by a run that has ended")
	assert.NotContains(t, open, "r1")
	assert.True(t, open["m3"].Dispatched)
	assert.False(t, open["m3"].Settled, "it was handed over, and nobody wrote back that it was applied")

	keys, err := s.StreamsOf(t.Context(), phone, "")
	require.NoError(t, err)
	assert.Len(t, keys, 1)
	_, err = s.Bind(t.Context(), "main", "C1", phone)
	require.NoError(t, err)
	for _, conversation := range []string{"", "C1"} {
		keys, err = s.StreamsOf(t.Context(), map[string]message.Address{"": phone}[conversation], conversation)
		require.NoError(t, err)
		assert.Len(t, keys, 2, "by address and by conversation")
	}
	q, _ := examineAll(t, s, Accepted{Streams: keys})
	assert.Equal(t, p, q)
}

func TestFatesTellTheStrongest(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	done(t, s, "a", "")
	done(t, s, "b", "again")
	require.NoError(t, s.Note(t.Context(), []message.Note{
		{At: time.Now(), Command: "c", What: "answered"}, {At: time.Now(), Command: "d", What: "skip"}, {At: time.Now(), Command: "e", What: "uncertain"}}))
	require.NoError(t, s.Bury(t.Context(), []message.DeadLetter{{ID: "a"}, {ID: "d"}, {ID: "f"}, {ID: "h"}}))
	require.NoError(t, s.Redriven(t.Context(), "h", 0))
	_, err := s.Intend(t.Context(), []message.ID{"f", "i"})
	require.NoError(t, err)
	got, err := s.Fates(t.Context(), []message.ID{"a", "b", "c", "d", "e", "f", "g", "h", "i"})
	require.NoError(t, err)
	assert.Equal(t, map[message.ID]Fate{"a": FateDone, "b": FateAgain, "c": FateAnswered, "d": FateSkipped, "f": FateDead, "h": FateRedriven, "i": FateIntended}, got)
}

// BenchmarkExamine proves a day of events, of which every hundredth is not proven.
//
//	go test ./db -run '^$' -bench Examine -benchtime 1000000x
func BenchmarkExamine(b *testing.B) {
	url := migrated(b)
	s := open(b, url, Options{})
	fill(b, url, b.N, 24*time.Hour)
	b.ResetTimer()
	began, n := time.Now(), 0
	p, err := s.Examine(b.Context(), Accepted{From: began.Add(-25 * time.Hour), To: began}, func(Evidence) error { n++; return nil })
	require.NoError(b, err)
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
	b.Logf("%s: %+v, %d not proven", time.Since(began).Round(time.Millisecond), p, n)
	require.EqualValues(b, b.N, p.Published+p.Delivered+p.Applied+int64(n))
}

// fill stores so many dispatched events of the time before now: of ten, three of a
// consumer and three of an agent that are in the ledger, four from which nothing
// follows. Every hundredth of the consumers' has no outcome.
func fill(t testing.TB, url string, events int, over time.Duration) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	for _, sql := range []string{
		`CREATE TEMP TABLE g AS SELECT n, CASE WHEN n %% 10 < 4 THEN 'channel/sms/' ELSE 'cloud/main/' END || n %% 20000 / 10 AS stream,
			CASE WHEN n %% 10 < 4 THEN 'channel/sms' ELSE 'cloud/main' END AS source, n %% 10 IN (0, 1, 2, 4, 5, 6) AS starts
			FROM generate_series(1, %[1]d) n`,
		`INSERT INTO inbox (stream, seq, source, event_id, starts, body, stored_at)
			SELECT stream, n, source, 'SM' || md5(n::text), starts, convert_to(repeat('x', 350), 'UTF8'), now() - (%[1]d - n) * interval '1 second' * %[2]f / %[1]d FROM g`,
		`INSERT INTO streams (stream, channel, consumer, account, conversation, address, last_seq, urgent_seq, dispatched_seq, settled_seq)
			SELECT stream, 'sms', split_part(stream, '/', 3), CASE WHEN stream LIKE 'cloud%%' THEN 'main' ELSE '' END, '', 'channel/sms/' || split_part(stream, '/', 3),
			max(n), max(n), max(n), max(n) FROM g GROUP BY stream`,
		`INSERT INTO ledger (command, state, since, recorded_at, account, dialog, sequence)
			SELECT encode(substr(sha256(convert_to(split_part(source, '/', 2), 'UTF8') || '\x00'::bytea || convert_to('SM' || md5(n::text), 'UTF8') || '\x00'::bytea), 1, 16), 'hex'),
			'done', stamp, stamp, 'main', n::text, n FROM (SELECT *, now() - (%[1]d - n) * interval '1 second' * %[2]f / %[1]d AS stamp FROM g) g
			WHERE starts AND n %% 1000 <> 0`,
		`ANALYZE inbox, streams, ledger`,
	} {
		if _, err := conn.Exec(context.Background(), fmt.Sprintf(sql+" -- %[1]d %[2]f", events, over.Seconds())); err != nil {
			t.Fatal(err)
		}
	}
}
