package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// scratch is where exec puts its temporary folder, so that a test can see whether
// it is gone.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "parley-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// processesOf lists who has dir in the command line.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range commands {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), dir) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func TestExecPassesOnEnvironmentAndStatus(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			dir := scratch(t)
			p := start(t, []string{"TMPDIR=" + dir}, "exec", "-temporal", "-temporal-store", store, "--",
				"sh", "-c", `echo "[$DATABASE_URL $TEMPORAL_ADDRESS $TEMPORAL_NAMESPACE $PARLEY_TEMPORAL_UI $PARLEY_DEV]"; exit 7`)
			require.Equal(t, 7, p.status(t))
			self, err := os.Executable()
			require.NoError(t, err)
			require.Regexp(t, `\[postgres://postgres:\w+@127.0.0.1:\d+/parley\?sslmode=disable 127.0.0.1:\d+ default http://127.0.0.1:\d+ `+
				regexp.QuoteMeta(self)+`\]`, p.out.String())
			requireEmpty(t, dir)
			require.Empty(t, processesOf(t, dir))
		})
	}
}

func TestExecUsesWhatIsThere(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"DATABASE_URL=postgres://elsewhere", "TEMPORAL_ADDRESS=elsewhere:7233"},
		"exec", "-temporal", "--", "sh", "-c", `echo "[$DATABASE_URL $TEMPORAL_ADDRESS]"`)
	require.Zero(t, p.status(t))
	require.Equal(t, "[postgres://elsewhere elsewhere:7233]\n", p.out.String())
}

func TestExecCleansUpOnAServerThatStays(t *testing.T) {
	t.Parallel()
	url := testPostgres(t)
	p := start(t, []string{"DATABASE_URL=" + url}, "exec", "-temporal", "-temporal-store", "postgres", "--", "true")
	require.Zero(t, p.status(t))
	require.Contains(t, p.out.String(), "temporal   ready")
	require.Equal(t, "parley,postgres", query(t, url, "SELECT datname::text FROM pg_database WHERE NOT datistemplate ORDER BY 1"))
}

func TestExecRefusesACommandThatIsNotThere(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"DATABASE_URL=postgres://elsewhere"}, "exec", "--", "no-such-command")
	require.Equal(t, exitUsage, p.status(t))
}

func TestExecLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			dir := scratch(t)
			// A grandchild, in the group of the command, that would live on.
			p := start(t, []string{"TMPDIR=" + dir}, "exec", "-temporal", "--",
				"sh", "-c", `sleep 3600 & echo "grandchild $! ."; wait`)
			p.says(t, " .\n")
			_, pid, _ := strings.Cut(p.out.String(), "grandchild ")
			pid, _, _ = strings.Cut(pid, " ")
			grandchild, err := strconv.Atoi(pid)
			require.NoError(t, err)
			require.NotEmpty(t, processesOf(t, dir))

			p.signal(t, s)
			require.NotZero(t, p.status(t))
			eventually(t, func() bool {
				entries, err := os.ReadDir(dir)
				return err == nil && len(entries) == 0 && len(processesOf(t, dir)) == 0 && !alive(grandchild)
			})
		})
	}
}

func TestExecStopsWhileItStarts(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	dir := scratch(t)
	p := start(t, []string{"TMPDIR=" + dir}, "exec", "-temporal", "--", "echo", "never")
	p.says(t, "creating a cluster")
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, 128+int(syscall.SIGTERM), p.status(t))
	require.NotContains(t, p.out.String(), "never")
	requireEmpty(t, dir)
}

func TestExecFailsWhenItsPostgresDies(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	dir := scratch(t)
	p := start(t, []string{"TMPDIR=" + dir}, "exec", "--", "sh", "-c", "echo up; sleep 3600")
	p.says(t, "up\n")
	pidFiles, err := filepath.Glob(filepath.Join(dir, "*/postgres/data/postmaster.pid"))
	require.NoError(t, err)
	require.Len(t, pidFiles, 1)
	content, err := os.ReadFile(pidFiles[0])
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Equal(t, exitFailed, p.status(t))
	require.Contains(t, p.out.String(), "postgres ended")
	requireEmpty(t, dir)
}
