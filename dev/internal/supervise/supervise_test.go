package supervise

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"parley/dev/internal/process"
)

func shell(name, script string) Service {
	return Service{Spec: process.Spec{Name: name, Path: "/bin/sh", Args: []string{"-c", script}, Patience: 10 * time.Second}}
}

// file waits for a path to exist.
func file(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := os.Stat(path); err == nil {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	}
}

func TestStopIsInReverseOrder(t *testing.T) {
	t.Parallel()
	s, out := newTestSupervisor(t, true)
	require.NoError(t, s.Start(t.Context(), shell("first", "exec sleep 3600")))
	require.NoError(t, s.Start(t.Context(), shell("second", "exec sleep 3600")))
	s.Stop(t.Context())
	require.Less(t, strings.Index(out.String(), "second     stopped"), strings.Index(out.String(), "first      stopped"))
}

func TestAServiceThatCannotStartIsGivenUpWithItsLog(t *testing.T) {
	t.Parallel()
	s, _ := newTestSupervisor(t, true)
	service := shell("broken", "echo reason of the failure; exit 4")
	service.Ready = file(filepath.Join(t.TempDir(), "never"))
	err := s.Start(t.Context(), service)
	require.ErrorContains(t, err, "broken ended before it was ready (exit status 4)")
	require.ErrorContains(t, err, "reason of the failure")
	s.Stop(t.Context())
}

func TestAServiceThatIsSlowIsGivenUp(t *testing.T) {
	t.Parallel()
	s, _ := newTestSupervisor(t, true)
	s.Within = 50 * time.Millisecond
	service := shell("slow", "exec sleep 3600")
	service.Ready = file(filepath.Join(t.TempDir(), "never"))
	require.ErrorIs(t, s.Start(t.Context(), service), context.DeadlineExceeded)
	s.Stop(t.Context())
}

func TestWhatDiesIsStartedAgainOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{true, false} {
		s, _ := newTestSupervisor(t, restart)
		dir := t.TempDir()
		// Runs until the file "die" exists, and only once leaves "again" behind.
		service := shell("mortal", `test -e "`+dir+`/up" && touch "`+dir+`/again"; touch "`+dir+`/up"
			while test ! -e "`+dir+`/die"; do sleep 0.01; done; rm "`+dir+`/die"; exit 9`)
		service.Ready = file(filepath.Join(dir, "up"))
		require.NoError(t, s.Start(t.Context(), service))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "die"), nil, 0o600))
		if restart {
			require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "again")); return err == nil }, 30*time.Second, 5*time.Millisecond)
		} else {
			require.ErrorContains(t, <-s.Failed(), "mortal ended (exit status 9)")
		}
		s.Stop(t.Context())
	}
}

func TestStopDuringARestPauseStartsNothing(t *testing.T) {
	t.Parallel()
	s, out := newTestSupervisor(t, true)
	require.NoError(t, s.Start(t.Context(), shell("gone", "exit 1")))
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "starting it again") }, 30*time.Second, time.Millisecond)
	s.Stop(t.Context())
	require.NotContains(t, out.String(), "ready again")
	require.NotContains(t, out.String(), "stopped in")
}

func TestStopKillsWhatIsLeftWhenTheBudgetEnds(t *testing.T) {
	t.Parallel()
	s, out := newTestSupervisor(t, true)
	dir := t.TempDir()
	service := shell("stubborn", `trap "" TERM; touch "`+dir+`/up"; while :; do sleep 3600; done`)
	service.Ready = file(filepath.Join(dir, "up"))
	require.NoError(t, s.Start(t.Context(), service))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.Stop(ctx)
	require.Contains(t, out.String(), "stubborn did not stop in time and was killed")
}
