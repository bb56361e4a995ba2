package db

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/message"
)

func TestAppendedIsDispatchedOnce(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	keys, err := s.Append(t.Context(), arrival(wrote(phone, "a"), wrote(phone, "b"), wrote(phone, "a")))
	require.NoError(t, err)
	require.Equal(t, []string{"channel/sms/+15550100200"}, keys)

	pending, err := s.Pending(t.Context(), "", 10)
	require.NoError(t, err)
	require.Equal(t, keys, pending)

	d, state := taken(t, s, keys[0])
	require.Equal(t, message.Drained, state)
	require.Len(t, d.Events, 2)
	require.Equal(t, phone, d.Address)
	require.Equal(t, message.Stream{Address: phone}, d.Stream)
	require.True(t, d.Starts)

	_, err = s.Dispatch(t.Context(), keys[0], 0, 0, func(context.Context, message.Dispatch) error {
		t.Error("handed over again")
		return nil
	})
	require.NoError(t, err)
}

func TestSmoke(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	ctx := t.Context()
	require.NoError(t, s.Ready(ctx))
	key, err := s.DigestKey(ctx)
	require.NoError(t, err)
	require.Len(t, key, 32)
	require.NoError(t, s.Known(ctx, "main", "lp-1", phone))
	_, err = s.Append(ctx, message.Arrival{
		Events:       []message.Event{said("c1", "x"), said("c2", "y")},
		Echoes:       []message.Echo{{Scope: "main", Key: "k", Dialog: "d", Sequence: 3}},
		Participants: []message.Participant{{Account: "main", Conversation: "c1", Consumer: "lp-1"}},
		Dead:         []message.DeadLetter{{ID: "1", Reason: "r", Body: []byte("b")}},
	})
	require.NoError(t, err)
	d, state := taken(t, s, "cloud/main/c1")
	require.Equal(t, message.Drained, state)
	require.Equal(t, phone, d.Address)
	_, state = taken(t, s, "cloud/main/c2")
	require.Equal(t, message.Unbound, state)
	first, err := s.Bind(ctx, "main", "c2", phone)
	require.NoError(t, err)
	require.True(t, first)
	conv, _, found, err := s.OpenConversation(ctx, "main", phone)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "c2", conv)
	require.NoError(t, s.Ended(ctx, "main", "c2"))
	_, err = s.Intend(ctx, []message.ID{"b", "a"})
	require.NoError(t, err)
	require.NoError(t, s.Record(ctx, []message.Outcome{{Command: "a", State: message.Done, Account: "main", Dialog: "d", Sequence: 1, Ref: "r", Refs: []string{"x\ny", `\`}}}))
	e, err := s.Intend(ctx, []message.ID{"b", "a"})
	require.NoError(t, err)
	require.Equal(t, message.Intended, e[0].State)
	require.Equal(t, []string{"x\ny", `\`}, e[1].Outcome.Refs)
	refs, err := s.Refs(ctx, "main", "d", []int{1})
	require.NoError(t, err)
	require.Equal(t, []string{"r"}, refs)
	_, found, err = s.Echo(ctx, "main", "k", "d", nil, d.Events[0].At)
	require.NoError(t, err)
	require.True(t, found)
	require.NoError(t, s.Note(ctx, []message.Note{{What: "gap", Address: phone}}))
	require.NoError(t, s.Rate(ctx, message.Rating{Account: "main", Conversation: "c2", CSAT: 3, Status: "FILLED"}))
	require.NoError(t, s.Finish(ctx, phone, []message.Applied{{Stream: message.Stream{Account: "main", Conversation: "c1"}, Sequence: 1}}, true))
	_, err = s.Unbound(ctx, 10)
	require.NoError(t, err)
	_, _, err = s.Backlog(ctx)
	require.NoError(t, err)
	_, err = s.Reply(ctx, phone)
	require.NoError(t, err)
	_, found, err = s.Address(ctx, "main", "c2")
	require.NoError(t, err)
	require.True(t, found)
}
