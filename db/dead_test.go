package db

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

func TestADeadLetterIsListedUntilItIsSettled(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	for _, id := range []message.ID{"a", "b", "c"} {
		require.NoError(t, s.Bury(t.Context(), []message.DeadLetter{{ID: id, Address: phone, Reason: "refused", Body: []byte("{}")}}))
	}
	ids := func(r DeadRange) (ids []message.ID) {
		r.Limit = 2
		for {
			page, err := s.DeadLetters(t.Context(), r)
			require.NoError(t, err)
			for _, d := range page {
				ids = append(ids, d.ID)
			}
			if len(page) < r.Limit {
				return ids
			}
			r.After = page[len(page)-1]
		}
	}
	assert.Equal(t, []message.ID{"a", "b", "c"}, ids(DeadRange{}))
	require.NoError(t, s.Redriven(t.Context(), "b", 0))
	require.NoError(t, s.Redriven(t.Context(), "b", 0), "a repetition counts once")
	assert.Equal(t, []message.ID{"a", "c"}, ids(DeadRange{}))
	assert.Len(t, ids(DeadRange{Settled: true}), 3)
	done(t, s, "c", "")
	assert.Equal(t, []message.ID{"a"}, ids(DeadRange{}), "c was sent by its conversation")

	require.NoError(t, s.Bury(t.Context(), []message.DeadLetter{{ID: "b", Reason: "refused again"}, {ID: "a", Reason: "another"}}))
	d, found, err := s.DeadLetter(t.Context(), "b")
	require.NoError(t, err)
	require.True(t, found)
	assert.Equal(t, []any{"refused again", "", 1, phone}, []any{d.Reason, d.SettledBy, d.Redriven, d.Address})
	d, _, err = s.DeadLetter(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "refused", d.Reason, "the first word stands")
	_, found, err = s.DeadLetter(t.Context(), "z")
	require.NoError(t, err)
	assert.False(t, found)
}
