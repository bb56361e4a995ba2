package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sethvargo/go-envconfig"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"parley/simulator"
)

// options say how a stack differs from the ordinary one: one api, one worker, the
// Temporal server of the run.
type options struct {
	apis, workers int
	env           map[string]string // over the ordinary variables
	settings      string            // of the simulator, JSON
	ownTemporal   bool              // so that it can be killed
}

// stack is an installation, as seen by one test.
type stack struct {
	t testing.TB
	*installation
}

// as is the same installation as seen by a subtest.
func (s *stack) as(t testing.TB) *stack { return &stack{t, s.installation} }

// installation is one Parley with everything around it.
type installation struct {
	env      map[string]string
	sim      *simulator.Simulator
	far      string // URL of the simulator
	http     *http.Client
	db       *pgx.Conn
	dbMu     sync.Mutex
	server   *server
	temporal client.Client

	apis, workers []*service
	gateway       *gateway

	mu      sync.Mutex
	phones  []*phone
	secrets []string // what must not be in a log
}

// service is one process of Parley, under the same address however often it is
// started.
type service struct {
	command     string
	env         map[string]string
	process     *process
	past        []*process
	public, ops string // addresses, known after the first start
}

const (
	site   = "40112233"
	number = "+15550100900" // ours
)

// ordinary are the variables of every stack.
func ordinary() map[string]string {
	return map[string]string{
		"PARLEY_ACCOUNTS":                   "main",
		"PARLEY_ACCOUNT_MAIN_SITE_ID":       site,
		"PARLEY_ACCOUNT_MAIN_CLIENT_ID":     "5b0f6c1e-9a57-4a8e-b2d1-6c7f1e2d3a44",
		"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET": rand.Text(),
		"PARLEY_CHANNELS":                   "sms,web",
		"PARLEY_CHANNEL_SMS_KIND":           "twilio",
		"PARLEY_CHANNEL_SMS_ACCOUNT":        "main",
		"PARLEY_CHANNEL_SMS_ACCOUNT_SID":    "AC" + random(16),
		"PARLEY_CHANNEL_SMS_AUTH_TOKEN":     random(16),
		"PARLEY_CHANNEL_SMS_FROM":           number,
		"PARLEY_CHANNEL_SMS_CLOSE_KEYWORDS": "goodbye",
		"PARLEY_CHANNEL_WEB_KIND":           "http",
		"PARLEY_CHANNEL_WEB_ACCOUNT":        "main",
		"PARLEY_CHANNEL_WEB_SECRET":         "whsec_" + base64.StdEncoding.EncodeToString([]byte(random(16))),
	}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// minimal is an environment in which programs find what they need of the system's,
// and nothing of ours.
func minimal() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
}

// newStack brings everything up, and takes it down when the test ends.
func newStack(t testing.TB, o options) *stack {
	t.Helper()
	requireMachine(t)
	began := time.Now()
	s := &stack{t, &installation{
		env: ordinary(), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 3 * time.Minute},
	}}
	t.Cleanup(s.report)
	s.startTemporal(o)
	s.startFarSides(o)
	s.createDatabase()
	s.env["TEMPORAL_ADDRESS"] = s.server.address
	s.env["TEMPORAL_NAMESPACE"] = "parley-" + random(6)
	maps.Copy(s.env, o.env)
	s.migrate()
	s.dialTemporal()
	for range max(o.apis, 1) {
		s.apis = append(s.apis, &service{command: "api", env: map[string]string{"PARLEY_API_ADDR": "127.0.0.1:0", "PARLEY_OPS_ADDR": "127.0.0.1:0"}})
	}
	for range max(o.workers, 1) {
		s.workers = append(s.workers, &service{command: "worker", env: map[string]string{"PARLEY_OPS_ADDR": "127.0.0.1:0"}})
	}
	t.Cleanup(s.stop)
	t.Cleanup(s.reportStates)
	for _, v := range s.services() {
		s.start(v)
	}
	for _, v := range s.services() {
		s.ready(v)
	}
	s.point()
	t.Logf("the stack was up after %s", time.Since(began).Round(time.Millisecond))
	return s
}

