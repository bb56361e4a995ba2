package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"parley/dev/internal/postgres"
	"parley/dev/internal/process"
	"parley/dev/internal/supervise"
	"parley/dev/internal/temporal"
)

// backends starts what Parley needs and does not bring: Postgres and Temporal.
type backends struct {
	super *supervise.Supervisor
	guard *process.Guard
}

// postgres starts a cluster and returns the URL of its database.
func (b backends) postgres(ctx context.Context, options postgres.Options) (string, error) {
	options.Database = "parley"
	options.Say = func(format string, args ...any) { b.super.Console.Say("postgres", format, args...) }
	cluster, err := postgres.Prepare(options)
	if err != nil {
		return "", err
	}
	if options.Throwaway {
		b.guard.Remove(cluster.Dir()) // may be elsewhere than asked for
	}
	// The supervisor keeps AwaitReady, and so the cluster and its lock, to the end.
	spec := cluster.Spec()
	spec.Guard = b.guard
	err = b.super.Start(ctx, supervise.Service{
		Spec: spec, Note: loopback(options.Port), Ready: cluster.AwaitReady,
		Harmless: "the database system is starting up", // to ourselves, asking whether it is ready
	})
	return cluster.URL(), err
}

// temporalOptions are the addresses and the store of a Temporal server.
type temporalOptions struct {
	address, ui       string
	sqlite            string
	postgres, dbNamed string
}

// temporal starts this program once more as a Temporal server, so that it can be
// killed, and started again, by itself.
func (b backends) temporal(ctx context.Context, o temporalOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"temporal", "-address", o.address, "-ui", o.ui}
	if o.sqlite != "" {
		args = append(args, "-sqlite", o.sqlite)
	} else {
		args = append(args, "-postgres", o.postgres, "-database", o.dbNamed)
	}
	return b.super.Start(ctx, supervise.Service{
		Spec: process.Spec{Name: "temporal", Path: self, Args: args, Guard: b.guard},
		Note: o.address,
		Ready: func(ctx context.Context) error {
			if err := temporal.AwaitReady(ctx, o.address, "default"); err != nil {
				return err
			}
			return awaitHTTP("http://" + o.ui + "/healthz")(ctx)
		},
	})
}

// awaitHTTP polls until the answer is 200.
func awaitHTTP(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			err := answers(ctx, url)
			if err == nil {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for %s: %w", url, err)
			case <-tick.C:
			}
		}
	}
}

func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}
