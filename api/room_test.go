package api

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func bodies(size int64, within time.Duration) func(n int) *tenant {
	r := newRoom(size)
	r.within = within
	return func(n int) *tenant { return &tenant{Reader: bytes.NewReader(make([]byte, n)), room: r} }
}

func TestLongBodiesShareARoomAndGiveItBack(t *testing.T) {
	t.Parallel()
	const size = 100 << 10
	body := bodies(size, time.Millisecond)

	short, first, second := body(ownRoom), body(ownRoom+90<<10), body(ownRoom+20<<10)
	for _, b := range []*tenant{short, first} {
		_, err := io.ReadAll(b)
		require.NoError(t, err)
	}
	assert.Zero(t, short.taken)
	assert.EqualValues(t, 90<<10, first.taken)
	_, err := io.ReadAll(second)
	require.ErrorIs(t, err, errCrowded)
	_, err = io.ReadAll(body(ownRoom))
	require.NoError(t, err, "ordinary webhooks do not notice")

	second.leave()
	first.leave()
	short.leave()
	all := body(ownRoom + size)
	_, err = io.ReadAll(all)
	require.NoError(t, err)
	assert.EqualValues(t, size, all.taken, "everything was given back")
}

func TestALongBodyWaitsForRoom(t *testing.T) {
	t.Parallel()
	body := bodies(100<<10, soon)
	first, second := body(ownRoom+90<<10), body(ownRoom+20<<10)
	_, err := io.ReadAll(first)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(second)
		done <- err
	}()
	// Once somebody waits, nobody else is let in.
	require.Eventually(t, func() bool {
		if first.room.TryAcquire(1) {
			first.room.Release(1)
			return false
		}
		return true
	}, soon, time.Millisecond)
	first.leave()
	assert.NoError(t, <-done)
}
