package api

import (
	"errors"
	"io"
	"sync/atomic"
)

// How much of all bodies may be in memory at once. An ordinary webhook has one to
// five KiB, stays below ownRoom and asks for nothing; what is longer shares
// sharedRoom with its like, so that very many senders of very much cannot take all
// there is. A body's buffer may be twice as large as what is in it.
const (
	ownRoom    = 16 << 10
	sharedRoom = 16 << 20
)

// errCrowded ends a body for which there is no room.
var errCrowded = errors.New("too many long bodies at once")

// room is what is left of the shared memory, in bytes.
type room struct{ left atomic.Int64 }

func newRoom(size int64) *room {
	r := &room{}
	r.left.Store(size)
	return r
}

// take says whether there was room for n bytes.
func (r *room) take(n int64) bool {
	if r.left.Add(-n) >= 0 {
		return true
	}
	r.left.Add(n)
	return false
}

// tenant reads a body and takes room for what comes after its own part of it.
type tenant struct {
	io.Reader
	room  *room
	read  int64
	taken int64
}

func (t *tenant) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	t.read += int64(n)
	if more := t.read - ownRoom - t.taken; more > 0 {
		if !t.room.take(more) {
			return 0, errCrowded
		}
		t.taken += more
	}
	return n, err
}

// leave gives everything back. It may be called once, when nothing reads any more.
func (t *tenant) leave() { t.room.left.Add(t.taken) }
