package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	// Network faults on real connections, without root and without containers.
	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// cluster is a Postgres cluster of our own: it can be killed and stopped, and
// syncs to disk as in production.
type cluster struct {
	dev, folder, dir, port string
	url                    string
	process                *process
}

func newCluster(dev, folder string) (*cluster, error) {
	at, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(at)
	return &cluster{dev: dev, folder: folder, dir: filepath.Join(folder, "postgres"), port: port}, err
}

func (c *cluster) start(ctx context.Context) error {
	p, err := launch(c.folder, "postgres", c.dev, minimal(), "postgres", "-dir", c.dir, "-port", c.port)
	if err != nil {
		return err
	}
	c.process = p
	line, err := p.await(ctx, 2*time.Minute, func(line string) bool { return strings.HasPrefix(line, "postgres://") })
	c.url = line
	return err
}

// kill ends the server and all its processes, as a power cut would.
func (c *cluster) kill() error {
	family, err := c.family()
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	c.process.kill()
	return err
}

// freeze has every process of the server stand still until thaw.
func (c *cluster) freeze() (thaw func(), err error) {
	family, err := c.family()
	if err != nil {
		return func() {}, err
	}
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	return func() {
		for _, pid := range family {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}, nil
}

// family lists the postmaster and its children.
func (c *cluster) family() ([]int, error) {
	target, err := filepath.EvalSymlinks(c.dir)
	if err != nil {
		return nil, err
	}
	var pid int
	for _, name := range []string{filepath.Join(target, "data", "postmaster.pid"), filepath.Join(target, "postmaster.pid")} {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(b), "\n")
		pid, _ = strconv.Atoi(strings.TrimSpace(first))
	}
	if pid == 0 {
		return nil, errors.New("the postmaster was not found")
	}
	return append([]int{pid}, childrenOf(pid)...), nil
}

func childrenOf(parent int) []int {
	var children []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		b, err := os.ReadFile(filepath.Join(d, "stat"))
		if err != nil {
			continue
		}
		// The second field is a name in parentheses and may hold anything.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) > 1 && f[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(d))
			children = append(children, pid)
		}
	}
	return children
}

// up says that the server answers again.
func (c *cluster) up(ctx context.Context) error {
	return eventually(ctx, time.Minute, "Postgres answers", func() error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, c.url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// server is a Temporal server whose state is in a file.
type server struct {
	dev, folder, address, ui string
	process                  *process
}

func newServer(dev, folder string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ui, err := freeAddress()
	return &server{dev: dev, folder: folder, address: address, ui: ui}, err
}

func (s *server) start(ctx context.Context) error {
	p, err := launch(s.folder, "temporal", s.dev, minimal(), "temporal", "-address", s.address, "-ui", s.ui,
		"-sqlite", filepath.Join(s.folder, "temporal.db"))
	if err != nil {
		return err
	}
	s.process = p
	_, err = p.await(ctx, 2*time.Minute, func(line string) bool { return strings.Contains(line, "Temporal is ready") })
	return err
}

// wire is a connection that can be cut: everything that passes through it breaks,
// and no new connection is taken, until it is mended.
type wire struct {
	proxy *toxiproxy.Proxy
}

func newWire(name, upstream string) (*wire, error) {
	registry := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	p := toxiproxy.NewProxy(toxiproxy.NewServer(registry, zerolog.New(io.Discard)), name, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("proxy before %s: %w", name, err)
	}
	return &wire{p}, nil
}

func (w *wire) address() string { return w.proxy.Listen }
func (w *wire) cut()            { w.proxy.Stop() }
func (w *wire) mend() error     { return w.proxy.Start() }

// slow delays everything that comes back from upstream.
func (w *wire) slow(d time.Duration) error {
	_, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(
		fmt.Sprintf(`{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":%d}}`, d.Milliseconds())))
	return err
}

func (w *wire) quicken(ctx context.Context) { w.proxy.Toxics.ResetToxics(ctx) }

// minimal is an environment in which programs find what they need of the system's,
// and nothing of ours.
func minimal() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	if v := os.Getenv("PARLEY_DEV_POSTGRES_BIN"); v != "" {
		env = append(env, "PARLEY_DEV_POSTGRES_BIN="+v)
	}
	return env
}
