package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sethvargo/go-envconfig"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"log/slog"

	"parley/simulator"
)

// stack is one Parley with its far sides, a database and a namespace of its own.
type stack struct {
	env      map[string]string
	parley   string
	logs     string // folder
	far      *far
	key      []byte // of the http channel
	database *pgx.Conn
	admin    *pgx.Conn
	name     string // of the database
	temporal client.Client
	api      *process
	worker   *process
	bare     *process
	usage    *usage
}

// newStack brings everything up. What it has started before it failed is ended by
// close, which it calls itself.
func newStack(ctx context.Context, o options) (s *stack, err error) {
	s = &stack{parley: o.parley, env: environment()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.logs, err = os.MkdirTemp("", "parley-bench-"); err != nil {
		return s, err
	}
	if s.parley, err = filepath.Abs(s.parley); err != nil {
		return s, err
	}
	for _, step := range []func(context.Context) error{s.farSides, s.makeDatabase, s.migrate, s.services, s.accounting} {
		if err = step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

const channel = "web"

func environment() map[string]string {
	return map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "PARLEY_LOG_LEVEL": "warn",
		"TEMPORAL_ADDRESS": os.Getenv("TEMPORAL_ADDRESS"), "TEMPORAL_NAMESPACE": "bench-" + random(6),
		"PARLEY_ACCOUNTS": "main", "PARLEY_ACCOUNT_MAIN_SITE_ID": "40112233", "PARLEY_ACCOUNT_MAIN_CLIENT_ID": random(16),
		"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET": random(16),
		"PARLEY_CHANNELS":                   channel, "PARLEY_CHANNEL_WEB_KIND": "http", "PARLEY_CHANNEL_WEB_ACCOUNT": "main",
	}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// farSides starts the simulator in this process, keeping as little as it can.
func (s *stack) farSides(ctx context.Context) error {
	s.key = []byte(random(16))
	s.env["PARLEY_CHANNEL_WEB_SECRET"] = "whsec_" + base64.StdEncoding.EncodeToString(s.key)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := "http://" + l.Addr().String()
	s.env["PARLEY_ACCOUNT_MAIN_DOMAIN_API"] = at
	s.env["PARLEY_CHANNEL_WEB_URL"] = at + "/provider/http/" + channel
	env := maps.Clone(s.env)
	env["PARLEY_SIMULATOR_SETTINGS"] = `{"transcripts":false,"wireEntries":10}`
	config, err := simulator.LoadConfig(ctx, envconfig.MapLookuper(env))
	if err != nil {
		return errors.Join(err, l.Close())
	}
	sim, err := simulator.New(config)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	s.far = newFar(sim, l)
	return nil
}

func (s *stack) makeDatabase(ctx context.Context) error {
	u, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err != nil {
		return errors.New("DATABASE_URL must be a URL")
	}
	if s.admin, err = pgx.Connect(ctx, u.String()); err != nil {
		return err
	}
	name := "parley_bench_" + random(6)
	if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	s.name, u.Path = name, "/"+name
	s.env["DATABASE_URL"] = u.String()
	s.database, err = pgx.Connect(ctx, u.String())
	return err
}

func (s *stack) migrate(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.parley, "migrate")
	cmd.Env = s.environ(nil)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("parley migrate: %w\n%s", err, out)
	}
	var err error
	s.temporal, err = client.NewLazyClient(client.Options{
		HostPort: s.env["TEMPORAL_ADDRESS"], Namespace: s.env["TEMPORAL_NAMESPACE"],
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	return err
}

// services starts api, worker and the bare handler they are compared with.
func (s *stack) services(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	anywhere := map[string]string{"PARLEY_API_ADDR": "127.0.0.1:0", "PARLEY_OPS_ADDR": "127.0.0.1:0", "PARLEY_LOG_LEVEL": "info"}
	for _, p := range []struct {
		to   **process
		path string
		name string
	}{{&s.api, s.parley, "api"}, {&s.worker, s.parley, "worker"}, {&s.bare, self, bareCommand}} {
		if *p.to, err = launch(ctx, p.path, p.name, s.environ(anywhere), s.logs); err != nil {
			return err
		}
	}
	return s.far.sim.SetParleyURL("http://" + s.api.webhooks)
}

func (s *stack) accounting(ctx context.Context) error {
	s.usage = newUsage(map[string]int{"api": s.api.cmd.Process.Pid, "worker": s.worker.cmd.Process.Pid, "load and far sides": os.Getpid()})
	if err := s.usage.findPostgres(ctx, s.database); err != nil {
		return err
	}
	s.usage.findTemporal(s.env["TEMPORAL_ADDRESS"])
	return nil
}

func (s *stack) environ(more map[string]string) []string {
	all := maps.Clone(s.env)
	maps.Copy(all, more)
	var env []string
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	return env
}

// close stops everything and removes what was made.
func (s *stack) close() error {
	var errs []error
	for _, p := range []*process{s.api, s.worker, s.bare} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	if s.temporal != nil {
		s.temporal.Close()
	}
	if s.far != nil {
		s.far.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if s.database != nil {
		errs = append(errs, s.database.Close(ctx))
	}
	if s.name != "" {
		_, err := s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+s.name+" WITH (FORCE)")
		errs = append(errs, err)
	}
	if s.admin != nil {
		errs = append(errs, s.admin.Close(ctx))
	}
	err := errors.Join(errs...)
	if err == nil && s.logs != "" {
		return os.RemoveAll(s.logs)
	}
	return err
}

// process is a program we started; it has said where it listens.
type process struct {
	cmd      *exec.Cmd
	webhooks string
}

// launch starts `path name` and returns when it logs that it is ready. Its log is
// kept in a file of the folder.
func launch(ctx context.Context, path, name string, env []string, folder string) (*process, error) {
	file, err := os.Create(filepath.Join(folder, name+".log"))
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(path, name)}
	p.cmd.Env = env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan map[string]any, 1)
	go func() {
		defer file.Close()
		defer close(ready)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			fmt.Fprintln(file, lines.Text())
			var fields map[string]any
			if json.Unmarshal(lines.Bytes(), &fields) == nil && fields["msg"] == "ready" {
				ready <- fields
			}
		}
	}()
	select {
	case fields, ok := <-ready:
		if !ok {
			return p, errors.Join(fmt.Errorf("%s ended; see %s", name, file.Name()), p.cmd.Wait())
		}
		p.webhooks, _ = fields["webhooks"].(string)
		return p, nil
	case <-time.After(time.Minute):
		return p, fmt.Errorf("%s was not ready within a minute", name)
	case <-ctx.Done():
		return p, ctx.Err()
	}
}

func (p *process) stop() error {
	if p.cmd.Process == nil || p.cmd.ProcessState != nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.cmd.Args[1], err)
	}
	return nil
}
