package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"parley/dev/internal/process"
	"parley/dev/internal/supervise"
)

// stack starts everything `parley-dev run` runs, in order.
type stack struct {
	runOptions
	backends
}

const migrateWithin = time.Minute

// How long api and worker may take to stop: a little more than they allow
// themselves for requests and activities under way.
const parleyPatience = 20 * time.Second

func (s stack) start(ctx context.Context) error {
	environ, err := s.environment(ctx)
	if err != nil {
		return err
	}
	if err := s.migrate(ctx, environ); err != nil {
		return err
	}
	for _, service := range []struct{ name, ops, address, ready string }{
		{"simulator", "", s.simulator, "/"},
		{"api", s.apiOps, s.api, "/readyz"},
		{"worker", s.workerOps, "", "/readyz"},
	} {
		own := environ
		ask := service.address
		if service.ops != "" {
			own, ask = append(environ[:len(environ):len(environ)], "PARLEY_OPS_ADDR="+service.ops), service.ops
		}
		err := s.super.Start(ctx, supervise.Service{
			Spec:  s.parleySpec(service.name, own),
			Note:  service.address,
			Ready: awaitHTTP("http://" + browsable(ask) + service.ready),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// environment starts the backends and returns what Parley's processes are told.
func (s stack) environment(ctx context.Context) ([]string, error) {
	secrets, err := demoSecrets(filepath.Join(s.state, "demo.env"))
	if err != nil {
		return nil, fmt.Errorf("secrets of the demo: %w", err)
	}
	variables := append(demoVariables(s.addresses, secrets),
		variable{"PARLEY_SIMULATOR_STATE", filepath.Join(s.state, "simulator.json")}) // it knows yesterday's conversations too
	database := os.Getenv("DATABASE_URL")
	if database == "" {
		options, err := s.postgresOptions()
		if err != nil {
			return nil, err
		}
		if database, err = s.backends.postgres(ctx, options); err != nil {
			return nil, err
		}
		variables = append(variables, variable{"DATABASE_URL", database})
	}
	if os.Getenv("TEMPORAL_ADDRESS") == "" {
		to := temporalOptions{address: s.addresses.temporal, ui: s.temporalUI}
		if s.store == "postgres" {
			to.postgres, to.dbNamed = database, "temporal"
		} else {
			to.sqlite = filepath.Join(s.state, "temporal.db")
		}
		if err := s.backends.temporal(ctx, to); err != nil {
			return nil, err
		}
		variables = append(variables,
			variable{"TEMPORAL_ADDRESS", to.address},
			variable{"TEMPORAL_NAMESPACE", "default"},
			variable{"PARLEY_SIMULATOR_TEMPORAL_UI", "http://" + browsable(to.ui)})
	}
	return merge(os.Environ(), variables), nil
}

// migrate runs once, and has to succeed before anything else of Parley starts.
func (s stack) migrate(ctx context.Context, environ []string) error {
	log, err := s.super.OpenLog("migrate")
	if err != nil {
		return err
	}
	defer log.Close()
	spec := s.parleySpec("migrate", environ)
	spec.Stdout, spec.Stderr = log, log
	began := time.Now()
	child, err := process.Start(spec)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, migrateWithin)
	defer cancel()
	select {
	case <-child.Done():
	case <-ctx.Done():
		_ = child.Stop(context.Background()) // the error below says enough
		return fmt.Errorf("migrate did not finish: %w%s", ctx.Err(), log.Tail())
	}
	if status := child.ExitStatus(); status != 0 {
		return fmt.Errorf("migrate failed (exit status %d)%s", status, log.Tail())
	}
	s.super.Console.Say("migrate", "done in %s", supervise.Seconds(time.Since(began)))
	return nil
}

func (s stack) parleySpec(command string, environ []string) process.Spec {
	path, err := filepath.Abs(s.parley)
	if err != nil {
		path = s.parley
	}
	return process.Spec{
		Name: command, Path: path, Args: []string{command}, Env: environ,
		Patience: parleyPatience, Guard: s.guard,
	}
}
