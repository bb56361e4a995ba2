package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// stackUnderTest is `parley-dev run` with stand-ins for Parley's processes.
type stackUnderTest struct {
	dir string
	env []string
	at  addresses
}

func newStackUnderTest(t *testing.T) stackUnderTest {
	t.Helper()
	needPrograms(t)
	u := stackUnderTest{dir: scratch(t)}
	ports := make([]string, 7)
	for i := range ports {
		ports[i] = loopback(testPort(t))
	}
	u.at = addresses{
		postgres: ports[0], temporal: ports[1], temporalUI: ports[2],
		simulator: ports[3], api: ports[4], apiOps: ports[5], workerOps: ports[6],
	}
	u.env = []string{
		"STAND_IN_JOURNAL=" + filepath.Join(u.dir, "journal"),
		"PARLEY_DEV_POSTGRES_ADDR=" + u.at.postgres, "PARLEY_DEV_TEMPORAL_ADDR=" + u.at.temporal,
		"PARLEY_DEV_TEMPORAL_UI_ADDR=" + u.at.temporalUI, "PARLEY_SIMULATOR_ADDR=" + u.at.simulator,
		"PARLEY_API_ADDR=" + u.at.api, "PARLEY_OPS_ADDR=" + u.at.apiOps, "PARLEY_WORKER_OPS_ADDR=" + u.at.workerOps,
	}
	return u
}

func (u stackUnderTest) start(t *testing.T, env ...string) *program {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return start(t, append(env, u.env...), "run", "-parley", self, "-state", u.state())
}

func (u stackUnderTest) state() string { return filepath.Join(u.dir, "state") }

// journal is what the stand-ins have noted, without process numbers.
func (u stackUnderTest) journal(t *testing.T) []string {
	t.Helper()
	var notes []string
	for _, line := range u.lines(t) {
		words := strings.Fields(line)
		notes = append(notes, words[0]+" "+words[1])
	}
	return notes
}

func (u stackUnderTest) lines(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(u.dir, "journal"))
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// pid is the number of the last process of that name.
func (u stackUnderTest) pid(t *testing.T, name string) int {
	t.Helper()
	pid := 0
	for _, line := range u.lines(t) {
		if number, ok := strings.CutPrefix(line, "start "+name+" "); ok {
			var err error
			pid, err = strconv.Atoi(number)
			require.NoError(t, err)
		}
	}
	require.NotZero(t, pid)
	return pid
}

func (u stackUnderTest) requireQuiet(t *testing.T) {
	t.Helper()
	for _, address := range []string{u.at.postgres, u.at.temporal, u.at.temporalUI, u.at.simulator, u.at.apiOps, u.at.workerOps} {
		require.False(t, listening(address), address)
	}
	require.Empty(t, processesOf(t, u.state()))
}

const up = "Ctrl-C stops everything."

func TestRunStartsInOrderAndStopsInReverse(t *testing.T) {
	t.Parallel()
	u := newStackUnderTest(t)
	p := u.start(t, "PARLEY_CHANNELS=web,extra", "PARLEY_ACCOUNT_MAIN_SITE_ID=77", "PARLEY_CHANNEL_WEB_SECRET_FILE=/elsewhere")
	p.says(t, up)
	for _, address := range []string{u.at.simulator, u.at.temporalUI, u.at.apiOps} {
		require.Contains(t, p.out.String(), "http://"+address)
	}
	require.Equal(t, []string{"start migrate", "start simulator", "start api", "start worker"}, u.journal(t))
	u.requireEnvironment(t)

	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.status(t))
	require.Equal(t, []string{"stop worker", "stop api", "stop simulator"}, u.journal(t)[4:])
	output := p.out.String()
	require.Less(t, strings.Index(output, "temporal   stopped"), strings.Index(output, "postgres   stopped"))
	u.requireQuiet(t)

	secrets, err := os.ReadFile(filepath.Join(u.state(), "demo.env"))
	require.NoError(t, err)
	p = u.start(t) // on yesterday's state
	p.says(t, up)
	require.NotContains(t, p.out.String(), "creating")
	again, err := os.ReadFile(filepath.Join(u.state(), "demo.env"))
	require.NoError(t, err)
	require.Equal(t, string(secrets), string(again))
	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.status(t))
}

