// Command parley joins messaging channels to LivePerson's Conversational Cloud.
// It reads configuration, opens things, joins rooms, and starts and stops them; it
// holds no rule and no route. Nobody imports it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// version is set by the build: -ldflags "-X main.version=1.2.3".
var version = "dev"

// command is one sub-command.
type command struct {
	name, summary string
	run           func(ctx context.Context, p *process, args []string) error
}

func commands() []command {
	return []command{
		{"api", "receive webhooks, store them, relay them to their conversations", runAPI},
		{"worker", "run conversations and carry out what they want done", runWorker},
		{"migrate", "bring Postgres and Temporal up to date; safe to run twice, and at the same time", runMigrate},
		{"simulator", "stand in for the Conversational Cloud and the channels' providers, with a demo page", runSimulator},
		{"close", "close an open conversation", runUpdate},
		{"redrive", "put a dead message back on its way, or let a waiting one go now", runRedrive},
		{"skip", "drop a dead or waiting message for good", runUpdate},
		{"dead-letters", "list what will not be tried again by itself", runDeadLetters},
		{"verify", "prove that everything accepted reached its effect, or say where it is", runVerify},
		{"export", "write a conversation's history to a file", runExport},
		{"replay", "re-execute an exported history on this machine, sending nothing", runReplay},
		{"version", "print the version", func(_ context.Context, p *process, _ []string) error {
			_, err := fmt.Fprintln(p.out, version)
			return err
		}},
	}
}

// process is what a sub-command borrows from the operating system.
type process struct {
	command string
	env     []string
	out     io.Writer
	log     *slog.Logger
}

// Exit statuses.
const (
	exitFailed    = 1
	exitUsage     = 2 // wrong arguments or configuration: trying again will not help
	exitMissing   = exitFailed
	exitWaiting   = 3 // verify: nothing is missing, and not everything is at its effect
	exitUncertain = 4 // verify: all was sent, and of some it is not known whether it arrived once
)

// exitStatus ends a command that has said itself what there is to say.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// errUsage is a command that was called wrongly; its text says how to call it.
type errUsage struct{ text string }

func (e errUsage) Error() string { return e.text }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func run(ctx context.Context, args, env []string, out, errs io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(errs, usage())
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(out, usage())
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		log, err := newLogger(errs, env)
		if err == nil {
			err = c.run(ctx, &process{command: c.name, env: env, out: out, log: log.With("command", c.name)}, args[1:])
		}
		return explain(errs, c.name, err)
	}
	fmt.Fprintf(errs, "parley: there is no command %q\n\n%s", args[0], usage())
	return exitUsage
}

// explain says what went wrong, and whose turn it is.
func explain(errs io.Writer, name string, err error) int {
	var config *ConfigError
	var misuse errUsage
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &config):
		fmt.Fprintf(errs, "parley %s: the configuration is not usable:\n%s\n", name, config)
		return exitUsage
	case errors.As(err, &misuse):
		fmt.Fprintf(errs, "parley %s: %s\n", name, misuse.text)
		return exitUsage
	default:
		fmt.Fprintf(errs, "parley %s: %s\n", name, err)
		return exitFailed
	}
}

func usage() string {
	var b strings.Builder
	b.WriteString("Parley joins messaging channels to LivePerson's Conversational Cloud.\n\nUsage: parley COMMAND [ARGUMENTS]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-12s %s\n", c.name, c.summary)
	}
	b.WriteString("\nAll configuration comes from the environment; the README lists every variable.\n")
	return b.String()
}

// newLogger logs as JSON, one object a line, from PARLEY_LOG_LEVEL on.
func newLogger(w io.Writer, env []string) (*slog.Logger, error) {
	level := slog.LevelInfo
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PARLEY_LOG_LEVEL="); ok && v != "" {
			if err := level.UnmarshalText([]byte(v)); err != nil {
				return nil, errUsage{`PARLEY_LOG_LEVEL is not a level; write "debug", "info", "warn" or "error"`}
			}
		}
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
}
