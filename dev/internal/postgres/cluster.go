package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"parley/dev/internal/process"
)

// Options say where a cluster lives and what it promises.
type Options struct {
	Dir       string // created when it does not exist
	Port      int
	Database  string // created when it does not exist
	Throwaway bool   // trade durability for speed: commits are not synced
	Say       func(format string, args ...any)
}

// Cluster is a cluster that is ready to be started. Nobody else can prepare it as
// long as it is not closed.
type Cluster struct {
	options  Options
	place    place
	programs string
	password string
	lock     *os.File
}

// ErrInUse means that another process of ours runs a server on the cluster.
var ErrInUse = errors.New("the cluster is in use")

const superuser = "postgres"

// Prepare finds the programs and creates the cluster when there is none.
func Prepare(options Options) (*Cluster, error) {
	if err := os.MkdirAll(filepath.Dir(options.Dir), 0o755); err != nil {
		return nil, fmt.Errorf("folder for Postgres: %w", err)
	}
	lock, owner, err := process.Lock(filepath.Clean(options.Dir) + ".lock")
	if errors.Is(err, process.ErrLocked) {
		return nil, fmt.Errorf("%s: %w by process %s", options.Dir, ErrInUse, owner)
	}
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: options, lock: lock}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return c, nil
}

func (c *Cluster) prepare() error {
	if _, err := FindPrograms(""); err != nil {
		return err // before anything is made in vain
	}
	var err error
	if c.place, err = choosePlace(c.options.Dir); err != nil {
		return fmt.Errorf("folder for Postgres: %w", err)
	}
	if asked, err := filepath.Abs(c.options.Dir); err == nil && asked != c.place.dir {
		c.options.Say("the unprivileged user cannot reach %s; the cluster is in %s", asked, c.place.dir)
	}
	major, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if c.programs, err = FindPrograms(strings.TrimSpace(string(major))); err != nil {
		return err
	}
	if len(major) == 0 {
		c.options.Say("creating a cluster in %s", c.place.dir)
		if err := c.create(); err != nil {
			return err
		}
	}
	password, err := os.ReadFile(c.passwordFile())
	if err != nil {
		return fmt.Errorf("password of the cluster: %w", err)
	}
	c.password = strings.TrimSpace(string(password))
	return c.clearStale()
}

// Close lets others use the cluster; its server has to be stopped before.
func (c *Cluster) Close() error { return c.lock.Close() }

// Dir is where the cluster really is.
func (c *Cluster) Dir() string { return c.place.dir }

// URL connects to the cluster's database.
func (c *Cluster) URL() string { return c.url(c.options.Database) }

func (c *Cluster) url(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.options.Port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Spec is how the server is run. SIGINT is its fast, clean shutdown.
func (c *Cluster) Spec() process.Spec {
	args := []string{"-D", c.data(),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "port=" + strconv.Itoa(c.options.Port),
		"-c", "unix_socket_directories=",
		"-c", "max_connections=300",
		"-c", "log_min_messages=warning",
		"-c", "logging_collector=off",
		"-c", "log_destination=stderr",
	}
	if c.options.Throwaway {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	return process.Spec{
		Name: "postgres", Path: filepath.Join(c.programs, "postgres"), Args: args,
		Dir: c.place.dir, User: c.place.owner, Signal: syscall.SIGINT,
		Env: append(os.Environ(), "LC_ALL=C"),
	}
}

// AwaitReady returns once the database can be used.
func (c *Cluster) AwaitReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.ensureDatabase(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Postgres on port %d: %w", c.options.Port, err)
		case <-tick.C:
		}
	}
}

func (c *Cluster) ensureDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var found bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", c.options.Database).Scan(&found)
	if err != nil || found {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{c.options.Database}.Sanitize())
	return err
}

// Drop removes databases from any server, even while somebody is connected.
func Drop(ctx context.Context, url string, databases ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("drop databases: %w", err)
	}
	defer conn.Close(ctx)
	for _, name := range databases {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop database %s: %w", name, err)
		}
	}
	return nil
}

func (c *Cluster) data() string         { return filepath.Join(c.place.dir, "data") }
func (c *Cluster) passwordFile() string { return filepath.Join(c.place.dir, "password") }

// create runs initdb in a folder that is renamed when it is complete: a kill in
// between leaves nothing that looks like a cluster.
func (c *Cluster) create() error {
	fresh := c.data() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.RemoveAll(c.data()); err != nil { // there is no PG_VERSION in it
		return err
	}
	if err := os.WriteFile(c.passwordFile(), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	if c.place.owner != nil {
		if err := os.Chown(c.passwordFile(), int(c.place.owner.Uid), int(c.place.owner.Gid)); err != nil {
			return err
		}
	}
	args := []string{"-D", fresh, "--username=" + superuser, "--auth=scram-sha-256",
		"--pwfile=" + c.passwordFile(), "--encoding=UTF8", "--locale=C"}
	if c.options.Throwaway {
		args = append(args, "--no-sync")
	}
	cmd := exec.Command(filepath.Join(c.programs, "initdb"), args...)
	cmd.Dir = c.place.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.place.owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return os.Rename(fresh, c.data())
}

// clearStale deals with the postmaster.pid of a server that was killed. Postgres
// copes by itself unless the number now belongs to another process of the same
// user; and a server that outlived its parent has to go before a new one can come.
func (c *Cluster) clearStale() error {
	path := filepath.Join(c.data(), "postmaster.pid")
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || !c.runs(pid) {
		return os.Remove(path)
	}
	c.options.Say("stopping a server that was left behind (process %d)", pid)
	_ = syscall.Kill(pid, syscall.SIGINT)
	for deadline := time.Now().Add(10 * time.Second); c.runs(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the Postgres server %d, left behind in %s, does not stop", pid, c.place.dir)
		}
	}
	return nil
}

// runs tells whether pid is a server on this very cluster.
func (c *Cluster) runs(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false
	}
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil { // not Linux
		args, err = exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	}
	return err == nil && strings.Contains(string(args), c.data())
}
