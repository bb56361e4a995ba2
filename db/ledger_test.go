package db

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"parley/message"
)

func states(entries []message.Entry) (out []message.EntryState) {
	for _, e := range entries {
		out = append(out, e.State)
	}
	return out
}

func TestTheLedgerTellsHowFarACommandGot(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	ctx := t.Context()
	intend := func(ids ...message.ID) []message.Entry {
		entries, err := s.Intend(ctx, ids)
		require.NoError(t, err)
		for i, e := range entries {
			require.Equal(t, ids[i], e.Command, "the order is kept")
		}
		return entries
	}
	before := time.Now().Add(-time.Minute)
	first := intend("z", "a", "m")
	require.Equal(t, []message.EntryState{"", "", ""}, states(first))
	require.Zero(t, first[0].Attempts)

	done := message.Outcome{Command: "z", State: message.Done, Account: "main", Conversation: "c", Dialog: "d", Sequence: 7, Ref: "r", Refs: []string{"x\ny", `\`, "é"}, Parts: 2, Note: "echo"}
	undone := message.Outcome{Command: "a", State: message.Undone, Sequence: -1, Parts: 1, Refs: []string{"part 1"}}
	require.NoError(t, s.Record(ctx, []message.Outcome{done, undone}))

	again := intend("a", "m", "z", "new")
	require.Equal(t, []message.EntryState{"", message.Intended, message.Done, ""}, states(again))
	require.Equal(t, done, again[2].Outcome)
	require.Equal(t, 1, again[0].Attempts)
	require.Equal(t, 1, again[0].Outcome.Parts, "the next attempt resumes behind the parts that went through")
	require.Equal(t, []string{"part 1"}, again[0].Outcome.Refs)
	require.True(t, again[1].Since.After(before))
	require.Equal(t, first[2].Since, again[1].Since, "an uncertain one keeps the time of its intent")
	require.Positive(t, again[1].Age)
	_, err := s.pool.Exec(ctx, `UPDATE ledger SET since = since - interval '40 days 90 seconds' WHERE command = 'm'`)
	require.NoError(t, err)
	require.InDelta(t, (40*24*time.Hour + 90*time.Second).Seconds(), intend("m")[0].Age.Seconds(), 60, "the age is by the database's clock")

	require.Equal(t, message.Intended, intend("a")[0].State, "a failed one was intended anew")
	require.NoError(t, s.Record(ctx, []message.Outcome{{Command: "z", State: message.Undone}}))
	require.Equal(t, done, intend("z")[0].Outcome, "what is done stays done")
	require.Equal(t, []message.EntryState{"", ""}, states(intend("twice", "twice")))
}

func TestOnlyOneOfTwoAttemptsFindsACommandNew(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	stores := []*Store{open(t, url, Options{}), open(t, url, Options{}), open(t, url, Options{})}
	for n := range 30 {
		var all sync.WaitGroup
		var news atomic.Int32
		for i, s := range stores {
			all.Go(func() {
				ids := []message.ID{message.ID(fmt.Sprint("a", n)), message.ID(fmt.Sprint("b", n))}
				entries, err := s.Intend(context.Background(), []message.ID{ids[i%2], ids[1-i%2]})
				if err != nil {
					t.Errorf("intend: %v", err)
					return
				}
				for _, e := range entries {
					if e.State == "" {
						news.Add(1)
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 2, news.Load())
	}
}

func TestRecordsOfManyLanesShareCommits(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{Committers: 1})
	_, err := s.Intend(t.Context(), []message.ID{"held", "twice"})
	require.NoError(t, err)
	h := hold(t, url, `SELECT * FROM ledger WHERE command = 'held' FOR UPDATE`)
	var all sync.WaitGroup
	record := func(o message.Outcome) {
		all.Go(func() {
			if err := s.Record(context.Background(), []message.Outcome{o}); err != nil {
				t.Errorf("record: %v", err)
			}
		})
	}
	record(message.Outcome{Command: "held", State: message.Done})
	h.blocked(1)
	for n := range 50 {
		record(message.Outcome{Command: message.ID(fmt.Sprint(n)), State: message.Done, Account: "main", Dialog: "d", Sequence: n, Ref: fmt.Sprint("r", n)})
	}
	record(message.Outcome{Command: "twice", State: message.Done})
	record(message.Outcome{Command: "twice", State: message.Undone})
	eventually(t, func() bool { return len(s.outcomes.queue) == 52 })
	h.release()
	all.Wait()
	require.EqualValues(t, 2, s.outcomes.commits.Load())
	e, err := s.Intend(t.Context(), []message.ID{"49", "twice"})
	require.NoError(t, err)
	require.Equal(t, []message.EntryState{message.Done, message.Done}, states(e))
	refs, err := s.Refs(t.Context(), "main", "d", []int{3, 1, 99})
	require.NoError(t, err)
	require.Equal(t, []string{"r1", "r3"}, refs)
}

func TestEchoes(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	ctx := t.Context()
	hello, bye := message.TextDigest("hello"), message.TextDigest("bye")
	entries, err := s.Intend(ctx, []message.ID{"other"})
	require.NoError(t, err)
	since := entries[0].Since
	_, err = s.Append(ctx, message.Arrival{Echoes: []message.Echo{
		{Scope: "main", Key: "k1", Dialog: "d", Sequence: 4, At: time.Now()},
		{Scope: "main", Key: "k1", Dialog: "d", Sequence: 4, At: time.Now()},
		{Scope: "main", Dialog: "d", Sequence: 5, Digest: hello, At: time.Now()},
		{Scope: "main", Dialog: "d", Sequence: 6, Digest: hello, At: time.Now()},
		{Scope: "sms", Key: "k2", Sequence: -1},
	}})
	require.NoError(t, err)
	find := func(scope string, key message.ID, dialog string, digest []byte, since time.Time) string {
		n, found, err := s.Echo(ctx, scope, key, dialog, digest, since)
		require.NoError(t, err)
		if !found {
			return "none"
		}
		return fmt.Sprint(n)
	}
	require.Equal(t, "4", find("main", "k1", "d", hello, since), "its ID counts more than its text")
	require.Equal(t, "-1", find("sms", "k2", "", nil, since))
	require.Equal(t, "none", find("other", "k1", "d", nil, since))
	require.Equal(t, "5", find("main", "k9", "d", hello, since))
	require.Equal(t, "none", find("main", "k9", "d", bye, since))
	require.Equal(t, "none", find("main", "k9", "e", hello, since))
	require.Equal(t, "none", find("main", "k9", "d", hello, time.Now().Add(time.Hour)), "an older one is not of this attempt")
	require.NoError(t, s.Record(ctx, []message.Outcome{{Command: "other", State: message.Done, Account: "main", Dialog: "d", Sequence: 5}}))
	require.Equal(t, "6", find("main", "k9", "d", hello, since), "the first is that of another message")
}

func TestJournalDeadLettersAndRatings(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	ctx := t.Context()
	require.NoError(t, s.Note(ctx, nil))
	require.NoError(t, s.Note(ctx, []message.Note{{At: time.Now(), Address: phone, What: "gap", Detail: "\x00"}, {What: "late"}}))
	require.EqualValues(t, 2, number64(t, url, `SELECT count(*) FROM journal`))

	for range 2 {
		require.NoError(t, s.Bury(ctx, []message.DeadLetter{{ID: "1", Reason: "r"}, {ID: "1", Reason: "r"}, {Reason: "no ID", Body: []byte("x")}}))
	}
	require.EqualValues(t, 2, number64(t, url, `SELECT count(*) FROM dead_letters`))

	yes := true
	require.NoError(t, s.Rate(ctx, message.Rating{Account: "main", Conversation: "c", Address: phone, Status: "SKIPPED", At: time.Now()}))
	require.NoError(t, s.Rate(ctx, message.Rating{Account: "main", Conversation: "c", Address: phone, CSAT: 5, Resolved: &yes, Status: "FILLED", At: time.Now()}))
	var csat int
	var resolved *bool
	query(t, url, `SELECT csat, resolved FROM ratings`, func(row pgx.CollectableRow) error { return row.Scan(&csat, &resolved) })
	require.Equal(t, 5, csat)
	require.True(t, *resolved)
	require.Error(t, s.Rate(ctx, message.Rating{Account: "main", Conversation: "c", CSAT: 6, Status: "FILLED", At: time.Now()}), "not a legal value")
}
