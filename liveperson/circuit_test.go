package liveperson

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
)

var errDown = &fault.Error{Class: fault.Uncertain, Op: "op", Err: errNoAnswer}

// script is a far side whose next answers are known.
type script struct {
	*circuit
	calls int
	told  []bool
}

func newScript() *script {
	s := &script{}
	s.circuit = newCircuit("main", func(open bool) { s.told = append(s.told, open) })
	return s
}

func (s *script) call(ctx context.Context, a answer, err error) error {
	got, err := s.around(ctx, "op", func() (answer, error) {
		s.calls++
		return a, err
	})
	if err == nil {
		err = got.judge("op", creates, time.Now())
	}
	return err
}

func (s *script) fail(t *testing.T, times int) {
	for range times {
		require.ErrorIs(t, s.call(t.Context(), answer{}, errDown), errNoAnswer)
	}
}

// refused is a call that fails at once, and how long it is to wait.
func (s *script) refused(t *testing.T) time.Duration {
	before := s.calls
	err := s.call(t.Context(), answer{status: 200}, nil)
	require.ErrorIs(t, err, errCircuitOpen)
	require.Equal(t, fault.Transient, fault.ClassOf(err), "nothing has left")
	require.Equal(t, CodeNotTried, fault.CodeOf(err), "which counts as no attempt")
	require.Equal(t, before, s.calls)
	return fault.RetryAfter(err)
}

func TestACircuitOpensAndItsPauseGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.fail(t, 10)
		for _, pause := range []time.Duration{1, 2, 4, 5, 5} {
			pause *= time.Second
			require.Equal(t, pause, s.refused(t))
			time.Sleep(pause - time.Second/4)
			require.Equal(t, time.Second, s.refused(t), "never less")
			time.Sleep(time.Second/4 + time.Nanosecond)
			s.fail(t, 1) // the one that is let through
		}
		time.Sleep(6 * time.Second)
		require.NoError(t, s.call(t.Context(), answer{status: 200}, nil))
		require.NoError(t, s.call(t.Context(), answer{status: 200}, nil), "it is closed")
		require.Equal(t, []bool{true, false}, s.told)

		s.fail(t, 10)
		require.Equal(t, time.Second, s.refused(t), "it begins anew")
		require.Equal(t, []bool{true, false, true}, s.told)
	})
}

func TestACircuitLetsOneThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.fail(t, 10)
		time.Sleep(time.Second + time.Nanosecond)
		release, done := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := s.around(t.Context(), "op", func() (answer, error) {
				<-release
				return answer{status: 200}, nil
			})
			done <- err
		}()
		synctest.Wait()
		require.Equal(t, time.Second, s.refused(t))
		close(release)
		require.NoError(t, <-done)
		require.NoError(t, s.call(t.Context(), answer{status: 200}, nil))
	})
}

func TestOnlyADeadFarSideOpensACircuit(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	transient := func(err error) error { return &fault.Error{Class: fault.Transient, Op: "op", Err: err} }
	for name, c := range map[string]struct {
		ctx   context.Context
		a     answer
		err   error
		opens bool
	}{
		"no answer":               {t.Context(), answer{}, errDown, true},
		"no connection":           {t.Context(), answer{}, transient(errNotConnected), true},
		"half a request":          {t.Context(), answer{}, transient(errNotSent), true},
		"500":                     {t.Context(), answer{status: 500}, nil, true},
		"503":                     {t.Context(), answer{status: 503}, nil, true},
		"tokens are not issued":   {t.Context(), answer{}, answer{status: 502}.judgeAccount("op", time.Now()), true},
		"429":                     {t.Context(), answer{status: 429}, nil, false},
		"401":                     {t.Context(), answer{status: 401}, nil, false},
		"400":                     {t.Context(), answer{status: 400}, nil, false},
		"tokens are refused":      {t.Context(), answer{}, answer{status: 401}.judgeAccount("op", time.Now()), false},
		"the caller did not wait": {gone, answer{}, errDown, false},
		"something of ours":       {t.Context(), answer{}, errors.New("a mistake"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript()
			for range 30 {
				require.Error(t, s.call(c.ctx, c.a, c.err))
			}
			if c.opens {
				require.Equal(t, 10, s.calls)
				require.Equal(t, []bool{true}, s.told)
				return
			}
			require.Equal(t, 30, s.calls)
			require.Empty(t, s.told)
		})
	}
}

func TestFailuresThatAreNotInARow(t *testing.T) {
	t.Parallel()
	s := newScript()
	for range 5 {
		s.fail(t, 9)
		require.NoError(t, s.call(t.Context(), answer{status: 200}, nil))
	}
	s.fail(t, 9)
	require.Error(t, s.call(t.Context(), answer{status: 400}, nil), "an answer, if not the one that was hoped for")
	s.fail(t, 9)
	require.Empty(t, s.told)
}

// Who gives up while it is let through leaves the place to the next.
func TestAProbeWhoseCallerGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.fail(t, 10)
		time.Sleep(time.Second + time.Nanosecond)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, s.call(ctx, answer{}, errDown))
		require.NoError(t, s.call(t.Context(), answer{status: 200}, nil))
		require.Equal(t, []bool{true, false}, s.told)
	})
}

func TestADeadlineOfWhatACallNeedsFirst(t *testing.T) {
	t.Parallel()
	s := newScript()
	hung := &fault.Error{Class: fault.Transient, Op: "token", Err: gaveUp(context.DeadlineExceeded)}
	for range 10 {
		require.ErrorIs(t, s.call(t.Context(), answer{}, hung), context.DeadlineExceeded)
	}
	s.refused(t) // the caller was still waiting: it is the far side that is not there
}
