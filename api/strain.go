package api

import (
	"sync/atomic"
	"time"
)

// When Postgres is slow, presence goes first: its lookups would take what messages
// need. slowFrom is far above an ordinary commit (7 ms p99) and far below
// storeWithin, so it is shed while every message is still accepted.
const (
	slowFrom  = 250 * time.Millisecond
	calmAfter = 2 * time.Second
)

// strain says whether storing has been slow just now.
type strain struct{ until atomic.Int64 } // nanoseconds

// watch begins to watch one store; the caller tells its end. A store that hangs
// counts as soon as it is slow, not when it ends.
func (s *strain) watch() (ended func(error)) {
	slow := time.AfterFunc(slowFrom, s.note)
	return func(err error) {
		if inTime := slow.Stop(); !inTime || err != nil {
			s.note()
		}
	}
}

func (s *strain) note() { s.until.Store(time.Now().Add(calmAfter).UnixNano()) }

func (s *strain) on() bool { return time.Now().UnixNano() < s.until.Load() }
