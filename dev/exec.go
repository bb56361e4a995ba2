package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"parley/dev/internal/ports"
	"parley/dev/internal/postgres"
	"parley/dev/internal/process"
	"parley/dev/internal/supervise"
)

const execHelp = `Runs a command beside a throwaway Postgres, and with -temporal beside a throwaway
Temporal server too, and returns its exit status:

  parley-dev exec -temporal -- go test ./...

What DATABASE_URL or TEMPORAL_ADDRESS already name is used instead. The command
finds DATABASE_URL, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, PARLEY_TEMPORAL_UI, and in PARLEY_DEV the
path of this program. Nothing stays behind, however it ends.`

type execOptions struct {
	temporal bool
	store    string
	durable  bool
	quiet    bool
	command  []string
}

func execCommand(args []string) error {
	flags := newFlags("exec", execHelp)
	var o execOptions
	flags.BoolVar(&o.temporal, "temporal", false, "start a Temporal server as well")
	flags.StringVar(&o.store, "temporal-store", "sqlite", "where Temporal keeps its state: sqlite or postgres")
	flags.BoolVar(&o.durable, "durable", false, "sync commits to disk, as in production; for measurements")
	flags.BoolVar(&o.quiet, "quiet", false, "do not tell what is started")
	if err := parse(flags, args, true); err != nil {
		return err
	}
	o.command = flags.Args()
	if len(o.command) == 0 {
		return usageError{errors.New("which command? parley-dev exec [flags] -- command…")}
	}
	if o.store != "sqlite" && o.store != "postgres" {
		return usageError{fmt.Errorf("-temporal-store %s: want sqlite or postgres", o.store)}
	}
	return o.run()
}

// throwaway is everything that has to be gone at the end.
type throwaway struct {
	dir   string
	guard *process.Guard
	super *supervise.Supervisor
	drop  func(context.Context) error // databases on a server that stays; may be nil
}

func (o execOptions) run() (err error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	t, err := newThrowaway(o.quiet)
	if err != nil {
		return err
	}
	defer t.close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type started struct {
		env []string
		err error
	}
	up := make(chan started, 1)
	go func() {
		env, err := o.start(ctx, t)
		up <- started{env, err}
	}()
	var s started
	select {
	case s = <-up:
	case got := <-signals:
		cancel()
		<-up
		return exitStatus(128 + int(got.(syscall.Signal)))
	}
	if s.err != nil {
		return s.err
	}
	return o.runCommand(t, s.env, signals)
}

func newThrowaway(quiet bool) (*throwaway, error) {
	guard, err := startGuard()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "parley-")
	if err != nil {
		guard.Close()
		return nil, err
	}
	guard.Remove(dir)
	console := supervise.NewConsole(os.Stderr)
	if quiet {
		console = supervise.NewConsole(io.Discard)
	}
	// The folder itself must be open to the unprivileged user of Postgres.
	if err := os.Chmod(dir, 0o711); err != nil {
		guard.Close()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	super := supervise.New(console, dir, false)
	super.Repeat = false // a test that kills and corrupts makes much noise
	return &throwaway{dir: dir, guard: guard, super: super}, nil
}

func (t *throwaway) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	t.super.Console = supervise.NewConsole(io.Discard)
	t.super.Stop(ctx)
	if t.drop != nil {
		if err := t.drop(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "parley-dev exec: %v\n", err)
		}
	}
	if target, err := os.Readlink(filepath.Join(t.dir, "postgres")); err == nil {
		_ = os.RemoveAll(target)
	}
	_ = os.RemoveAll(t.dir)
	t.guard.Close()
}

// start brings up what is missing and returns the environment of the command.
func (o execOptions) start(ctx context.Context, t *throwaway) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	environ := append(os.Environ(), "PARLEY_DEV="+self)
	b := backends{super: t.super, guard: t.guard}
	database := os.Getenv("DATABASE_URL")
	if database == "" {
		port, err := ports.Servers.Free()
		if err != nil {
			return nil, err
		}
		options := postgres.Options{Dir: filepath.Join(t.dir, "postgres"), Port: port, Throwaway: !o.durable}
		if database, err = b.postgres(ctx, options); err != nil {
			return nil, err
		}
		environ = append(environ, "DATABASE_URL="+database)
	}
	if !o.temporal || os.Getenv("TEMPORAL_ADDRESS") != "" {
		return environ, nil
	}
	to, err := o.temporalOptions(t.dir, database)
	if err != nil {
		return nil, err
	}
	if to.postgres != "" && os.Getenv("DATABASE_URL") != "" {
		t.drop = func(ctx context.Context) error {
			return postgres.Drop(ctx, to.postgres, to.dbNamed, to.dbNamed+"_visibility")
		}
	}
	if err := b.temporal(ctx, to); err != nil {
		return nil, err
	}
	return append(environ, "TEMPORAL_ADDRESS="+to.address, "TEMPORAL_NAMESPACE=default", "PARLEY_TEMPORAL_UI=http://"+to.ui), nil
}

func (o execOptions) temporalOptions(dir, database string) (temporalOptions, error) {
	port, err := ports.Servers.Free()
	if err != nil {
		return temporalOptions{}, err
	}
	uiPort, err := ports.Servers.Free()
	if err != nil {
		return temporalOptions{}, err
	}
	to := temporalOptions{address: loopback(port), ui: loopback(uiPort)}
	if o.store == "postgres" {
		to.postgres, to.dbNamed = database, fmt.Sprintf("temporal_%d", os.Getpid())
	} else {
		to.sqlite = filepath.Join(dir, "temporal.db")
	}
	return to, nil
}

// runCommand passes signals on to the command and waits for it; a server that
// dies meanwhile ends it.
func (o execOptions) runCommand(t *throwaway, environ []string, signals <-chan os.Signal) error {
	path, err := exec.LookPath(o.command[0])
	if err != nil {
		return usageError{err}
	}
	child, err := process.Start(process.Spec{
		Name: o.command[0], Path: path, Args: o.command[1:], Env: environ,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Signal: syscall.SIGKILL, Guard: t.guard,
	})
	if err != nil {
		return err
	}
	for interrupted := 0; ; {
		select {
		case <-child.Done():
			if status := child.ExitStatus(); status != 0 {
				return exitStatus(status)
			}
			return nil
		case got := <-signals:
			child.Send(got.(syscall.Signal))
			if interrupted++; interrupted > 1 {
				child.Kill()
			}
		case err := <-t.super.Failed():
			fmt.Fprintf(os.Stderr, "parley-dev exec: %v\n", err)
			child.Kill()
			return exitStatus(exitFailed)
		}
	}
}