func (s *stack) services() []*service { return append(s.apis[:len(s.apis):len(s.apis)], s.workers...) }

// startFarSides starts the simulator in this process. The public URL is made up: it
// is what Twilio signs, and leads nowhere.
func (s *stack) startFarSides(o options) {
	t := s.t
	var handler http.Handler
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	s.far = far.URL
	s.env["PARLEY_PUBLIC_URL"] = "https://hooks.example.org/parley"
	s.lead(o, far.URL)
	env := maps.Clone(s.env)
	maps.Copy(env, o.env)
	env["PARLEY_SIMULATOR_TEMPORAL_UI"] = s.server.ui
	if o.settings != "" {
		env["PARLEY_SIMULATOR_SETTINGS"] = o.settings
	}
	config, err := simulator.LoadConfig(t.Context(), envconfig.MapLookuper(env))
	require.NoError(t, err)
	s.sim, err = simulator.New(config)
	require.NoError(t, err)
	handler = s.sim
	t.Cleanup(func() {
		s.sim.Close()
		far.CloseClientConnections()
		far.Close()
	})
}

// lead tells Parley that every account and every channel is at the simulator.
func (s *stack) lead(o options, far string) {
	all := maps.Clone(s.env)
	maps.Copy(all, o.env)
	upper := func(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
	for name := range strings.SplitSeq(all["PARLEY_ACCOUNTS"], ",") {
		s.env["PARLEY_ACCOUNT_"+upper(name)+"_DOMAIN_API"] = far
	}
	for name := range strings.SplitSeq(all["PARLEY_CHANNELS"], ",") {
		if p := "PARLEY_CHANNEL_" + upper(name); all[p+"_KIND"] == "twilio" {
			s.env[p+"_BASE_URL"] = far
		} else {
			s.env[p+"_URL"] = far + "/provider/http/" + name
		}
	}
}

func (s *stack) startTemporal(o options) {
	t := s.t
	var err error
	if !o.ownTemporal {
		s.server, err = here.sharedTemporal()
		require.NoError(t, err)
		return
	}
	s.server, err = newServer(filepath.Join(t.TempDir(), "temporal.db"))
	require.NoError(t, err)
	t.Cleanup(func() {
		if s.server.process != nil {
			s.server.process.kill()
		}
	})
	require.NoError(t, s.server.start())
}

func (s *stack) dialTemporal() {
	var err error
	s.temporal, err = client.NewLazyClient(client.Options{
		HostPort: s.env["TEMPORAL_ADDRESS"], Namespace: s.env["TEMPORAL_NAMESPACE"], Logger: log.NewStructuredLogger(discard),
	})
	require.NoError(s.t, err)
	s.t.Cleanup(s.temporal.Close)
}

// createDatabase makes a database of the stack's own on the server that
// DATABASE_URL names.
func (s *stack) createDatabase() {
	t := s.t
	u, err := url.Parse(os.Getenv("DATABASE_URL"))
	require.NoError(t, err, "DATABASE_URL must be a URL")
	admin, err := pgx.Connect(t.Context(), u.String())
	require.NoError(t, err)
	name := "parley_e2e_" + random(6)
	_, err = admin.Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpWithin)
		defer cancel()
		if _, err := admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("the database was not dropped: %v", err)
		}
		_ = admin.Close(ctx)
	})
	u.Path = "/" + name
	s.env["DATABASE_URL"] = u.String()
	s.db, err = pgx.Connect(t.Context(), u.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.db.Close(context.Background()) })
}

func (s *stack) migrate() {
	s.t.Helper()
	out, status := s.parley("migrate")
	require.Zero(s.t, status, out)
}

// environ is the environment of a command, with more over it.
func (s *stack) environ(more map[string]string) []string {
	env := minimal()
	all := maps.Clone(s.env)
	maps.Copy(all, more)
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	return env
}

