package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one program that was started, with all it has said.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}

	mu    sync.Mutex
	lines []string
	state error // of Wait, once done
}

// launch starts a program with nothing but the given environment.
func launch(name, path string, env []string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	here.guard.tell("add", p.cmd.Process.Pid)
	go func() {
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if line != "" {
				p.mu.Lock()
				p.lines = append(p.lines, strings.TrimRight(line, "\n"))
				p.mu.Unlock()
			}
			if err != nil {
				break
			}
		}
		state := p.cmd.Wait()
		here.guard.tell("del", p.cmd.Process.Pid)
		p.mu.Lock()
		p.state = state
		p.mu.Unlock()
		close(p.done)
	}()
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends a process without a warning, and returns when it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// terminate asks a process to stop and says how it did; it is killed if it takes
// too long.
func (p *process) terminate(within time.Duration) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(within):
		p.kill()
		return fmt.Errorf("%s did not stop within %s", p.name, within)
	}
	if status := p.status(); status != 0 {
		return fmt.Errorf("%s stopped with status %d", p.name, status)
	}
	return nil
}

// status is the exit status of a process that has ended; -1 if a signal ended it.
func (p *process) status() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// output is everything the process has said so far.
func (p *process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[:len(p.lines):len(p.lines)]
}

var errNotYet = errors.New("not yet")

// says returns the attributes of the first line with this message in a log of
// Parley's.
func (p *process) says(msg string) (map[string]any, error) {
	for _, line := range p.output() {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == msg {
			return fields, nil
		}
	}
	if !p.running() {
		return nil, fmt.Errorf("%s has ended with status %d", p.name, p.status())
	}
	return nil, fmt.Errorf("%s: %q: %w", p.name, msg, errNotYet)
}

// server is a Temporal server whose state is in a file, so that it can be killed
// and started again.
type server struct {
	address, ui string // ui with its scheme
	file        string
	process     *process
	past        []*process
}

func newServer(file string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ui, err := freeAddress()
	return &server{address: address, ui: "http://" + ui, file: file}, err
}

const serverWithin = time.Minute

func (s *server) start() error {
	path, err := parleyDev()
	if err != nil {
		return err
	}
	p, err := launch("temporal", path, minimal(), "temporal", "-address", s.address, "-ui", strings.TrimPrefix(s.ui, "http://"), "-sqlite", s.file)
	if err != nil {
		return err
	}
	s.process, s.past = p, append(s.past, p)
	return within(serverWithin, "the Temporal server is ready", func() error {
		for _, line := range p.output() {
			if strings.Contains(line, "Temporal is ready") {
				return nil
			}
		}
		if !p.running() {
			return fatal(fmt.Errorf("the Temporal server ended: %s", strings.Join(p.output(), "\n")))
		}
		return errNotYet
	})
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
