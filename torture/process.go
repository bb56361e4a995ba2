package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program we started. Its output is in a file; the lines that may be
// asked for are kept.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	file string

	mu    sync.Mutex
	lines []string
}

// keepLines bounds what is kept of a process that says much.
const keepLines = 2000

// launch starts a program with nothing but the given environment. It dies with us.
func launch(folder, name, path string, env []string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.cmd.Stdout
	p.file = filepath.Join(folder, name+".log")
	file, err := os.OpenFile(p.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	go func() {
		defer file.Close()
		defer close(p.done)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if line != "" {
				_, _ = file.WriteString(line)
				p.keep(strings.TrimRight(line, "\n"))
			}
			if err != nil {
				break
			}
		}
		_ = p.cmd.Wait()
	}()
	return p, nil
}

func (p *process) keep(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines) < keepLines {
		p.lines = append(p.lines, line)
	}
}

// find returns the first line that f accepts.
func (p *process) find(f func(line string) bool) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if f(line) {
			return line, true
		}
	}
	return "", false
}

// await waits for a line of a process's output.
func (p *process) await(ctx context.Context, within time.Duration, f func(line string) bool) (line string, err error) {
	err = eventually(ctx, within, p.name+" says that it is ready", func() error {
		var ok bool
		if line, ok = p.find(f); ok {
			return nil
		}
		if !p.running() {
			return fatal(fmt.Errorf("%s has ended; see %s", p.name, p.file))
		}
		return errNotYet
	})
	return line, err
}

// ready waits for the line in which Parley's processes say where they listen.
func (p *process) ready(ctx context.Context) (map[string]any, error) {
	var fields map[string]any
	_, err := p.await(ctx, time.Minute, func(line string) bool {
		fields = nil
		return json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == "ready"
	})
	return fields, err
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends a process without a warning, and returns when it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// terminate asks a process to stop, and says how long that took and how it ended.
func (p *process) terminate(within time.Duration) (time.Duration, error) {
	began := time.Now()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(within):
		p.kill()
		return time.Since(began), fmt.Errorf("%s did not stop within %s", p.name, within)
	}
	if status := p.cmd.ProcessState.ExitCode(); status != 0 {
		return time.Since(began), fmt.Errorf("%s stopped with status %d", p.name, status)
	}
	return time.Since(began), nil
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

var errNotYet = errors.New("not yet")

// fatalError ends a wait early: it will not get better.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

func fatal(err error) error { return fatalError{err} }

// eventually looks at a condition until it holds.
func eventually(ctx context.Context, within time.Duration, what string, condition func() error) error {
	deadline := time.Now().Add(within)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if end := new(fatalError); errors.As(err, end) || time.Now().After(deadline) {
			return fmt.Errorf("%s: %w (waited %s)", what, err, within)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// pause lets an outage last, or keeps a pace.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// freeAddress is an address that nobody listened at a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
