package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"parley/dev/internal/ports"
)

// asProgram makes the test binary behave as parley-dev, or as a stand-in for
// parley, so that tests need no second build of the Temporal server.
const asProgram = "PARLEY_DEV_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	if len(os.Args) > 1 && slices.Contains([]string{"migrate", "simulator", "api", "worker"}, os.Args[1]) {
		standIn(os.Args[1])
		return
	}
	main()
}

// standIn behaves like a sub-command of parley as far as the supervisor can see,
// and keeps a journal of its starts and stops.
func standIn(name string) {
	note := func(format string, args ...any) {
		file, err := os.OpenFile(os.Getenv("STAND_IN_JOURNAL"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		defer file.Close()
		fmt.Fprintf(file, format+"\n", args...)
	}
	if os.Getenv("STAND_IN_FAILS") == name {
		fmt.Println(`{"level":"ERROR","msg":"configuration","err":"PARLEY_ACCOUNTS: is missing"}`)
		os.Exit(2)
	}
	note("start %s %d", name, os.Getpid())
	if name == "migrate" {
		if err := os.WriteFile(os.Getenv("STAND_IN_JOURNAL")+".env", []byte(strings.Join(os.Environ(), "\n")), 0o600); err != nil {
			panic(err)
		}
		return
	}
	address := os.Getenv("PARLEY_OPS_ADDR")
	if name == "simulator" {
		address = os.Getenv("PARLEY_SIMULATOR_ADDR")
	}
	go func() {
		panic(http.ListenAndServe(address, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	}()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	note("stop %s", name)
	if os.Getenv("STAND_IN_STUBBORN") == name {
		select {}
	}
}

// program is a parley-dev at work.
type program struct {
	cmd  *exec.Cmd
	out  *transcript
	done chan struct{}
}

// start runs parley-dev. It is killed at the end of the test, if it still runs.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &program{cmd: exec.Command(self, args...), out: &transcript{}, done: make(chan struct{})}
	p.cmd.Env = append(clean(os.Environ()), append(env, asProgram+"=1")...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.WaitDelay = time.Second
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("parley-dev %s:\n%s", strings.Join(args, " "), p.out)
		}
	})
	return p
}

// clean removes what would make parley-dev use servers of somebody else's.
func clean(environ []string) []string {
	var kept []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if name != "DATABASE_URL" && !strings.HasPrefix(name, "TEMPORAL_") && !strings.HasPrefix(name, "PARLEY_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

func (p *program) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// status waits for the end.
func (p *program) status(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(90 * time.Second):
		t.Fatalf("parley-dev did not end:\n%s", p.out)
		return 0
	}
}

// says waits for a text in the output.
func (p *program) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() bool {
		select {
		case <-p.done:
			return true
		default:
			return strings.Contains(p.out.String(), text)
		}
	})
	require.Contains(t, p.out.String(), text)
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 90*time.Second, 10*time.Millisecond)
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil { // not Linux, or gone
		return syscall.Kill(pid, 0) == nil
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") // a zombie waits for whoever adopted it
}

// testPorts is apart from what the programs under test choose for themselves.
var testPorts = ports.NewRange(15_000, 20_000)

func testPort(t *testing.T) int {
	t.Helper()
	port, err := testPorts.Free()
	require.NoError(t, err)
	return port
}

func listening(address string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// transcript is a buffer that can be read while it is written.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"no command":           {nil, 2, "Usage"},
		"help":                 {[]string{"help"}, 0, "parley-dev exec"},
		"help of a command":    {[]string{"run", "-h"}, 0, "worker-ops"},
		"an unknown command":   {[]string{"fly"}, 2, `no command "fly"`},
		"an unknown flag":      {[]string{"temporal", "-x"}, 2, "-x"},
		"an argument too many": {[]string{"postgres", "more"}, 2, `"more"`},
		"two stores":           {[]string{"temporal", "-sqlite", "a", "-postgres", "b"}, 2, "choose one"},
		"an unknown store":     {[]string{"exec", "-temporal-store", "paper", "--", "true"}, 2, "paper"},
		"exec without command": {[]string{"exec"}, 2, "which command"},
		"run without parley":   {[]string{"run", "-parley", "/nowhere/parley"}, 2, "make build"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, nil, c.args...)
			require.Equal(t, c.status, p.status(t))
			require.Contains(t, p.out.String(), c.says)
		})
	}
}
