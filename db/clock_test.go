package db

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHowFarTheClockIsOff(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	off, err := s.ClockOffset(t.Context())
	require.NoError(t, err)
	require.Less(t, off.Abs(), 30*time.Second)

	now := time.Now()
	theirs := now.Round(0).Add(time.Second) // they answered half way
	require.Zero(t, offset(now, 2*time.Second, theirs))
	require.Equal(t, 10*time.Minute, offset(now, 2*time.Second, theirs.Add(-10*time.Minute)))
	require.Equal(t, -10*time.Minute, offset(now, 2*time.Second, theirs.Add(10*time.Minute)))
}
