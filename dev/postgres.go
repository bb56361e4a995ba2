package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"parley/dev/internal/postgres"
	"parley/dev/internal/process"
)

const postgresHelp = `Runs a Postgres cluster of its own on 127.0.0.1, until SIGINT or SIGTERM, with the
server programs of this machine. The cluster is created when there is none. Root
lends it to the user postgres or nobody. Prints the URL when it is ready.

PARLEY_DEV_POSTGRES_BIN names the folder of the programs, if they are not found.`

const defaultPostgresPort = 54320

func postgresCommand(args []string) error {
	flags := newFlags("postgres", postgresHelp)
	options := postgres.Options{Say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }}
	flags.StringVar(&options.Dir, "dir", ".parley/postgres", "`folder` of the cluster")
	flags.IntVar(&options.Port, "port", defaultPostgresPort, "port on 127.0.0.1")
	flags.StringVar(&options.Database, "database", "parley", "database to create")
	flags.BoolVar(&options.Throwaway, "throwaway", false, "do not sync commits to disk: faster, and not durable")
	if err := parse(flags, args, false); err != nil {
		return err
	}
	if err := available(listener{"Postgres", loopback(options.Port), "-port"}); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cluster, err := postgres.Prepare(options)
	if err != nil {
		return err
	}
	defer cluster.Close()
	return servePostgres(ctx, stop, cluster)
}

func servePostgres(ctx context.Context, stop context.CancelFunc, cluster *postgres.Cluster) error {
	spec := cluster.Spec()
	spec.Stdout, spec.Stderr = os.Stderr, os.Stderr
	child, err := process.Start(spec)
	if err != nil {
		return err
	}
	defer child.Kill()
	ready, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	go func() {
		select {
		case <-child.Done():
			cancel()
		case <-ready.Done():
		}
	}()
	if err := cluster.AwaitReady(ready); err != nil && ctx.Err() == nil {
		return err
	}
	if ctx.Err() == nil {
		fmt.Println(cluster.URL())
	}
	select {
	case <-child.Done():
		return fmt.Errorf("the server ended by itself (exit status %d)", child.ExitStatus())
	case <-ctx.Done():
		stop() // a second signal ends us at once
		return child.Stop(context.Background())
	}
}
