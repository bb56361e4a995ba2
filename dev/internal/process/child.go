// Package process starts programs so that none is left behind: each in a process
// group of its own, ended together with us even when we are killed, and stopped
// within a bounded time.
//
// It knows nothing about what the programs do.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Spec describes one program.
type Spec struct {
	Name     string // how people call it
	Path     string
	Args     []string
	Env      []string // complete; nil for ours
	Dir      string
	Stdin    *os.File
	Stdout   io.Writer
	Stderr   io.Writer
	User     *syscall.Credential // nil for ours
	Signal   syscall.Signal      // asks it to stop; SIGTERM when zero
	Patience time.Duration       // how long it may take to stop; ten seconds when zero
	Guard    *Guard              // ends it when we are killed; may be nil
}

// Child is a started program.
type Child struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start returns once the program runs.
func Start(spec Spec) (*Child, error) {
	if spec.Signal == 0 {
		spec.Signal = syscall.SIGTERM
	}
	if spec.Patience == 0 {
		spec.Patience = 10 * time.Second
	}
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env, cmd.Dir = spec.Env, spec.Dir
	cmd.Stdout, cmd.Stderr = spec.Stdout, spec.Stderr
	if spec.Stdin != nil {
		cmd.Stdin = spec.Stdin
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: spec.User}
	dieWithParent(cmd.SysProcAttr, spec.Signal)
	// A grandchild that keeps our pipe open must not keep us waiting.
	cmd.WaitDelay = time.Second

	c := &Child{spec: spec, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go c.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	return c, nil
}

// run keeps the thread that started the program: Linux tells a child that its
// parent died as soon as that one thread ends.
func (c *Child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	if err == nil {
		c.spec.Guard.watch(c.PID(), c.spec.Signal)
	}
	started <- err
	if err != nil {
		return
	}
	err = c.cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well itself
	}
	c.killGroup() // what it left behind
	c.spec.Guard.forget(c.PID())
	c.err = err
	close(c.done)
}

// PID is also the number of its process group.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the program has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err is how the program ended; only to be read after Done.
func (c *Child) Err() error { return c.err }

// ExitStatus is what a shell would report: 128 plus the signal for a program that
// was killed.
func (c *Child) ExitStatus() int {
	state := c.cmd.ProcessState
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// Send passes a signal to the whole group, as a terminal does.
func (c *Child) Send(signal syscall.Signal) { _ = syscall.Kill(-c.PID(), signal) }

// Stop asks the program to stop and waits. It is killed when its patience or ctx
// ends first; the error then says so.
func (c *Child) Stop(ctx context.Context) error {
	_ = syscall.Kill(c.PID(), c.spec.Signal)
	patience := time.NewTimer(c.spec.Patience)
	defer patience.Stop()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	case <-patience.C:
	}
	c.killGroup()
	<-c.done
	return fmt.Errorf("%s did not stop in time and was killed", c.spec.Name)
}

// Kill ends the program at once.
func (c *Child) Kill() {
	c.killGroup()
	<-c.done
}

func (c *Child) killGroup() { _ = syscall.Kill(-c.PID(), syscall.SIGKILL) }
