package simulator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Simulator is one stand-in for all far sides. It is an http.Handler; several can
// live side by side in one process.
type Simulator struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	started time.Time
	mux     *http.ServeMux

	settings atomic.Pointer[Settings]
	faults   *faults
	wire     *wire
	hub      *hub
	counters *counters
	keys     *keyring
	files    *fileStore
	swiftKey []byte // signs temporary URLs

	accounts []*account
	channels []*channel
	webhooks *http.Client // to Parley's LivePerson routes
	provider *http.Client // to Parley's channel routes

	life   context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	gate   sync.Mutex // orders tasks.Add before tasks.Wait
	closed bool
}

// An Option changes how a Simulator is built.
type Option func(*Simulator)

// WithLogger sets where the simulator logs; by default nowhere. Texts and numbers
// are never logged.
func WithLogger(l *slog.Logger) Option { return func(s *Simulator) { s.log = l } }

// WithClock replaces the clock by which tokens expire and events are stamped;
// pauses and retries keep real time.
func WithClock(now func() time.Time) Option { return func(s *Simulator) { s.now = now } }

// New returns a Simulator that serves nothing yet. Close ends what it does in the
// background.
func New(cfg Config, opts ...Option) (*Simulator, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Simulator{cfg: cfg, log: slog.New(slog.DiscardHandler), now: time.Now}
	for _, o := range opts {
		o(s)
	}
	settings, err := defaultSettings(cfg).with([]byte(cfg.Settings))
	if err != nil {
		return nil, fmt.Errorf("PARLEY_SIMULATOR_SETTINGS: %w", err)
	}
	s.settings.Store(&settings)
	s.life, s.cancel = context.WithCancel(context.Background())
	s.started = s.now()
	s.faults, s.hub, s.counters, s.keys = newFaults(), newHub(), newCounters(), &keyring{}
	s.files, s.swiftKey = newFileStore(cfg.StateFile), []byte(rand.Text())
	s.wire = newWire(s.hub)
	s.wire.resize(settings.WireEntries)
	s.webhooks, s.provider = newClient(256), newClient(256)
	for _, a := range cfg.Accounts {
		s.accounts = append(s.accounts, newAccount(s, a))
	}
	for _, c := range cfg.Channels {
		if c.Kind == kindTwilio || c.Kind == kindHTTP {
			s.channels = append(s.channels, newChannel(s, c))
		}
	}
	if err := s.load(); err != nil {
		s.Close()
		return nil, err
	}
	s.mux = s.routes()
	s.soon(0, func() { s.keepSaved(s.life) })
	return s, nil
}

// newClient returns a client that keeps its connections: the load tests send
// thousands of requests a second to one host.
func newClient(conns int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			MaxIdleConns:        conns,
			MaxIdleConnsPerHost: conns,
			MaxConnsPerHost:     conns,
			IdleConnTimeout:     60 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second,
		},
		// A redirect is not a success, and is not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Run serves on cfg.Addr until ctx is done.
func (s *Simulator) Run(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	return s.Serve(ctx, l)
}

// Serve serves on l until ctx is done, then stops within a few seconds and closes
// the simulator. It returns nil after an orderly stop.
func (s *Simulator) Serve(ctx context.Context, l net.Listener) error {
	secured, err := s.secure(l)
	if err != nil {
		_ = l.Close()
		s.Close()
		return err
	}
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(secured) }()
	s.log.Info("simulator is listening", "addr", l.Addr().String())
	select {
	case err := <-done:
		s.Close()
		return fmt.Errorf("simulator: %w", err)
	case <-ctx.Done():
	}
	s.cancel() // ends streams and hanging answers, which Shutdown would wait for
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		_ = srv.Close()
	}
	s.Close()
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("simulator: %w", err)
	}
	return nil
}

// Close ends everything the simulator does in the background, waits for it, and
// writes the state file.
func (s *Simulator) Close() {
	s.gate.Lock()
	was := s.closed
	s.closed = true
	s.gate.Unlock()
	if was {
		return
	}
	s.cancel()
	s.tasks.Wait()
	if s.mux != nil {
		if err := s.save(); err != nil {
			s.log.Warn("the simulator's state was not saved", "err", err)
		}
	}
	s.files.close()
	s.webhooks.CloseIdleConnections()
	s.provider.CloseIdleConnections()
}

// SetParleyURL tells the simulator where Parley's public listener is.
func (s *Simulator) SetParleyURL(u string) error {
	return s.change(fmt.Appendf(nil, `{"parleyUrl":%q}`, u))
}

// change applies a patch to the settings.
func (s *Simulator) change(patch []byte) error {
	for {
		old := s.settings.Load()
		next, err := old.with(patch)
		if err != nil {
			return err
		}
		if next.WebhookHeaders == nil {
			next.WebhookHeaders = old.WebhookHeaders
		}
		if s.settings.CompareAndSwap(old, &next) {
			s.settled(next)
			return nil
		}
	}
}

// settled lets everybody see changed settings.
func (s *Simulator) settled(now Settings) {
	s.wire.resize(now.WireEntries)
	for _, a := range s.accounts {
		a.sender.kick()
	}
	s.hub.publish("settings", "", func() any { return now })
}

// soon runs f in the background after d, unless the simulator is closed by then.
func (s *Simulator) soon(d time.Duration, f func()) {
	run := func() {
		s.gate.Lock()
		if s.closed {
			s.gate.Unlock()
			return
		}
		s.tasks.Add(1)
		s.gate.Unlock()
		defer s.tasks.Done()
		f()
	}
	if d <= 0 {
		go run()
		return
	}
	time.AfterFunc(d, run)
}

// reset forgets everything that happened.
func (s *Simulator) reset() error {
	settings, err := defaultSettings(s.cfg).with([]byte(s.cfg.Settings))
	if err != nil {
		return err
	}
	settings.ParleyURL = s.settings.Load().ParleyURL // tests learn it late, and only once
	s.settings.Store(&settings)
	s.faults.replace(Faults{})
	for _, a := range s.accounts {
		a.reset()
	}
	for _, c := range s.channels {
		c.reset()
	}
	s.files.reset()
	s.wire.reset()
	s.counters.reset()
	s.settled(settings)
	s.hub.publish("reset", "", func() any { return struct{}{} })
	return nil
}

func (s *Simulator) account(name string) *account {
	for _, a := range s.accounts {
		if a.cfg.Name == name || a.cfg.SiteID == name {
			return a
		}
	}
	return nil
}

func (s *Simulator) channel(name string) *channel {
	for _, c := range s.channels {
		if c.cfg.Name == name {
			return c
		}
	}
	return nil
}

// publicURL is what Twilio believes Parley's address to be.
func (s *Simulator) publicURL() string {
	if s.cfg.PublicURL != "" {
		return trimSlash(s.cfg.PublicURL)
	}
	return s.settings.Load().ParleyURL
}
