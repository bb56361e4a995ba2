package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// stack is one Parley with everything around it, each in a process of its own: two
// api behind a balancer, two workers, Temporal behind a wire that can be cut, a
// Postgres cluster, the simulator.
type stack struct {
	folder   string
	parley   string // the binary
	env      map[string]string
	postgres *cluster
	temporal *server
	wire     *wire // between Parley and Temporal
	far      *far
	farside  *service
	apis     []*service
	workers  []*service
	gateway  *gateway
	db       *pgxpool.Pool
	client   client.Client
	post     *http.Client
	key      []byte // of the http channel
}

// service is one of Parley's processes, under the same addresses however often it
// is started.
type service struct {
	name, command string
	binary        string // the stack's own when empty
	env           map[string]string
	process       *process
	public, ops   string
}

const publicURL = "https://hooks.example.org/parley"

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// newStack brings everything up. close takes it down, also when this failed.
func newStack(ctx context.Context, o options) (s *stack, err error) {
	s = &stack{post: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}, Timeout: 60 * time.Second}}
	if s.parley, err = filepath.Abs(o.parley); err != nil {
		return s, err
	}
	dev, err := filepath.Abs(o.dev)
	if err != nil {
		return s, err
	}
	if s.folder, err = os.MkdirTemp("", "parley-torture-"); err != nil {
		return s, err
	}
	// The unprivileged user of Postgres has to pass through.
	if err := os.Chmod(s.folder, 0o711); err != nil {
		return s, err
	}
	for _, step := range []func(context.Context, string) error{s.startPostgres, s.startTemporal, s.configure, s.startFar, s.migrate, s.startParley} {
		if err := step(ctx, dev); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *stack) startPostgres(ctx context.Context, dev string) (err error) {
	if s.postgres, err = newCluster(dev, s.folder); err != nil {
		return err
	}
	if err := s.postgres.start(ctx); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(s.postgres.url)
	if err != nil {
		return err
	}
	config.MaxConns = 4
	s.db, err = pgxpool.NewWithConfig(ctx, config)
	return err
}

func (s *stack) startTemporal(ctx context.Context, dev string) (err error) {
	if s.temporal, err = newServer(dev, s.folder); err != nil {
		return err
	}
	if err := s.temporal.start(ctx); err != nil {
		return err
	}
	s.wire, err = newWire("temporal", s.temporal.address)
	return err
}

// configure makes the environment of all processes.
func (s *stack) configure(context.Context, string) error {
	s.key = []byte(random(16))
	sim, err := freeAddress()
	if err != nil {
		return err
	}
	at := "http://" + sim
	s.far = &far{url: at, http: s.post}
	s.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"),
		"DATABASE_URL": s.postgres.url, "TEMPORAL_ADDRESS": s.wire.address(), "TEMPORAL_NAMESPACE": "torture",
		"PARLEY_PUBLIC_URL": publicURL, "PARLEY_SIMULATOR_ADDR": sim,
		"PARLEY_SIMULATOR_SETTINGS":      `{"wireEntries":200,"backoffMs":200,"backoffMaxMs":2000,"retryIntervalMs":1000,"smsDelayMs":50}`,
		"PARLEY_ACCOUNTS":                "main",
		"PARLEY_ACCOUNT_MAIN_SITE_ID":    "40112233",
		"PARLEY_ACCOUNT_MAIN_CLIENT_ID":  "5b0f6c1e-9a57-4a8e-b2d1-6c7f1e2d3a44",
		"PARLEY_ACCOUNT_MAIN_DOMAIN_API": at, "PARLEY_ACCOUNT_MAIN_CLIENT_SECRET": random(16),
		"PARLEY_CHANNELS":         "sms,web",
		"PARLEY_CHANNEL_SMS_KIND": "twilio", "PARLEY_CHANNEL_SMS_ACCOUNT": "main", "PARLEY_CHANNEL_SMS_BASE_URL": at,
		"PARLEY_CHANNEL_SMS_ACCOUNT_SID": "AC" + random(16), "PARLEY_CHANNEL_SMS_AUTH_TOKEN": random(16),
		"PARLEY_CHANNEL_SMS_FROM": "+15550100900",
		"PARLEY_CHANNEL_WEB_KIND": "http", "PARLEY_CHANNEL_WEB_ACCOUNT": "main", "PARLEY_CHANNEL_WEB_URL": at + "/provider/http/web",
		"PARLEY_CHANNEL_WEB_SECRET": "whsec_" + base64.StdEncoding.EncodeToString(s.key),
	}
	return nil
}

func (s *stack) startFar(ctx context.Context, _ string) error {
	s.farside = &service{name: "simulator", command: "simulator", env: map[string]string{"PARLEY_LOG_LEVEL": "warn"}}
	p, err := launch(s.folder, "simulator", s.parley, s.environ(s.farside.env), "simulator")
	if err != nil {
		return err
	}
	s.farside.process = p
	return eventually(ctx, time.Minute, "the simulator answers", func() error {
		_, err := s.far.counters(ctx)
		return err
	})
}

