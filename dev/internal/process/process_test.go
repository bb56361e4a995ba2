package process

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if os.Getenv("AS_GUARD") != "" {
		Watch(os.Stdin, time.Second)
		return
	}
	os.Exit(m.Run())
}

func startShell(t *testing.T, script string, change ...func(*Spec)) *Child {
	t.Helper()
	spec := Spec{Name: "sh", Path: "/bin/sh", Args: []string{"-c", script}, Patience: time.Minute}
	for _, f := range change {
		f(&spec)
	}
	c, err := Start(spec)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	return c
}

func wait(t *testing.T, c *Child) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(time.Minute):
		t.Fatal("the program did not end")
	}
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 5*time.Millisecond)
}

func exists(path string) func() bool {
	return func() bool { _, err := os.Stat(path); return err == nil }
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 137} {
		c := startShell(t, script)
		wait(t, c)
		require.Equal(t, want, c.ExitStatus(), script)
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := Start(Spec{Name: "nothing", Path: "/nowhere/nothing"})
	require.ErrorContains(t, err, "start nothing")
}

func TestStopAsksFirst(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	up := filepath.Join(t.TempDir(), "up")
	c := startShell(t, `trap "echo asked; exit 0" INT; touch `+up+`; while :; do sleep 0.01; done`,
		func(s *Spec) { s.Signal, s.Stdout = syscall.SIGINT, &out })
	await(t, exists(up))
	require.NoError(t, c.Stop(t.Context()))
	require.Equal(t, "asked\n", out.String())
	require.Zero(t, c.ExitStatus())
}

func TestStopKillsTheWholeGroup(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	c := startShell(t, `trap "" TERM; sh -c 'trap "" TERM; echo $$ >`+pidFile+`.new; mv `+pidFile+`.new `+pidFile+`; while :; do sleep 3600; done'`)
	await(t, exists(pidFile))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, c.Stop(ctx), "did not stop in time")
	await(t, func() bool { return !running(t, pidFile) })
}

func TestAGrandchildThatStaysIsEndedWithItsParent(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	var out bytes.Buffer
	c := startShell(t, `sleep 3600 & echo $! >`+pidFile, func(s *Spec) { s.Stdout = &out })
	wait(t, c)
	await(t, func() bool { return !running(t, pidFile) })
}

func TestTheGuardCleansUpWhenItsOwnerIsGone(t *testing.T) {
	t.Parallel()
	g, dir := startTestGuard(t)
	pidFile := filepath.Join(dir, "pid")
	c := startShell(t, `trap "" TERM; echo $$ >`+pidFile+`.new; mv `+pidFile+`.new `+pidFile+`; while :; do sleep 3600; done`,
		func(s *Spec) { s.Guard = g })
	await(t, exists(pidFile))
	g.Remove(dir)
	require.NoError(t, g.pipe.Close()) // what our death would do
	wait(t, c)
	require.NoError(t, g.cmd.Wait())
	require.NoDirExists(t, dir)
}

func TestTheGuardDoesNothingWhenAllIsDone(t *testing.T) {
	t.Parallel()
	g, dir := startTestGuard(t)
	c := startShell(t, "exec sleep 3600", func(s *Spec) { s.Guard = g })
	g.Remove(dir)
	g.Close()
	require.DirExists(t, dir)
	select {
	case <-c.Done():
		t.Fatal("the guard ended a program that was to stay")
	default:
	}
}

func TestTheGuardForgetsWhatHasEnded(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	g := &Guard{pipe: nopCloser{&told}}
	c := startShell(t, "exit 0", func(s *Spec) { s.Guard = g })
	wait(t, c)
	require.Regexp(t, `^watch (\d+) 15\nforget (\d+)\n$`, told.String())
}

type nopCloser struct{ *bytes.Buffer }

func (nopCloser) Close() error { return nil }

func startTestGuard(t *testing.T) (*Guard, string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	g, err := StartGuard([]string{self}, append(os.Environ(), "AS_GUARD=1"))
	require.NoError(t, err)
	return g, t.TempDir()
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, _, err := Lock(path)
	require.NoError(t, err)
	_, owner, err := Lock(path)
	require.ErrorIs(t, err, ErrLocked)
	require.Equal(t, strconv.Itoa(os.Getpid()), owner)

	// A guard that holds the file keeps the lock.
	holder := exec.Command("/bin/sleep", "3600")
	holder.ExtraFiles = []*os.File{first}
	require.NoError(t, holder.Start())
	require.NoError(t, first.Close())
	_, _, err = Lock(path)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	again, _, err := Lock(path)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

// running tells whether the process lives whose number is in a file. One that
// waits to be buried does not.
func running(t *testing.T, pidFile string) bool {
	t.Helper()
	content, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	state, err := exec.Command("ps", "-o", "stat=", "-p", strings.TrimSpace(string(content))).Output()
	return err == nil && !strings.HasPrefix(string(state), "Z")
}
