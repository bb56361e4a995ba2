package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/message"
)

var errDown = errors.New("temporal is down")

// append1 stores events and returns the key of the first one's stream.
func append1(t testing.TB, s *Store, events ...message.Event) string {
	t.Helper()
	_, err := s.Append(t.Context(), arrival(events...))
	require.NoError(t, err)
	return streamKey(events[0].Stream)
}

func sequences(d message.Dispatch) (out []int64) {
	for _, e := range d.Events {
		out = append(out, e.Sequence)
	}
	return out
}

func pending(t testing.TB, s *Store) []string {
	t.Helper()
	keys, err := s.Pending(t.Context(), "", 100)
	require.NoError(t, err)
	return keys
}

func TestWhatWaitsIsHandedOverOnceAndInOrder(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	key := append1(t, s, wrote(phone, "a"), wrote(phone, "b"), wrote(phone, "a"))
	require.Equal(t, []string{key}, pending(t, s))
	d, state := taken(t, s, key)
	require.Equal(t, message.Drained, state)
	require.Equal(t, []int64{1, 2}, sequences(d))
	require.Equal(t, phone, d.Address)
	require.Equal(t, message.Stream{Address: phone}, d.Stream)
	require.True(t, d.Starts)
	require.False(t, d.OptedOut)
	require.WithinDuration(t, time.Now(), d.Events[0].At, time.Minute)
	require.Empty(t, pending(t, s))

	d, state = taken(t, s, key)
	require.Equal(t, message.Drained, state)
	require.Empty(t, d.Events, "handed over again")
	d, state = taken(t, s, "channel/sms/nobody")
	require.Equal(t, message.Drained, state)
	require.Empty(t, d.Events)
}

func TestAFailureChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	key := append1(t, s, wrote(phone, "a"))
	state, err := s.Dispatch(t.Context(), key, 0, 0, func(context.Context, message.Dispatch) error { return errDown })
	require.ErrorIs(t, err, errDown)
	require.Equal(t, message.More, state)
	d, _ := taken(t, s, key)
	require.Equal(t, []int64{1}, sequences(d))
}

func TestADispatchIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	var events []message.Event
	for i := range 7 {
		e := wrote(phone, fmt.Sprint(i))
		e.Body = []byte(strings.Repeat("x", 100))
		if i == 5 {
			e.Body = []byte(strings.Repeat("x", 5000))
		}
		events = append(events, e)
	}
	key := append1(t, s, events...)
	for _, want := range [][]int64{{1, 2, 3}, {4, 5}, {6}, {7}} { // three events, or 350 bytes, or one
		var got message.Dispatch
		state, err := s.Dispatch(t.Context(), key, 3, 350, func(_ context.Context, d message.Dispatch) error { got = d; return nil })
		require.NoError(t, err)
		require.Equal(t, want, sequences(got))
		require.Equal(t, want[0] != 7, state == message.More)
	}
}

func TestWhatIsNotUrgentGoesAlong(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	quiet := func(id string) message.Event {
		e := wrote(phone, id)
		e.Urgent, e.Starts = false, false
		return e
	}
	keys, err := s.Append(t.Context(), arrival(quiet("a")))
	require.NoError(t, err)
	require.Empty(t, keys)
	require.Empty(t, pending(t, s))
	loud := wrote(phone, "c")
	loud.Starts = false
	key := append1(t, s, quiet("b"), loud)
	d, state := taken(t, s, key)
	require.Equal(t, message.Drained, state)
	require.Equal(t, []int64{1, 2, 3}, sequences(d))
	require.False(t, d.Starts)
}

