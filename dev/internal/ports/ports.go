// Package ports finds ports on loopback for servers that are started a little
// later, by somebody else.
//
// Asking the kernel for "any port" is not enough for that: between the answer and
// the start of the server the kernel gives the same port to an outgoing
// connection, or to the next who asks.
package ports

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// Range is a set of ports below those that kernels use for outgoing connections
// (from 32768 on Linux, from 49152 on macOS). It hands out each once.
type Range struct {
	first, size int
	next        atomic.Int64
}

// perProcess is how many ports a process takes before it may meet another's.
const perProcess = 16

// Servers is the range for servers of our own. Every process begins at another
// place in it, so that two which start at the same time do not meet.
var Servers = NewRange(20_000, 32_000)

// NewRange returns the ports from first up to and without end.
func NewRange(first, end int) *Range {
	r := &Range{first: first, size: end - first}
	r.next.Store(int64(os.Getpid() * perProcess))
	return r
}

// Free returns a port on which nobody listens.
func (r *Range) Free() (int, error) {
	for range r.size {
		port := r.first + int(r.next.Add(1))%r.size
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("no free port on loopback")
}
