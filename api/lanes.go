package api

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// How much presence may wait. More than this is worth nothing any more.
const (
	laneWorkers = 4
	laneWaiting = 64 // per worker
)

// job is one thing to do for a far side, best effort.
type job struct {
	key  string    // jobs of one key are done in order
	at   time.Time // when what it is about happened
	must bool      // is done even when it is late, because it ends something
	do   func(context.Context) error

	tries int // failed ones so far
}

// lane does jobs for one target, so that a slow one delays no other. Nothing waits
// for it: a job that finds no room is dropped, and one that is late is not done.
type lane struct {
	queues  []chan job
	seed    maphash.Seed
	within  time.Duration
	backlog *backlog
	count   func(outcome string)
	failed  func(job, error)
}

func newLane(within time.Duration, b *backlog, count func(outcome string), failed func(job, error)) *lane {
	l := &lane{seed: maphash.MakeSeed(), within: within, backlog: b, count: count, failed: failed}
	for range laneWorkers {
		l.queues = append(l.queues, make(chan job, laneWaiting))
	}
	return l
}

// submit never blocks; it says whether there was room.
func (l *lane) submit(j job) bool {
	l.backlog.add(1)
	select {
	case l.queues[maphash.String(l.seed, j.key)%uint64(len(l.queues))] <- j:
		return true
	default:
		l.backlog.add(-1)
		l.count("dropped")
		return false
	}
}

// start runs the workers until ctx is done; wg ends after them.
func (l *lane) start(ctx context.Context, wg *sync.WaitGroup) {
	for _, queue := range l.queues {
		wg.Go(func() {
			for {
				select {
				case j := <-queue:
					l.run(ctx, j)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

func (l *lane) run(ctx context.Context, j job) {
	defer l.backlog.add(-1)
	until := j.at.Add(l.within)
	if j.must {
		until = time.Now().Add(l.within)
	}
	if !time.Now().Before(until) {
		l.count("late")
		return
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if err := j.do(ctx); err != nil {
		l.count("failed")
		j.tries++
		l.failed(j, err)
		return
	}
	l.count("done")
}

// backlog counts the jobs of all lanes that are not done. A job that leads to
// another counts until the other does.
type backlog struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // closed at zero, once somebody waits
}

func (b *backlog) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n += n
	if b.n == 0 && b.empty != nil {
		close(b.empty)
		b.empty = nil
	}
}

// drained is closed when nothing is left to do.
func (b *backlog) drained() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	done := make(chan struct{})
	if b.n == 0 {
		close(done)
	} else {
		b.empty = done
	}
	return done
}
