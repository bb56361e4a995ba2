package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Guard is a second process that outlives us when we are killed, ends the process
// groups we had started and removes our temporary directories. The kernel's own
// way (Linux only) reaches children, but not what they started in turn.
//
// A nil *Guard does nothing.
type Guard struct {
	mu   sync.Mutex
	pipe io.WriteCloser
	cmd  *exec.Cmd
}

// StartGuard runs command, which has to call Watch with its standard input. The
// files in hold (a lock, for instance) stay open until everything is cleaned up.
func StartGuard(command []string, env []string, hold ...*os.File) (*Guard, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = env
	cmd.ExtraFiles = hold
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's Ctrl-C
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return &Guard{pipe: pipe, cmd: cmd}, nil
}

// Remove has a directory removed if we are killed.
func (g *Guard) Remove(dir string) { g.tell("remove %s\n", dir) }

// Close tells the guard that we have cleaned up ourselves.
func (g *Guard) Close() {
	if g == nil {
		return
	}
	g.tell("done\n")
	_ = g.pipe.Close()
	_ = g.cmd.Wait()
}

func (g *Guard) watch(pid int, signal syscall.Signal) { g.tell("watch %d %d\n", pid, int(signal)) }
func (g *Guard) forget(pid int)                       { g.tell("forget %d\n", pid) }

// tell ignores a guard that is gone: everything works without, as long as nobody
// kills us.
func (g *Guard) tell(format string, args ...any) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = fmt.Fprintf(g.pipe, format, args...)
}

// Watch is the guard's own side. It returns when it is told that all is done, or
// after it has cleaned up.
func Watch(in io.Reader, patience time.Duration) {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	var groups []group
	var dirs []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		var g group
		var number int
		switch {
		case line == "done":
			return
		case scanned(line, "watch %d %d", &g.pid, &number):
			g.signal = syscall.Signal(number)
			groups = append(groups, g)
		case scanned(line, "forget %d", &number):
			groups = slices.DeleteFunc(groups, func(g group) bool { return g.pid == number })
		case len(line) > len("remove "):
			dirs = append(dirs, line[len("remove "):])
		}
	}
	cleanUp(groups, dirs, patience)
}

type group struct {
	pid    int
	signal syscall.Signal
}

func (g group) alive() bool { return syscall.Kill(-g.pid, 0) == nil }

func scanned(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format, into...)
	return err == nil && n == len(into)
}

// cleanUp stops the groups in reverse order of their start, all within the
// patience, and kills what is left.
func cleanUp(groups []group, dirs []string, patience time.Duration) {
	deadline := time.Now().Add(patience)
	slices.Reverse(groups)
	for _, g := range groups {
		_ = syscall.Kill(-g.pid, g.signal)
		for g.alive() && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
	}
	for _, g := range groups {
		_ = syscall.Kill(-g.pid, syscall.SIGKILL)
	}
	for _, dir := range dirs {
		_ = os.RemoveAll(dir)
	}
}
