package db

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMigrateTwiceAndFromSeveralProcesses(t *testing.T) {
	t.Parallel()
	url := schemaURL(t)
	s := open(t, url, Options{})
	require.ErrorContains(t, s.Ready(t.Context()), "not ready")
	var all sync.WaitGroup
	var mu sync.Mutex
	var steps []string
	for range 4 {
		all.Go(func() {
			err := Migrate(context.Background(), url, func(step string) {
				mu.Lock()
				defer mu.Unlock()
				steps = append(steps, step)
			})
			if err != nil {
				t.Errorf("migrate: %v", err)
			}
		})
	}
	all.Wait()
	require.Len(t, steps, latestVersion(), "each step is made once")
	require.True(t, slices.IsSorted(steps))
	require.NoError(t, s.Ready(t.Context()))
	key, err := s.DigestKey(t.Context())
	require.NoError(t, err)
	require.Len(t, key, 32)
	require.NoError(t, Migrate(t.Context(), url, nil))
	again, err := s.DigestKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, key, again)
}

func TestAnOlderProgramLeavesANewerSchemaAlone(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	exec(t, url, `UPDATE parley_schema_version SET version = 1000`)
	require.NoError(t, Migrate(t.Context(), url, nil))
	require.NoError(t, open(t, url, Options{}).Ready(t.Context()))
	exec(t, url, `UPDATE parley_schema_version SET version = 1`)
	require.ErrorContains(t, open(t, url, Options{}).Ready(t.Context()), "parley migrate")
}

func TestAPasswordIsNotInAnError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:geheim@127.0.0.1:1/x?sslmode=disable", "postgres://u:geheim@[::bad/x", "nonsense geheim"} {
		_, err := Open(t.Context(), url, Options{})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "geheim")
		err = Migrate(t.Context(), url, nil)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "geheim")
	}
}
