package activities

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/conversation"
	"parley/message"
)

// Stored returns two events of any stream, 4 and 5.
func (l *ledger) Stored(_ context.Context, _ message.Stream, after, last int64) (out []message.Stored, err error) {
	for n := max(after+1, 4); n <= min(last, 5); n++ {
		out = append(out, message.Stored{Sequence: n})
	}
	return out, nil
}

func TestFetchSkipsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	fetch := func(after, last int64) (got Fetched, err error) {
		value, err := d.ExecuteActivity(d.Fetch, conversation.Behind{Stream: message.Stream{Address: addr}, After: after, Last: last})
		if err != nil {
			return got, err
		}
		return got, value.Get(&got)
	}
	got, err := fetch(3, 9)
	require.NoError(t, err)
	require.Len(t, got.Events, 2)
	require.EqualValues(t, 4, got.Events[0].Sequence)
	_, err = fetch(2, 9)
	require.ErrorContains(t, err, "no longer holds", "one is missing")
	_, err = fetch(5, 9)
	require.ErrorContains(t, err, "no longer holds")
}
