package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"parley/dev/internal/postgres"
)

// needPrograms skips a test on a machine without Postgres, but never in CI.
func needPrograms(t *testing.T) {
	t.Helper()
	if _, err := postgres.FindPrograms(""); errors.Is(err, postgres.ErrNoPrograms) && os.Getenv("CI") == "" {
		t.Skip("no Postgres server programs on this machine")
	}
}

type clusterUnderTest struct {
	dir  string
	port int
}

// newClusterUnderTest puts the cluster where an unprivileged user can reach it,
// which t.TempDir is not when root runs the tests.
func newClusterUnderTest(t *testing.T) clusterUnderTest {
	t.Helper()
	needPrograms(t)
	dir, err := os.MkdirTemp("", "parley-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return clusterUnderTest{dir: filepath.Join(dir, "postgres"), port: testPort(t)}
}

// start returns the running program and the URL it printed.
func (u clusterUnderTest) start(t *testing.T) (*program, string) {
	t.Helper()
	began := time.Now()
	p := start(t, nil, "postgres", "-dir", u.dir, "-port", strconv.Itoa(u.port))
	p.says(t, "postgres://")
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	_, url, _ := strings.Cut(p.out.String(), "postgres://")
	url, _, _ = strings.Cut(url, "\n")
	return p, "postgres://" + url
}

func (u clusterUnderTest) postmaster(t *testing.T) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(u.dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	return pid
}

// testPostgres is the URL of a Postgres that lasts as long as the test.
func testPostgres(t *testing.T) string {
	t.Helper()
	u := newClusterUnderTest(t)
	p, url := u.start(t)
	pid := u.postmaster(t)
	t.Cleanup(func() {
		p.signal(t, syscall.SIGTERM)
		p.status(t)
		eventually(t, func() bool { return !alive(pid) })
	})
	return url
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(found, ",")
}

func TestPostgresSurvivesKills(t *testing.T) {
	t.Parallel()
	u := newClusterUnderTest(t)
	p, url := u.start(t)
	query(t, url, "CREATE TABLE kept (word text)")
	query(t, url, "INSERT INTO kept VALUES ('first')")

	// The server dies, and with it the program that runs it.
	require.NoError(t, syscall.Kill(u.postmaster(t), syscall.SIGKILL))
	require.Equal(t, exitFailed, p.status(t))
	p, url = u.start(t)
	require.Equal(t, "first", query(t, url, "SELECT word FROM kept"))

	// The program dies, and takes the server with it.
	query(t, url, "INSERT INTO kept VALUES ('second')")
	postmaster := u.postmaster(t)
	p.signal(t, syscall.SIGKILL)
	p.status(t)
	eventually(t, func() bool { return !alive(postmaster) })
	p, url = u.start(t)
	require.Equal(t, "first,second", query(t, url, "SELECT word FROM kept"))

	// A clean stop, after which a stale file names a process that lives.
	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.status(t))
	pidFile := filepath.Join(u.dir, "data", "postmaster.pid")
	require.NoFileExists(t, pidFile)
	require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600))
	p, url = u.start(t)
	require.Equal(t, "first,second", query(t, url, "SELECT word FROM kept"))
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.status(t))
}

func TestPostgresListensOnLoopbackWithAPasswordAsSomebodyUnprivileged(t *testing.T) {
	t.Parallel()
	u := newClusterUnderTest(t)
	_, url := u.start(t)
	require.Equal(t, "127.0.0.1", query(t, url, "SHOW listen_addresses"))
	require.Equal(t, "on", query(t, url, "SHOW fsync"))
	withoutPassword := "postgres://postgres@127.0.0.1:" + strconv.Itoa(u.port) + "/parley?sslmode=disable"
	_, err := pgx.Connect(t.Context(), withoutPassword)
	require.Error(t, err)
	info, err := os.Stat("/proc/" + strconv.Itoa(u.postmaster(t)))
	if err == nil {
		require.NotZero(t, info.Sys().(*syscall.Stat_t).Uid)
	}
}

func TestPostgresRefusesASecondServerOnTheSameCluster(t *testing.T) {
	t.Parallel()
	u := newClusterUnderTest(t)
	u.start(t)
	second := start(t, nil, "postgres", "-dir", u.dir, "-port", strconv.Itoa(testPort(t)))
	require.Equal(t, exitUsage, second.status(t))
	require.Contains(t, second.out.String(), "in use")
}

func TestPostgresSaysHowToGetThePrograms(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pg")
	p := start(t, []string{"PARLEY_DEV_POSTGRES_BIN=" + t.TempDir()}, "postgres", "-dir", dir, "-port", strconv.Itoa(testPort(t)))
	require.Equal(t, exitUsage, p.status(t))
	_, err := os.Lstat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, hint := range []string{"apt-get install postgresql", "dnf install", "brew install", "DATABASE_URL"} {
		require.Contains(t, p.out.String(), hint)
	}
}

func TestPostgresWhereItsUserCannotGo(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	if os.Geteuid() != 0 {
		t.Skip("only root lends the folder to somebody else")
	}
	closed := filepath.Join(t.TempDir(), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	u := clusterUnderTest{dir: filepath.Join(closed, "postgres"), port: testPort(t)}
	p, url := u.start(t)
	require.Contains(t, p.out.String(), "/var/tmp/parley-postgres-")
	place, err := os.Readlink(u.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(place)) })
	query(t, url, "CREATE TABLE kept (word text)")
	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.status(t))

	p, url = u.start(t)
	require.Empty(t, query(t, url, "SELECT word FROM kept"))
	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.status(t))
}