func TestOneDispatchPerStreamInAllProcesses(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	a, b := open(t, url, Options{}), open(t, url, Options{})
	key := append1(t, a, wrote(phone, "a"))
	state, err := a.Dispatch(t.Context(), key, 0, 0, func(context.Context, message.Dispatch) error {
		for _, s := range []*Store{a, b} {
			_, state := taken(t, s, key)
			require.Equal(t, message.Busy, state)
			state, err := s.Discard(t.Context(), key, 1, "no", "")
			require.NoError(t, err)
			require.Equal(t, message.Busy, state)
		}
		append1(t, b, wrote(phone, "b")) // while the first is on its way
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, message.More, state)
	d, _ := taken(t, b, key)
	require.Equal(t, []int64{2}, sequences(d))
}

func TestDispatchersOfSeveralProcessesKeepTheOrder(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	const streams, each = 5, 60
	stores := []*Store{open(t, url, Options{}), open(t, url, Options{})}
	var flying [streams]atomic.Int32
	var last [streams]int64
	var left atomic.Int64
	left.Store(streams * each)
	var all sync.WaitGroup
	for i, s := range stores {
		all.Go(func() {
			for n := range each / 2 {
				for k := range streams {
					append1(t, s, wrote(phoneNumber(k), fmt.Sprint(i, "-", k, "-", n)))
				}
			}
		})
		for w := range 3 {
			all.Go(func() {
				for k := w; left.Load() > 0 && !t.Failed(); k = (k + 1) % streams {
					_, err := s.Dispatch(t.Context(), "channel/sms/"+phoneNumber(k).Consumer, 7, 0, func(_ context.Context, d message.Dispatch) error {
						if flying[k].Add(1) != 1 {
							t.Error("two dispatches of a stream in flight")
						}
						for _, e := range d.Events {
							if e.Sequence != last[k]+1 {
								t.Errorf("%d follows %d", e.Sequence, last[k])
							}
							last[k] = e.Sequence
						}
						flying[k].Add(-1)
						left.Add(-int64(len(d.Events)))
						return nil
					})
					if err != nil {
						t.Errorf("dispatch: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	for k := range streams {
		require.EqualValues(t, each, last[k])
	}
}

// kill ends the connections by which a process holds advisory locks, as its death would.
const kill = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
	AND ((classid::bigint << 32) | objid::bigint) = $1`

func TestADeathBeforeTheMarkDeliversAgain(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	dies, lives := open(t, url, Options{}), open(t, url, Options{})
	key := append1(t, dies, wrote(phone, "a"))
	_, err := dies.Dispatch(t.Context(), key, 0, 0, func(context.Context, message.Dispatch) error {
		exec(t, url, kill, dies.lockID(key))
		return nil
	})
	require.Error(t, err)
	d, _ := taken(t, lives, key)
	require.Equal(t, []int64{1}, sequences(d))
	_, state := taken(t, dies, key)
	require.Equal(t, message.Drained, state, "the store goes on with a new connection")
}

func TestACancelledDispatchFreesTheStream(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{Dispatching: 1})
	key := append1(t, s, wrote(phone, "a"))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Dispatch(ctx, key, 0, 0, func(ctx context.Context, _ message.Dispatch) error {
		cancel()
		return ctx.Err()
	})
	require.ErrorIs(t, err, context.Canceled)
	d, state := taken(t, open(t, url, Options{}), key)
	require.Equal(t, message.Drained, state)
	require.Equal(t, []int64{1}, sequences(d))
}

func TestASlowTemporalDoesNotHoldUpAppend(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{Dispatching: 2})
	answer := make(chan struct{})
	var all sync.WaitGroup
	var begun sync.WaitGroup
	for n := range 2 {
		key := append1(t, s, wrote(phoneNumber(n), fmt.Sprint(n)))
		begun.Add(1)
		all.Go(func() {
			_, err := s.Dispatch(t.Context(), key, 0, 0, func(context.Context, message.Dispatch) error {
				begun.Done()
				<-answer
				return nil
			})
			if err != nil {
				t.Errorf("dispatch: %v", err)
			}
		})
	}
	begun.Wait()
	append1(t, s, wrote(phone, "a"))
	_, _, err := s.Address(t.Context(), "main", "c")
	require.NoError(t, err)
	close(answer)
	all.Wait()
}

func TestDiscardBuriesAndGoesOn(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	key := append1(t, s, wrote(phone, "a"), wrote(phone, "b"), wrote(phone, "c"))
	state, err := s.Discard(t.Context(), key, 2, "too large", "BlobSize")
	require.NoError(t, err)
	require.Equal(t, message.More, state)
	require.EqualValues(t, 2, number64(t, url, `SELECT count(*) FROM dead_letters WHERE reason = 'too large' AND code = 'BlobSize' AND body <> '' AND consumer = $1`, phone.Consumer))
	d, _ := taken(t, s, key)
	require.Equal(t, []int64{3}, sequences(d))
	state, err = s.Discard(t.Context(), key, 3, "too late", "")
	require.NoError(t, err)
	require.Equal(t, message.Drained, state)
	require.EqualValues(t, 2, number64(t, url, `SELECT count(*) FROM dead_letters`))
}

func TestFinishWaitsForADispatchUnderWay(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s, worker := open(t, url, Options{}), open(t, url, Options{})
	key := append1(t, s, wrote(phone, "a"), wrote(phone, "b"))
	stream := message.Stream{Address: phone}
	finished := make(chan error, 1)
	_, err := s.Dispatch(t.Context(), key, 0, 0, func(context.Context, message.Dispatch) error {
		go func() {
			finished <- worker.Finish(context.Background(), phone, []message.Applied{{Stream: stream, Sequence: 1}}, false)
		}()
		eventually(t, func() bool {
			return number64(t, url, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND ((classid::bigint << 32) | objid::bigint) = $1`, s.lockID(key)) == 1
		})
		require.Empty(t, finished)
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, <-finished)
	require.EqualValues(t, 2, number64(t, url, `SELECT dispatched_seq FROM streams WHERE stream = $1`, key), "a lower number changes nothing")
}

func TestARunThatEndsIsNotRepeatedByTheNext(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	key := append1(t, s, wrote(phone, "a"), wrote(phone, "b"), wrote(phone, "c"))
	cloud := append1(t, s, said("c1", "x"), said("c1", "y"))
	_, err := s.Bind(t.Context(), "main", "c1", phone)
	require.NoError(t, err)
	// Both were signalled, and the relay died before its marks.
	applied := []message.Applied{{Stream: message.Stream{Account: "main", Conversation: "c1"}, Sequence: 2}, {Stream: message.Stream{Address: phone}, Sequence: 2}}
	require.NoError(t, s.Finish(t.Context(), phone, applied, true))
	d, _ := taken(t, s, key)
	require.Equal(t, []int64{3}, sequences(d))
	require.True(t, d.OptedOut)
	_, state := taken(t, s, cloud)
	require.Equal(t, message.Drained, state)

	append1(t, s, said("c1", "z"))
	d, _ = taken(t, s, cloud)
	require.Equal(t, []int64{3}, sequences(d))
	require.True(t, d.OptedOut, "the consumer has, whatever the stream")
	require.NoError(t, s.Finish(t.Context(), phone, nil, false))
	append1(t, s, wrote(phone, "d"))
	d, _ = taken(t, s, key)
	require.False(t, d.OptedOut)
}

func TestStoredEventsCanBeReadAgainInOrder(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	var events []message.Event
	for i := range MaxEvents + 10 {
		events = append(events, wrote(phone, fmt.Sprint(i)))
	}
	key := append1(t, s, events...)
	taken(t, s, key)
	stream := message.Stream{Address: phone}
	got, err := s.Stored(t.Context(), stream, 3, 7)
	require.NoError(t, err)
	require.Equal(t, []int64{4, 5, 6, 7}, sequences(message.Dispatch{Events: got}))
	require.JSONEq(t, string(events[3].Body), string(got[0].Body))
	got, err = s.Stored(t.Context(), stream, 0, 1000)
	require.NoError(t, err)
	require.Len(t, got, MaxEvents)
	got, err = s.Stored(t.Context(), stream, 1000, 2000)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestADispatchOfTheCloudKnowsWhereAnswersGo(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	hello := wrote(phone, "m1")
	hello.Reply = `room\7`
	_, err := s.Append(t.Context(), arrival(hello, said("C1", "a1")))
	require.NoError(t, err)
	_, err = s.Bind(t.Context(), "main", "C1", phone)
	require.NoError(t, err)
	d, _ := taken(t, s, "cloud/main/C1")
	require.Equal(t, hello.Reply, d.Reply, "a run that an agent starts has heard nothing of the consumer")
}
