package db

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/message"
)

func TestAnEarlyNotificationWaitsForItsConversation(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	key := append1(t, s, said("c1", "x"))
	_, state := taken(t, s, key)
	require.Equal(t, message.Unbound, state)
	require.Empty(t, pending(t, s))
	orphans, err := s.Unbound(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, orphans, 1)
	require.Equal(t, "c1", orphans[0].Conversation)
	require.EqualValues(t, 1, orphans[0].Waiting)

	first, err := s.Bind(t.Context(), "main", "c1", phone)
	require.NoError(t, err)
	require.True(t, first)
	require.Equal(t, []string{key}, pending(t, s))
	d, state := taken(t, s, key)
	require.Equal(t, message.Drained, state)
	require.Equal(t, phone, d.Address)
	require.Equal(t, message.Stream{Account: "main", Conversation: "c1"}, d.Stream)
	orphans, err = s.Unbound(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, orphans)
}

func TestBindKeepsTheFirstAddress(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	_, err := s.Bind(t.Context(), "main", "c1", phone)
	require.NoError(t, err)
	first, err := s.Bind(t.Context(), "main", "c1", phoneNumber(2))
	require.NoError(t, err)
	require.False(t, first)
	a, found, err := s.Address(t.Context(), "main", "c1")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, phone, a)
	d, _ := taken(t, s, append1(t, s, said("c1", "x")))
	require.Equal(t, phone, d.Address)
	_, found, err = s.Address(t.Context(), "other", "c1")
	require.NoError(t, err)
	require.False(t, found)
}

func TestBindAndAppendOfTheSameMomentNeverMissEachOther(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	api, worker := open(t, url, Options{}), open(t, url, Options{})
	require.NoError(t, worker.Known(t.Context(), "main", "lp-1", phone))
	for n := range 40 {
		conversation := fmt.Sprint("c", n)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := worker.Bind(context.Background(), "main", conversation, phone); err != nil {
				t.Errorf("bind: %v", err)
			}
		})
		a := arrival(said(conversation, fmt.Sprint("x", n)))
		if n%2 == 0 { // both may bind it
			a.Participants = []message.Participant{{Account: "main", Conversation: conversation, Consumer: "lp-1"}}
		}
		_, err := api.Append(t.Context(), a)
		require.NoError(t, err)
		both.Wait()
		d, _ := taken(t, api, "cloud/main/"+conversation)
		require.Len(t, d.Events, 1)
	}
}

func TestAParticipantWeKnowBindsItsConversation(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	require.NoError(t, s.Known(t.Context(), "main", "lp-1", phoneNumber(7)))
	require.NoError(t, s.Known(t.Context(), "main", "lp-1", phone))
	append1(t, s, said("c1", "early"))
	keys, err := s.Append(t.Context(), message.Arrival{Participants: []message.Participant{
		{Account: "main", Conversation: "c1", Consumer: "lp-1"},
		{Account: "main", Conversation: "c2", Consumer: "lp-1"},
		{Account: "main", Conversation: "c3", Consumer: "stranger"},
		{Account: "other", Conversation: "c4", Consumer: "lp-1"},
	}})
	require.NoError(t, err)
	require.Contains(t, keys, "cloud/main/c1")
	require.Equal(t, []string{"cloud/main/c1"}, pending(t, s))
	for conversation, known := range map[string]bool{"c1": true, "c2": true, "c3": false, "c4": false} {
		_, found, err := s.Address(t.Context(), "main", conversation)
		require.NoError(t, err)
		require.Equal(t, known, found, conversation)
	}
	first, err := s.Bind(t.Context(), "main", "c2", phone)
	require.NoError(t, err)
	require.False(t, first)
}

func TestTheOpenConversationIsTheNewestThatHasNotEnded(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	_, _, found, err := s.OpenConversation(t.Context(), "main", phone)
	require.NoError(t, err)
	require.False(t, found)
	for _, c := range []string{"c1", "c2"} {
		_, err := s.Bind(t.Context(), "main", c, phone)
		require.NoError(t, err)
	}
	for _, want := range []string{"c2", "c1"} {
		got, at, found, err := s.OpenConversation(t.Context(), "main", phone)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, want, got)
		require.NotZero(t, at)
		require.NoError(t, s.Ended(t.Context(), "main", want))
	}
	_, _, found, err = s.OpenConversation(t.Context(), "main", phone)
	require.NoError(t, err)
	require.False(t, found)
	_, found, err = s.Address(t.Context(), "main", "c1")
	require.NoError(t, err)
	require.True(t, found, "what still comes for it finds its address")
}

func TestTheLatestReplyIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	reply := func(id, to string) message.Event {
		e := wrote(phone, id)
		e.Reply = to
		return e
	}
	append1(t, s, reply("a", "room 1"), reply("b", "room 2"), reply("c", ""))
	append1(t, s, reply("d", ""))
	append1(t, s, reply("a", "room 9")) // a redelivery
	got, err := s.Reply(t.Context(), phone)
	require.NoError(t, err)
	require.Equal(t, "room 2", got)
	got, err = s.Reply(t.Context(), phoneNumber(9))
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestListenHearsBindsOfOtherProcesses(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	api, worker := open(t, url, Options{}), open(t, url, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan string, 1000)
	var listening sync.WaitGroup
	listening.Go(func() {
		if err := api.Listen(ctx, func(key string) { heard <- key }); err != nil {
			t.Errorf("listen: %v", err)
		}
	})
	n := 0
	hears := func() {
		// What is bound before it listens is for the sweep to find.
		eventually(t, func() bool {
			n++
			_, err := worker.Bind(ctx, "main", fmt.Sprint("c", n), phone)
			require.NoError(t, err)
			return len(heard) > 0
		})
		require.Contains(t, <-heard, "cloud/main/c")
		for len(heard) > 0 {
			<-heard
		}
	}
	hears()
	exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1`, `LISTEN "`+api.notifyChannel()+`"`)
	hears()
	cancel()
	listening.Wait()
}
