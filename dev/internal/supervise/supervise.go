// Package supervise keeps a set of programs running in a fixed order: it waits
// until each is ready before the next one starts, starts again what dies, and
// stops all in reverse order.
//
// What the programs are, and when they are ready, is the caller's business.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"parley/dev/internal/process"
)

// Service is one program to keep running.
type Service struct {
	Spec  process.Spec
	Note  string                          // what people want to know once it is ready, an address for instance
	Ready func(ctx context.Context) error // returns once it is ready; nil for at once

	Harmless string // warnings with this text are only in the log file
}

// Supervisor runs services. It has to be stopped.
type Supervisor struct {
	Console *Console
	LogDir  string        // one file per service
	Restart bool          // start again what dies
	Repeat  bool          // show warnings and errors of the services on the console
	Within  time.Duration // how long a service may take to become ready

	mu       sync.Mutex
	units    []*unit
	failed   chan error
	watchers sync.WaitGroup
	life     context.Context // ends when Stop begins
	end      context.CancelFunc
}

// unit is one service at work.
type unit struct {
	service Service
	log     *Log
	child   *process.Child // guarded by Supervisor.mu
}

const (
	firstPause  = 500 * time.Millisecond
	longestRest = 15 * time.Second
	healthy     = time.Minute // running this long forgives earlier deaths
	firstTries  = 3
)

// New returns a supervisor without services.
func New(console *Console, logDir string, restart bool) *Supervisor {
	s := &Supervisor{Console: console, LogDir: logDir, Restart: restart, Repeat: true, Within: time.Minute, failed: make(chan error, 16)}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Failed receives the death of a service that is not started again.
func (s *Supervisor) Failed() <-chan error { return s.failed }

// Start returns when the service is ready. One that cannot become ready is given
// up, and the error shows the end of its log.
func (s *Supervisor) Start(ctx context.Context, service Service) error {
	name := service.Spec.Name
	log, err := s.OpenLog(name)
	if err != nil {
		return err
	}
	log.harmless = service.Harmless
	u := &unit{service: service, log: log}
	s.mu.Lock()
	s.units = append(s.units, u)
	s.mu.Unlock()

	began := time.Now()
	for try := 1; ; try++ {
		if err = s.launch(ctx, u); err == nil {
			break
		}
		if try == firstTries || ctx.Err() != nil || !errors.Is(err, errEnded) {
			return fmt.Errorf("%w%s", err, log.Tail())
		}
		if !rest(ctx, firstPause) {
			return err
		}
	}
	s.Console.Say(name, "ready in %s   %s", Seconds(time.Since(began)), service.Note)
	s.watchers.Add(1)
	go s.watch(u)
	return nil
}

// errEnded is a program that ended before it was ready; another try may do.
var errEnded = errors.New("ended before it was ready")

// launch starts the program and waits until it is ready.
func (s *Supervisor) launch(ctx context.Context, u *unit) error {
	spec := u.service.Spec
	spec.Stdout, spec.Stderr = u.log, u.log
	child, err := process.Start(spec)
	if err != nil {
		return err
	}
	s.mu.Lock()
	u.child = child
	s.mu.Unlock()
	if u.service.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Within)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- u.service.Ready(ctx) }()
	progress := time.NewTicker(5 * time.Second)
	defer progress.Stop()
	began := time.Now()
	for {
		select {
		case err := <-ready:
			return err
		case <-child.Done():
			return fmt.Errorf("%s %w (exit status %d)", spec.Name, errEnded, child.ExitStatus())
		case <-progress.C:
			s.Console.Say(spec.Name, "not ready yet, %s so far", Seconds(time.Since(began)))
		}
	}
}

// watch starts the service again, each time later than before, until it has been
// well for a while.
func (s *Supervisor) watch(u *unit) {
	defer s.watchers.Done()
	ctx := s.life
	name, pause, since := u.service.Spec.Name, firstPause, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.child.Done():
		}
		if ctx.Err() != nil {
			return
		}
		status := u.child.ExitStatus()
		if !s.Restart {
			s.failed <- fmt.Errorf("%s ended (exit status %d)%s", name, status, u.log.Tail())
			return
		}
		if time.Since(since) > healthy {
			pause = firstPause
		}
		s.Console.Say(name, "ended (exit status %d); starting it again in %s", status, Seconds(pause))
		if !rest(ctx, pause) {
			return
		}
		pause, since = min(2*pause, longestRest), time.Now()
		if err := s.launch(ctx, u); err != nil {
			if ctx.Err() == nil {
				s.Console.Say(name, "%v", err)
				u.child.Kill() // not to be in the way of the next attempt
			}
			continue
		}
		s.Console.Say(name, "ready again after %s", Seconds(time.Since(since)))
	}
}

func rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Stop ends all services, the last one first. When ctx ends, those left are
// killed.
func (s *Supervisor) Stop(ctx context.Context) {
	s.end()
	s.mu.Lock()
	units := slices.Clone(s.units)
	s.mu.Unlock()
	slices.Reverse(units)
	for _, u := range units {
		u.log.Quiet() // that others are gone is no news now
	}
	for _, u := range units {
		s.stop(ctx, u)
	}
	s.watchers.Wait()
	// A watcher may have been about to start its service again.
	for _, u := range units {
		s.stop(ctx, u)
		u.log.Close()
	}
}

func (s *Supervisor) stop(ctx context.Context, u *unit) {
	s.mu.Lock()
	child := u.child
	s.mu.Unlock()
	if child == nil {
		return
	}
	select {
	case <-child.Done():
		return
	default:
	}
	began := time.Now()
	if err := child.Stop(ctx); err != nil {
		s.Console.Say(u.service.Spec.Name, "%v", err)
		return
	}
	s.Console.Say(u.service.Spec.Name, "stopped in %s", Seconds(time.Since(began)))
}