// requireEnvironment checks what the processes were told.
func (u stackUnderTest) requireEnvironment(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(u.dir, "journal.env"))
	require.NoError(t, err)
	got := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		got[name] = value
	}
	_, port, err := net.SplitHostPort(u.at.postgres)
	require.NoError(t, err)
	require.Regexp(t, `^postgres://postgres:\w+@127\.0\.0\.1:`+port+`/parley\?sslmode=disable$`, got["DATABASE_URL"])
	require.NotContains(t, got, "PARLEY_CHANNEL_WEB_SECRET", "it is in a file")
	require.NotContains(t, got, "PARLEY_CHANNEL_SMS_KIND", "the channel is not listed")
	for name, value := range map[string]string{
		"TEMPORAL_ADDRESS":               u.at.temporal,
		"TEMPORAL_NAMESPACE":             "default",
		"PARLEY_ACCOUNTS":                "main",
		"PARLEY_ACCOUNT_MAIN_SITE_ID":    "77",
		"PARLEY_ACCOUNT_MAIN_DOMAIN_API": "http://" + u.at.simulator,
		"PARLEY_CHANNELS":                "web,extra",
		"PARLEY_CHANNEL_WEB_KIND":        "http",
		"PARLEY_CHANNEL_WEB_URL":         "http://" + u.at.simulator + "/provider/http/web",
		"PARLEY_PUBLIC_URL":              "http://" + u.at.api,
		"PARLEY_SIMULATOR_PARLEY_URL":    "http://" + u.at.api,
		"PARLEY_SIMULATOR_TEMPORAL_UI":   "http://" + u.at.temporalUI,
	} {
		require.Equal(t, value, got[name], name)
	}
	require.NotEmpty(t, got["PARLEY_ACCOUNT_MAIN_CLIENT_SECRET"])
	require.Equal(t, "simulator.json", filepath.Base(got["PARLEY_SIMULATOR_STATE"]))
}

func TestRunStartsAgainWhatDies(t *testing.T) {
	t.Parallel()
	u := newStackUnderTest(t)
	p := u.start(t)
	p.says(t, up)
	require.NoError(t, syscall.Kill(u.pid(t, "api"), syscall.SIGKILL))
	p.says(t, "api        ready again")
	require.Contains(t, p.out.String(), "api        ended (exit status 137); starting it again")
	require.True(t, listening(u.at.apiOps))

	postmaster := clusterUnderTest{dir: filepath.Join(u.state(), "postgres")}.postmaster(t)
	require.NoError(t, syscall.Kill(postmaster, syscall.SIGKILL))
	p.says(t, "postgres   ready again")
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.status(t))
	u.requireQuiet(t)
}

func TestRunKilledLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	u := newStackUnderTest(t)
	p := u.start(t, "STAND_IN_STUBBORN=worker")
	p.says(t, up)
	worker := u.pid(t, "worker")
	p.signal(t, syscall.SIGKILL)
	p.status(t)

	p = u.start(t) // waits until the guard is through
	p.says(t, up)
	require.False(t, alive(worker))
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.status(t))
	u.requireQuiet(t)
}

func TestRunRefusesASecondInstance(t *testing.T) {
	t.Parallel()
	u := newStackUnderTest(t)
	first := u.start(t)
	first.says(t, up)
	second := u.start(t)
	require.Equal(t, exitUsage, second.status(t))
	require.Contains(t, second.out.String(), fmt.Sprintf("already running (process %d)", first.cmd.Process.Pid))
}

func TestRunNamesEveryPortThatIsTaken(t *testing.T) {
	t.Parallel()
	u := newStackUnderTest(t)
	for _, address := range []string{u.at.api, u.at.temporal} {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		defer l.Close()
	}
	p := u.start(t)
	require.Equal(t, exitUsage, p.status(t))
	for _, text := range []string{u.at.api, "PARLEY_API_ADDR", u.at.temporal, "PARLEY_DEV_TEMPORAL_ADDR"} {
		require.Contains(t, p.out.String(), text)
	}
}

func TestRunShowsWhyAProcessDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"migrate", "worker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newStackUnderTest(t)
			p := u.start(t, "STAND_IN_FAILS="+name)
			require.Equal(t, exitFailed, p.status(t))
			require.Contains(t, p.out.String(), "PARLEY_ACCOUNTS: is missing")
			require.Contains(t, p.out.String(), filepath.Join(u.state(), "logs", name+".log"))
			u.requireQuiet(t)
		})
	}
}

func TestRunKillsWhatDoesNotStopOnTheSecondSignal(t *testing.T) {
	t.Parallel()
	u := newStackUnderTest(t)
	p := u.start(t, "STAND_IN_STUBBORN=worker")
	p.says(t, up)
	p.signal(t, syscall.SIGINT)
	eventually(t, func() bool {
		lines := u.journal(t)
		return strings.HasSuffix(lines[len(lines)-1], "stop worker")
	})
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.status(t))
	require.Contains(t, p.out.String(), "worker did not stop in time and was killed")
	u.requireQuiet(t)
}
