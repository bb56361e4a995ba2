package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// How long a peer may take. A webhook is a few kilobytes; whoever needs longer
// holds a connection that others want.
const (
	headerWithin = 5 * time.Second
	bodyWithin   = 10 * time.Second // header included
	writeWithin  = 15 * time.Second
	idleWithin   = 2 * time.Minute
	maxHeader    = 16 << 10 // bytes; a webhook's has one to three KiB
)

// drainWithin is how long requests under way may take when the process stops.
const drainWithin = 10 * time.Second

// newHTTPServer returns a server that slow and careless peers cannot exhaust.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerWithin,
		ReadTimeout:       bodyWithin,
		WriteTimeout:      writeWithin,
		IdleTimeout:       idleWithin,
		MaxHeaderBytes:    maxHeader,
		// Peers that break off are not our failures.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Serve answers webhooks at l until ctx is done. Then the process is no longer
// ready, l stays open for grace so that load balancers can notice, and what is
// under way is finished.
func (s *Server) Serve(ctx context.Context, l net.Listener, grace time.Duration) error {
	srv := newHTTPServer(s.Handler(), s.Log)
	newDoor(mostConnections, s.Ops.metrics.letGo.Inc).guard(srv)
	return serve(ctx, srv, l, func() {
		s.Ops.Drain()
		time.Sleep(grace)
	})
}

// serve runs srv until ctx is done, calls before, and stops within drainWithin.
func serve(ctx context.Context, srv *http.Server, l net.Listener, before func()) error {
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("listen on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	before()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	err := srv.Shutdown(stop)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests still under way after %s", drainWithin), srv.Close())
	}
	<-failed
	return err
}
