package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"parley/dev/internal/postgres"
	"parley/dev/internal/process"
	"parley/dev/internal/supervise"
)

const runHelp = `Runs everything on this machine, until Ctrl-C: Postgres (unless DATABASE_URL is
set), Temporal with its UI (unless TEMPORAL_ADDRESS is set), the migrations, the
simulator with the demo page, and Parley's api and worker. What dies is started
again. State and logs are kept in .parley/.

Variables that are set are passed on; those of the demo are added.`

// addresses are where everything listens, as host:port.
type addresses struct {
	postgres, temporal, temporalUI    string
	simulator, api, apiOps, workerOps string
}

type runOptions struct {
	addresses
	parley string
	state  string
	store  string
}

func runCommand(args []string) error {
	flags := newFlags("run", runHelp)
	var o runOptions
	for _, f := range []struct {
		value                     *string
		name, variable, otherwise string
		what                      string
	}{
		{&o.api, "api", "PARLEY_API_ADDR", "127.0.0.1:8080", "webhooks"},
		{&o.apiOps, "ops", "PARLEY_OPS_ADDR", "127.0.0.1:8081", "operators' listener of the api"},
		{&o.workerOps, "worker-ops", "PARLEY_WORKER_OPS_ADDR", "127.0.0.1:8082", "operators' listener of the worker"},
		{&o.simulator, "simulator", "PARLEY_SIMULATOR_ADDR", "127.0.0.1:8090", "simulator and demo page"},
		{&o.addresses.temporal, "temporal", "PARLEY_DEV_TEMPORAL_ADDR", "127.0.0.1:7233", "Temporal"},
		{&o.temporalUI, "temporal-ui", "PARLEY_DEV_TEMPORAL_UI_ADDR", "127.0.0.1:8233", "Temporal's UI"},
		{&o.addresses.postgres, "postgres", "PARLEY_DEV_POSTGRES_ADDR", loopback(defaultPostgresPort), "Postgres"},
	} {
		flags.StringVar(f.value, f.name, env(f.variable, f.otherwise), "`address` of "+f.what+"; also from "+f.variable)
	}
	flags.StringVar(&o.parley, "parley", "bin/parley", "`path` of the program parley")
	flags.StringVar(&o.state, "state", ".parley", "`folder` for state and logs")
	flags.StringVar(&o.store, "temporal-store", "sqlite", "where Temporal keeps its state: sqlite or postgres")
	if err := parse(flags, args, false); err != nil {
		return err
	}
	if o.store != "sqlite" && o.store != "postgres" {
		return usageError{fmt.Errorf("-temporal-store %s: want sqlite or postgres", o.store)}
	}
	return o.run()
}

func (o runOptions) run() error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if _, err := os.Stat(o.parley); err != nil {
		return usageError{fmt.Errorf("%s is not there; build it with `make build`", o.parley)}
	}
	if err := os.MkdirAll(filepath.Join(o.state, "logs"), 0o755); err != nil {
		return err
	}
	lock, err := o.lock(signals)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := available(o.listeners()...); err != nil {
		return err
	}
	guard, err := startGuard(lock)
	if err != nil {
		return err
	}
	defer guard.Close()
	super := supervise.New(supervise.NewConsole(os.Stdout), filepath.Join(o.state, "logs"), true)
	return o.serve(stack{runOptions: o, backends: backends{super: super, guard: guard}}, signals)
}

// serve runs the stack until a signal comes. A second one kills what is left.
func (o runOptions) serve(s stack, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	up := make(chan error, 1)
	go func() { up <- s.start(ctx) }()
	var failure error
	select {
	case failure = <-up:
		if failure == nil {
			s.super.Console.Print(o.welcome(time.Since(began)))
			<-signals
		}
	case <-signals:
		cancel()
		<-up
	}
	s.super.Console.Print("\nStopping; Ctrl-C again kills what is left.\n")
	budget, giveUp := context.WithTimeout(context.Background(), 45*time.Second)
	defer giveUp()
	go func() {
		select {
		case <-signals:
			giveUp()
		case <-budget.Done():
		}
	}()
	s.super.Stop(budget)
	return failure
}

// lock refuses a second instance. One that was killed is still being cleaned up
// by its guard for a moment.
func (o runOptions) lock(signals <-chan os.Signal) (*os.File, error) {
	path := filepath.Join(o.state, "lock")
	for patience := time.After(15 * time.Second); ; {
		lock, owner, err := process.Lock(path)
		if err == nil || !errors.Is(err, process.ErrLocked) {
			return lock, err
		}
		pid, _ := strconv.Atoi(owner)
		if pid > 0 && syscall.Kill(pid, 0) != syscall.ESRCH {
			return nil, usageError{fmt.Errorf("it is already running (process %d); its demo page should be at http://%s", pid, o.simulator)}
		}
		select {
		case <-patience:
			return nil, fmt.Errorf("a previous run, which was killed, is still holding %s", path)
		case <-signals:
			return nil, exitStatus(exitFailed)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (o runOptions) listeners() []listener {
	all := []listener{
		{"the api", o.api, "-api or PARLEY_API_ADDR"},
		{"the api's operators' listener", o.apiOps, "-ops or PARLEY_OPS_ADDR"},
		{"the worker's operators' listener", o.workerOps, "-worker-ops or PARLEY_WORKER_OPS_ADDR"},
		{"the simulator", o.simulator, "-simulator or PARLEY_SIMULATOR_ADDR"},
	}
	if os.Getenv("DATABASE_URL") == "" {
		all = append(all, listener{"Postgres", o.addresses.postgres, "-postgres or PARLEY_DEV_POSTGRES_ADDR"})
	}
	if os.Getenv("TEMPORAL_ADDRESS") == "" {
		all = append(all,
			listener{"Temporal", o.addresses.temporal, "-temporal or PARLEY_DEV_TEMPORAL_ADDR"},
			listener{"the Temporal UI", o.temporalUI, "-temporal-ui or PARLEY_DEV_TEMPORAL_UI_ADDR"})
	}
	return all
}

func (o runOptions) welcome(took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nParley is running (started in %s).\n\n", supervise.Seconds(took))
	fmt.Fprintf(&b, "  Demo page             http://%s\n", browsable(o.simulator))
	if os.Getenv("TEMPORAL_ADDRESS") == "" {
		fmt.Fprintf(&b, "  Temporal UI           http://%s\n", browsable(o.temporalUI))
	}
	fmt.Fprintf(&b, "  Operators' listener   http://%s\n", browsable(o.apiOps))
	fmt.Fprintf(&b, "  Logs                  %s\n\nCtrl-C stops everything.\n\n", filepath.Join(o.state, "logs"))
	return b.String()
}

// browsable replaces an address one can only listen on by one a browser can open.
func browsable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || host != "" && (ip == nil || !ip.IsUnspecified()) {
		return address
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// postgresPort is the port of the cluster, which only ever listens on loopback.
func (o runOptions) postgresOptions() (postgres.Options, error) {
	_, port, err := net.SplitHostPort(o.addresses.postgres)
	if err != nil {
		return postgres.Options{}, usageError{fmt.Errorf("-postgres: %w", err)}
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return postgres.Options{}, usageError{fmt.Errorf("-postgres: %w", err)}
	}
	return postgres.Options{Dir: filepath.Join(o.state, "postgres"), Port: number}, nil
}
