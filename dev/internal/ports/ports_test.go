package ports

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsAreHandedOutOnceAndSkippedWhenTaken(t *testing.T) {
	t.Parallel()
	r := NewRange(14_900, 14_950)
	taken, err := r.Free()
	require.NoError(t, err)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(taken)))
	require.NoError(t, err)
	defer l.Close()
	seen := map[int]bool{taken: true}
	for range 40 {
		port, err := r.Free()
		require.NoError(t, err)
		require.False(t, seen[port], port)
		require.GreaterOrEqual(t, port, 14_900)
		require.Less(t, port, 14_950)
		seen[port] = true
	}
}
