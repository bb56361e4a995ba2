package api

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/semaphore"
)

// How much of all bodies may be in memory at once. An ordinary webhook has one to
// five KiB, stays below ownRoom and asks for nothing; what is longer shares
// sharedRoom with its like, so that very many senders of very much cannot take all
// there is. A body's buffer may be twice as large as what is in it.
const (
	ownRoom    = 16 << 10
	sharedRoom = 16 << 20
)

// roomWithin is how long a body waits for room. Meanwhile nothing of it is read, so
// its sender has to wait too: refused at once, those who only want to do harm would
// come again at once, and each new connection costs more than one that waits.
const roomWithin = time.Second

// errCrowded ends a body for which there is no room.
var errCrowded = errors.New("too many long bodies at once")

// room is the shared memory; its unit is the byte.
type room struct {
	*semaphore.Weighted
	within time.Duration
}

func newRoom(size int64) *room { return &room{semaphore.NewWeighted(size), roomWithin} }

// take waits for n bytes, and says whether there was room for them.
func (r *room) take(n int64) bool {
	if r.TryAcquire(n) {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.within)
	defer cancel()
	return r.Acquire(ctx, n) == nil
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
func (t *tenant) leave() { t.room.Release(t.taken) }