// parley runs a command to its end and returns what it said and its status.
func (s *stack) parley(args ...string) (string, int) {
	s.t.Helper()
	p, err := launch(args[0], here.parley, s.environ(nil), args...)
	require.NoError(s.t, err)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
	}
	return strings.Join(p.output(), "\n"), p.status()
}

// start starts a service, again under the addresses it had.
func (s *stack) start(v *service) {
	s.t.Helper()
	if v.public != "" {
		v.env["PARLEY_API_ADDR"] = v.public
	}
	p, err := launch(v.command, here.parley, s.environ(v.env), v.command)
	require.NoError(s.t, err)
	v.process, v.past = p, append(v.past, p)
}

// ready waits until a service says that it is, and asks it.
func (s *stack) ready(v *service) {
	s.t.Helper()
	eventually(s.t, v.command+" is ready", func() error {
		at, err := v.process.says("ready")
		if err != nil {
			if !v.process.running() {
				return fatal(err)
			}
			return err
		}
		v.ops, _ = at["operators"].(string)
		v.public, _ = at["webhooks"].(string)
		return nil
	})
	eventually(s.t, v.command+" answers /readyz", func() error {
		status, body, err := s.get("http://" + v.ops + "/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}

// restart starts a service that has ended, and waits until it is ready.
func (s *stack) restart(v *service) {
	s.t.Helper()
	s.start(v)
	s.ready(v)
}

// point tells the simulator where Parley is: at its one api, or at a gateway before
// several.
func (s *stack) point() {
	t := s.t
	at := "http://" + s.apis[0].public
	if len(s.apis) > 1 {
		var backends []string
		for _, v := range s.apis {
			backends = append(backends, v.public)
		}
		s.gateway = newGateway(t, backends)
		at = s.gateway.url
	}
	require.NoError(t, s.sim.SetParleyURL(at))
}

// stop stops all services at the same time, in the way operators do.
func (s *stack) stop() {
	var wg sync.WaitGroup
	for _, v := range s.services() {
		p := v.process
		if p == nil || !p.running() {
			continue
		}
		wg.Go(func() {
			if err := p.terminate(20 * time.Second); err != nil {
				s.t.Error(err)
			}
		})
	}
	wg.Wait()
	s.searchLogs()
}

// logs calls f for every line that any of the stack's processes has said.
func (s *stack) logs(f func(process, line string)) {
	for _, v := range s.services() {
		for i, p := range v.past {
			for _, line := range p.output() {
				f(fmt.Sprintf("%s.%d", v.command, i+1), line)
			}
		}
	}
}

// searchLogs looks through all logs for what must never be there.
func (s *stack) searchLogs() {
	s.mu.Lock()
	secrets := s.secrets
	s.mu.Unlock()
	for name, value := range s.env {
		if strings.HasSuffix(name, "_SECRET") || strings.HasSuffix(name, "_TOKEN") {
			secrets = append(secrets, value)
		}
	}
	secrets = append(secrets, "panic", "DATA RACE", "nondeterministic", "TMPRL1100")
	s.logs(func(name, line string) {
		for _, secret := range secrets {
			if strings.Contains(line, secret) {
				s.t.Errorf("%s logged %q: %s", name, secret, line)
			}
		}
	})
}

// report shows the ends of all logs of a test that failed.
func (s *stack) report() {
	if !s.t.Failed() {
		return
	}
	const most = 40
	show := func(name string, lines []string) {
		if skipped := len(lines) - most; skipped > 0 {
			lines = append([]string{fmt.Sprintf("… %d lines before", skipped)}, lines[skipped:]...)
		}
		s.t.Logf("log of %s:\n%s", name, strings.Join(lines, "\n"))
	}
	for _, v := range s.services() {
		for i, p := range v.past {
			show(fmt.Sprintf("%s.%d", v.command, i+1), p.output())
		}
	}
	if s.server != nil {
		for _, p := range s.server.past {
			show("temporal", p.output())
		}
	}
}