func (s *stack) migrate(ctx context.Context, _ string) error {
	p, err := launch(s.folder, "migrate", s.parley, s.environ(nil), "migrate")
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		return ctx.Err()
	}
	if status := p.cmd.ProcessState.ExitCode(); status != 0 {
		return fmt.Errorf("parley migrate ended with status %d; see %s", status, p.file)
	}
	s.client, err = client.NewLazyClient(client.Options{
		HostPort: s.temporal.address, Namespace: s.env["TEMPORAL_NAMESPACE"],
		Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	return err
}

func (s *stack) startParley(ctx context.Context, _ string) error {
	for i := range 2 {
		s.apis = append(s.apis, &service{name: fmt.Sprintf("api-%d", i+1), command: "api",
			env: map[string]string{"PARLEY_API_ADDR": "127.0.0.1:0", "PARLEY_OPS_ADDR": "127.0.0.1:0"}})
		s.workers = append(s.workers, &service{name: fmt.Sprintf("worker-%d", i+1), command: "worker",
			env: map[string]string{"PARLEY_OPS_ADDR": "127.0.0.1:0"}})
	}
	var backends []string
	for _, v := range append(s.apis[:len(s.apis):len(s.apis)], s.workers...) {
		if err := s.start(ctx, v); err != nil {
			return err
		}
		if v.public != "" {
			backends = append(backends, v.public)
		}
	}
	s.gateway = newGateway(backends)
	return s.far.settings(ctx, map[string]any{"parleyUrl": s.gateway.url})
}

// environ is the environment of a command, with more over it.
func (s *stack) environ(more map[string]string) []string {
	all := maps.Clone(s.env)
	maps.Copy(all, more)
	var env []string
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	return env
}

// start starts a service, under the addresses it had, and waits until it is ready.
func (s *stack) start(ctx context.Context, v *service) error {
	if v.public != "" {
		v.env["PARLEY_API_ADDR"] = v.public
	}
	if v.ops != "" {
		v.env["PARLEY_OPS_ADDR"] = v.ops
	}
	binary := s.parley
	if v.binary != "" {
		binary = v.binary
	}
	p, err := launch(s.folder, v.name, binary, s.environ(v.env), v.command)
	if err != nil {
		return err
	}
	v.process = p
	at, err := p.ready(ctx)
	if err != nil {
		return err
	}
	v.ops, _ = at["operators"].(string)
	v.public, _ = at["webhooks"].(string)
	return nil
}

// whole makes the stack as it was at the start: everything runs, nothing is cut,
// no fault is on.
func (s *stack) whole(ctx context.Context) error {
	s.wire.quicken(ctx)
	_ = s.wire.mend() // it may not have been cut
	for _, v := range append(s.apis[:len(s.apis):len(s.apis)], s.workers...) {
		if v.process.running() && v.binary == "" {
			continue
		}
		v.process.kill()
		v.binary = ""
		if err := s.start(ctx, v); err != nil {
			return err
		}
	}
	return errors.Join(s.far.faults(ctx, nil), s.far.settings(ctx, map[string]any{
		"appJwtLifetimeSec": 3600, "autoAgent": map[string]any{}, "webhookConcurrency": 64}))
}

// close stops everything. What it leaves behind is the folder with the logs, if
// asked for.
func (s *stack) close(keep bool) {
	for _, v := range append(s.apis[:len(s.apis):len(s.apis)], s.workers...) {
		if v.process != nil {
			v.process.kill()
		}
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
	if s.gateway != nil {
		s.gateway.server.Close()
	}
	if s.farside != nil && s.farside.process != nil {
		s.farside.process.kill()
	}
	if s.temporal != nil && s.temporal.process != nil {
		s.temporal.process.kill()
	}
	if s.wire != nil {
		s.wire.cut()
	}
	if s.postgres != nil && s.postgres.process != nil {
		_, _ = s.postgres.process.terminate(20 * time.Second)
	}
	if keep || s.folder == "" {
		return
	}
	if target, err := filepath.EvalSymlinks(filepath.Join(s.folder, "postgres")); err == nil {
		_ = os.RemoveAll(target)
	}
	_ = os.RemoveAll(s.folder)
}

// tool runs one of Parley's commands for people to its end.
func (s *stack) tool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.parley, args...)
	cmd.Env = s.environ(map[string]string{"PARLEY_LOG_LEVEL": "error"})
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// scrape reads a process's metrics as they are.
func (s *stack) scrape(ctx context.Context, v *service) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.ops+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := s.post.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return string(b), err
}

// metrics reads a process's metrics: the sum over all labels of each name.
func (s *stack) metrics(ctx context.Context, v *service) (map[string]float64, error) {
	text, err := s.scrape(ctx, v)
	out := map[string]float64{}
	for line := range strings.SplitSeq(text, "\n") {
		name, _, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		value, parseErr := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if parseErr == nil && !strings.HasPrefix(line, "#") {
			out[name] += value
		}
	}
	return out, err
}

// gateway is the load balancer before the api processes: each request goes to the
// next one that takes connections.
type gateway struct {
	url    string
	server *httptest.Server
	next   atomic.Int64
}

func newGateway(backends []string) *gateway {
	g := &gateway{}
	var proxies []*httputil.ReverseProxy
	for _, b := range backends {
		u := &url.URL{Scheme: "http", Host: b}
		proxies = append(proxies, &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
			Transport: &http.Transport{MaxIdleConnsPerHost: 256},
			ErrorLog:  log.New(io.Discard, "", 0),
		})
	}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxies[int(g.next.Add(1))%len(proxies)].ServeHTTP(w, r)
	}))
	g.url = g.server.URL
	return g
}
