package db

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

func TestOnlyTheLatestClaimProceeds(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	ctx := t.Context()
	_, ok, err := s.Claim(ctx, "f")
	require.NoError(t, err)
	assert.False(t, ok, "it is not intended")
	before, err := s.Intend(ctx, []message.ID{"f"})
	require.NoError(t, err)
	first, ok, err := s.Claim(ctx, "f")
	require.NoError(t, err)
	require.True(t, ok)
	second, ok, err := s.Claim(ctx, "f")
	require.NoError(t, err)
	require.True(t, ok)

	ok, err = s.Proceed(ctx, "f", first, 1)
	require.NoError(t, err)
	assert.False(t, ok, "another attempt has taken it up")
	again, err := s.Intend(ctx, []message.ID{"f"})
	require.NoError(t, err)
	assert.Zero(t, again[0].Outcome.Parts, "nothing can have arrived yet")

	ok, err = s.Proceed(ctx, "f", second, 1)
	require.NoError(t, err)
	assert.True(t, ok)
	again, err = s.Intend(ctx, []message.ID{"f"})
	require.NoError(t, err)
	assert.Equal(t, 1, again[0].Outcome.Parts)
	assert.True(t, again[0].Since.After(before[0].Since), "the echo is waited for from now")

	done(t, s, "f", "")
	ok, err = s.Proceed(ctx, "f", second, 1)
	require.NoError(t, err)
	assert.False(t, ok)
	_, ok, err = s.Claim(ctx, "f")
	require.NoError(t, err)
	assert.False(t, ok)
}

func TestAnEchoWithAnotherOnesIDIsFoundByItsText(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	ctx := t.Context()
	ours, bots := message.NewID("ours"), message.NewID("a bot's, of the same form")
	entries, err := s.Intend(ctx, []message.ID{ours, "click1", "click2"})
	require.NoError(t, err)
	yes := message.TextDigest("Yes")
	for sequence, key := range []message.ID{ours, bots, bots} {
		_, err = s.Append(ctx, message.Arrival{Echoes: []message.Echo{{Scope: "main", Key: key, Dialog: "d", Sequence: sequence, Digest: yes, At: time.Now()}}})
		require.NoError(t, err)
	}
	at := func(command message.ID) int {
		n, found, err := s.Echo(ctx, "main", command, "d", yes, entries[0].Since)
		require.NoError(t, err)
		require.True(t, found)
		return n
	}
	assert.Equal(t, 0, at(ours))
	assert.Equal(t, 1, at("click1"))
	require.NoError(t, s.Record(ctx, []message.Outcome{{Command: "click1", State: message.Done, Account: "main", Dialog: "d", Sequence: 1}}))
	assert.Equal(t, 2, at("click2"), "each click has an echo of its own")
}

func TestTheCloudsRatingsAreKept(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	ctx := t.Context()
	_, err := s.Bind(ctx, "main", "c", phone)
	require.NoError(t, err)
	no := false
	tell := func(ratings ...message.Rating) {
		_, err := s.Append(ctx, message.Arrival{Events: []message.Event{said("c", time.Now().String())}, Ratings: ratings})
		require.NoError(t, err)
	}
	tell(message.Rating{Account: "main", Conversation: "c", CSAT: 2}, message.Rating{Account: "main", Conversation: "c", CSAT: 4, Status: "PARTIALLY_FILLED", At: time.Now()},
		message.Rating{Account: "main", Conversation: "nobody's", CSAT: 1})
	tell(message.Rating{Account: "main", Conversation: "c", Resolved: &no, At: time.Now()})
	tell(message.Rating{Account: "main", Conversation: "c", CSAT: 77, At: time.Now()})
	var csat int
	var resolved *bool
	var status, consumer string
	query(t, url, `SELECT csat, resolved, status, consumer FROM ratings`, func(row pgx.CollectableRow) error { return row.Scan(&csat, &resolved, &status, &consumer) })
	assert.Equal(t, 4, csat, "what was said once is not forgotten, and what makes no sense not taken")
	require.NotNil(t, resolved)
	assert.False(t, *resolved)
	assert.Equal(t, "PARTIALLY_FILLED", status)
	assert.Equal(t, phone.Consumer, consumer)
}
