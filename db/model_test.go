package db

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"parley/message"
)

// model is what the inbox promises, for one stream.
type model struct {
	events     []string // in order; the first has number 1
	urgent     int64    // the last urgent one's number
	dispatched int64
	bound      bool
}

func (m *model) pending() bool { return m.bound && m.dispatched < m.urgent }

// TestTheInboxKeepsItsPromises runs random arrivals, redeliveries, dispatches that
// fail or die before their mark, binds and ends of runs on two processes' Stores,
// and compares with the model after each.
func TestTheInboxKeepsItsPromises(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	stores := []*Store{open(t, url, Options{}), open(t, url, Options{})}
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		r := &inboxRun{rt: rt, stores: stores, round: round, streams: map[string]*model{}, seen: map[string]bool{}}
		for _, k := range []string{"p", "q"} {
			r.streams[streamKey(r.stream(k))] = &model{bound: true}
		}
		r.streams[streamKey(r.stream("c"))] = &model{}
		rt.Repeat(map[string]func(*rapid.T){"append": r.append, "dispatch": r.dispatch, "bind": r.bind, "finish": r.finish, "": r.check})
	})
}

type inboxRun struct {
	rt      *rapid.T
	stores  []*Store
	round   int
	streams map[string]*model
	seen    map[string]bool
}

func (r *inboxRun) stream(name string) message.Stream {
	if name == "c" {
		return message.Stream{Account: "main", Conversation: fmt.Sprint("c", r.round)}
	}
	return message.Stream{Address: message.Address{Channel: "sms", Consumer: fmt.Sprint(name, r.round)}}
}

func (r *inboxRun) any(t *rapid.T) (*Store, message.Stream, *model) {
	stream := r.stream(rapid.SampledFrom([]string{"p", "q", "c"}).Draw(t, "stream"))
	return rapid.SampledFrom(r.stores).Draw(t, "store"), stream, r.streams[streamKey(stream)]
}

func (r *inboxRun) append(t *rapid.T) {
	var a message.Arrival
	s, _, _ := r.any(t)
	for range rapid.IntRange(1, 4).Draw(t, "events") {
		_, stream, m := r.any(t)
		id := fmt.Sprint(r.round, "-", rapid.IntRange(0, 25).Draw(t, "id"))
		urgent := rapid.Bool().Draw(t, "urgent")
		a.Events = append(a.Events, message.Event{Stream: stream, Source: "s", EventID: id, Urgent: urgent, Body: []byte(id)})
		if r.seen[id] {
			continue
		}
		r.seen[id] = true
		m.events = append(m.events, id)
		if urgent {
			m.urgent = int64(len(m.events))
		}
	}
	_, err := s.Append(context.Background(), a)
	require.NoError(t, err)
}

func (r *inboxRun) dispatch(t *rapid.T) {
	s, stream, m := r.any(t)
	most := rapid.IntRange(1, 3).Draw(t, "max")
	fails := rapid.Bool().Draw(t, "fails")
	var got *message.Dispatch
	state, err := s.Dispatch(context.Background(), streamKey(stream), most, 0, func(_ context.Context, d message.Dispatch) error {
		got = &d
		if fails {
			return errDown
		}
		return nil
	})
	if !m.pending() {
		require.NoError(t, err)
		require.Nil(t, got)
		require.Equal(t, m.dispatched < m.urgent, state == message.Unbound)
		return
	}
	require.Equal(t, fails, err != nil)
	want := m.events[m.dispatched:min(int(m.dispatched)+most, len(m.events))]
	require.Len(t, got.Events, len(want))
	for i, e := range got.Events {
		require.Equal(t, m.dispatched+int64(i)+1, e.Sequence)
		require.Equal(t, want[i], string(e.Body))
	}
	if !fails {
		m.dispatched += int64(len(want))
		require.Equal(t, m.pending(), state == message.More)
	}
}

func (r *inboxRun) bind(t *rapid.T) {
	s, _, _ := r.any(t)
	stream := r.stream("c")
	m := r.streams[streamKey(stream)]
	first, err := s.Bind(context.Background(), stream.Account, stream.Conversation, r.stream("p").Address)
	require.NoError(t, err)
	require.Equal(t, !m.bound, first)
	m.bound = true
}

func (r *inboxRun) finish(t *rapid.T) {
	s, stream, m := r.any(t)
	applied := rapid.Int64Range(0, int64(len(m.events))).Draw(t, "applied")
	require.NoError(t, s.Finish(context.Background(), r.stream("p").Address, []message.Applied{{Stream: stream, Sequence: applied}}, false))
	if len(m.events) > 0 {
		m.dispatched = max(m.dispatched, applied)
	}
}

func (r *inboxRun) check(t *rapid.T) {
	pending, err := r.stores[0].Pending(context.Background(), "", 1_000_000)
	require.NoError(t, err)
	for key, m := range r.streams {
		require.Equal(t, m.pending(), slices.Contains(pending, key), "pending %s", key)
	}
}
