// Command parley-dev brings everything Parley needs on a machine without
// containers: a Temporal server with its UI, a Postgres, and a supervisor that
// runs them together with Parley's own processes.
//
// It lives in a module of its own, so that the Temporal server and all that comes
// with it stay out of the product, and it knows the product only by its command
// lines, its environment variables and its HTTP routes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"parley/dev/internal/postgres"
)

const usage = `parley-dev brings what Parley needs on a machine without containers.

Usage:
  parley-dev run       run everything: Postgres, Temporal, the simulator and Parley
  parley-dev exec      run a command beside a throwaway Postgres and Temporal
  parley-dev temporal  run a Temporal server with its UI
  parley-dev postgres  run a Postgres cluster of its own

"parley-dev <command> -h" shows what a command understands.
`

const (
	exitFailed = 1
	exitUsage  = 2 // wrong usage, or something on the machine is missing
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(exitUsage)
	}
	commands := map[string]func([]string) error{
		"run":      runCommand,
		"exec":     execCommand,
		"temporal": temporalCommand,
		"postgres": postgresCommand,
		"guard":    guardCommand,
	}
	name := os.Args[1]
	command, ok := commands[name]
	if !ok {
		if name == "help" || name == "-h" || name == "--help" {
			fmt.Print(usage)
			return
		}
		fmt.Fprintf(os.Stderr, "parley-dev: there is no command %q\n\n%s", name, usage)
		os.Exit(exitUsage)
	}
	os.Exit(status(name, command(os.Args[2:])))
}

// exitStatus is the status of a command that was run for somebody else: it has
// said itself what went wrong.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a mistake of the caller's, or something missing on the machine.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func status(name string, err error) int {
	var code exitStatus
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(os.Stderr, "parley-dev %s: %v\n", name, err)
	var usage usageError
	if errors.As(err, &usage) || errors.Is(err, postgres.ErrNoPrograms) || errors.Is(err, postgres.ErrInUse) {
		return exitUsage
	}
	return exitFailed
}

// newFlags returns a flag set that explains itself.
func newFlags(name, help string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "Usage: parley-dev %s [flags]\n\n%s\n\nFlags:\n", name, help)
		flags.PrintDefaults()
	}
	return flags
}

// parse refuses what flags leave over, unless the command takes arguments.
func parse(flags *flag.FlagSet, args []string, takesArguments bool) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return exitStatus(exitUsage) // the flag set has told what is wrong
	}
	if flags.NArg() > 0 && !takesArguments {
		return usageError{fmt.Errorf("unexpected argument %q", flags.Arg(0))}
	}
	return nil
}

// env is the default of a flag: an environment variable, if it is set.
func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
