package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"parley/dev/internal/temporal"
)

const temporalHelp = `Runs a Temporal server and its UI in one process, until SIGINT or SIGTERM.
State is kept in a SQLite file, or in two databases on a Postgres server; both
survive a restart, and a kill. Prints one line when it is ready.`

const stopTemporalWithin = 3 * time.Second

func temporalCommand(args []string) error {
	flags := newFlags("temporal", temporalHelp)
	cfg := temporal.Config{Log: os.Stderr}
	flags.StringVar(&cfg.Address, "address", "127.0.0.1:7233", "host:port of the server")
	flags.StringVar(&cfg.UIAddress, "ui", "127.0.0.1:8233", "host:port of the UI; empty for none")
	flags.StringVar(&cfg.SQLite, "sqlite", "", "keep state in this `file` (default .parley/temporal.db)")
	flags.StringVar(&cfg.Postgres, "postgres", "", "keep state on the Postgres at this `URL`; its user must be allowed to create databases")
	flags.StringVar(&cfg.Database, "database", "temporal", "`name` of the database on Postgres; a second one gets the suffix _visibility")
	flags.StringVar(&cfg.Namespace, "namespace", "default", "namespace to create")
	flags.StringVar(&cfg.LogLevel, "log", "warn", "what to log on stderr: debug, info, warn or error")
	if err := parse(flags, args, false); err != nil {
		return err
	}
	if cfg.SQLite != "" && cfg.Postgres != "" {
		return usageError{errors.New("choose one of -sqlite and -postgres")}
	}
	if cfg.SQLite == "" && cfg.Postgres == "" {
		cfg.SQLite = ".parley/temporal.db"
	}
	if err := available(listener{"Temporal", cfg.Address, "-address"}, listener{"the Temporal UI", cfg.UIAddress, "-ui"}); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	server, err := temporal.Start(ctx, cfg)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Printf("Temporal is ready at %s, its UI at http://%s (%s)\n", cfg.Address, cfg.UIAddress, time.Since(began).Round(time.Millisecond))
	<-ctx.Done()
	stop() // a second signal ends us at once
	return server.Stop(stopTemporalWithin)
}
