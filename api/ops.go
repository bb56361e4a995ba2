package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkWithin bounds one check of readiness.
const checkWithin = 2 * time.Second

// Check is one thing without which a process cannot do its work.
type Check struct {
	Name string // shown to whoever asks, e.g. "database"
	Ping func(context.Context) error
}

// Ops is the operators' listener, the same in every process: is it alive, can it
// do its work, what has it done. Other rooms add their metrics to its Registry and
// their pages with Handle. It is not for the public.
type Ops struct {
	registry *prometheus.Registry
	metrics  *metrics
	checks   []Check
	log      *slog.Logger
	mux      *http.ServeMux
	draining atomic.Bool

	mu     sync.Mutex
	failed map[string]bool // by check, so that only changes are logged
}

// NewOps returns a listener that is ready as long as all checks succeed.
func NewOps(log *slog.Logger, checks ...Check) *Ops {
	o := &Ops{registry: prometheus.NewRegistry(), checks: checks, log: log, mux: http.NewServeMux(), failed: map[string]bool{}}
	o.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.metrics = newMetrics(o.registry)
	o.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	o.mux.HandleFunc("GET /readyz", o.ready)
	o.mux.Handle("GET /metrics", promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{}))
	return o
}

// Registry takes the metrics of other rooms. Their labels hold configured names
// and words of ours, nothing of a consumer's.
func (o *Ops) Registry() *prometheus.Registry { return o.registry }

// Handle adds a page; pattern is http.ServeMux's. Call it before Serve.
func (o *Ops) Handle(pattern string, handler http.Handler) { o.mux.Handle(pattern, handler) }

// Handler returns the routes.
func (o *Ops) Handler() http.Handler { return o.mux }

// Drain makes the process not ready, for good: load balancers send nothing more.
func (o *Ops) Drain() { o.draining.Store(true) }

// Serve answers at l until ctx is done. It should outlive what Drain announces.
func (o *Ops) Serve(ctx context.Context, l net.Listener) error {
	srv := newHTTPServer(o.Handler(), o.log)
	srv.WriteTimeout = 0 // pages may stream
	return serve(ctx, srv, l, func() {})
}

// ready names the checks that fail; why is in the log, as it may tell too much.
func (o *Ops) ready(w http.ResponseWriter, r *http.Request) {
	if o.draining.Load() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	text := ""
	for i, err := range o.ping(r.Context()) {
		name := o.checks[i].Name
		o.note(name, err)
		if err != nil {
			text += name + ": failed\n"
		}
	}
	if text != "" {
		say(w, http.StatusServiceUnavailable, text[:len(text)-1])
		return
	}
	say(w, http.StatusOK, "ready")
}

// ping runs all checks at the same time.
func (o *Ops) ping(ctx context.Context) []error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	errs := make([]error, len(o.checks))
	var wg sync.WaitGroup
	for i, c := range o.checks {
		wg.Go(func() { errs[i] = c.Ping(ctx) })
	}
	wg.Wait()
	return errs
}

func (o *Ops) note(name string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if was := o.failed[name]; was == (err != nil) {
		return
	}
	o.failed[name] = err != nil
	if err != nil {
		o.log.Error("not ready", "check", name, "err", err)
	} else {
		o.log.Info("ready again", "check", name)
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
