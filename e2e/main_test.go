package e2e

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// machine is what all tests of a run share: the binaries, the Temporal server, and
// the guard that ends what a killed test run would leave behind.
type machine struct {
	dir    string
	parley string // path of the binary
	guard  *guard

	once   sync.Once
	server *server
	err    error
}

// here is the one machine; TestMain sets it up before any test runs.
var here machine

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if err := here.setUp(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer here.tearDown()
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == p.DefValue {
		// Most of these tests wait for most of their time.
		_ = flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0))))
	}
	status := m.Run()
	for _, c := range []*common{&ordinaryRows, &strainedRows} {
		if !c.close() {
			status = max(status, 1)
		}
	}
	return status
}

func (m *machine) setUp() error {
	var err error
	if m.dir, err = os.MkdirTemp("", "parley-e2e-"); err != nil {
		return err
	}
	if m.guard, err = startGuard(m.dir); err != nil {
		return err
	}
	if m.parley = os.Getenv("PARLEY_BIN"); m.parley != "" {
		if m.parley, err = exec.LookPath(m.parley); err != nil {
			return fmt.Errorf("PARLEY_BIN: %w", err)
		}
		m.parley, err = filepath.Abs(m.parley)
		return err
	}
	m.parley = filepath.Join(m.dir, "parley")
	out, err := exec.Command("go", "build", "-o", m.parley, "../cmd/parley").CombinedOutput()
	if err != nil {
		return fmt.Errorf("parley does not build: %w\n%s", err, out)
	}
	return nil
}

func (m *machine) tearDown() {
	if m.server != nil && m.server.process != nil {
		m.server.process.kill()
	}
	m.guard.close()
	_ = os.RemoveAll(m.dir)
}

// guard is a shell that kills the processes it was told of when its standard input
// ends: also when this process is killed, or panics at its time limit.
type guard struct {
	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

const guardScript = `
pids=" "
while read -r op pid; do
	case $op in
	add) pids="$pids$pid " ;;
	del) pids="${pids%% $pid *} ${pids#* $pid }" ;;
	esac
done
for pid in $pids; do kill -9 "$pid"; done 2>/dev/null
rm -rf "$1"
`

func startGuard(dir string) (*guard, error) {
	cmd := exec.Command("sh", "-c", guardScript, "guard", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us alone
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &guard{cmd: cmd, stdin: stdin}, cmd.Start()
}

func (g *guard) tell(op string, pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(g.stdin, "%s %d\n", op, pid)
}

func (g *guard) close() {
	_ = g.stdin.Close()
	_ = g.cmd.Wait()
}

// parleyDev is the program that brings a Temporal server.
func parleyDev() (string, error) {
	path := os.Getenv("PARLEY_DEV")
	if path == "" {
		path = "../bin/parley-dev"
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", fmt.Errorf("there is no Temporal server to test with (%w): run `make test`, which builds bin/parley-dev, or set PARLEY_DEV", err)
	}
	return path, nil
}

// requireMachine skips a test on a machine that lacks the database, and fails in CI.
func requireMachine(t testing.TB) {
	t.Helper()
	if os.Getenv("DATABASE_URL") != "" {
		return
	}
	const text = "DATABASE_URL is not set: run `make test`"
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// slow leaves a test out of short runs.
func slow(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out of short runs")
	}
}

// sharedTemporal returns a Temporal server that no test may stop.
func (m *machine) sharedTemporal() (*server, error) {
	m.once.Do(func() {
		if address := os.Getenv("TEMPORAL_ADDRESS"); address != "" {
			m.server = &server{address: address, ui: os.Getenv("PARLEY_TEMPORAL_UI")}
			return
		}
		s, err := newServer(filepath.Join(m.dir, "temporal.db"))
		if err != nil {
			m.err = err
			return
		}
		m.server, m.err = s, errors.Join(s.start())
	})
	return m.server, m.err
}
