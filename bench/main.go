// Command bench measures Parley on one machine: acknowledgements, end-to-end
// latency, bursts, new conversations and the size of histories, next to what the
// same machine does with a bare handler that inserts one row. `make bench` runs it
// beside a Postgres and a Temporal server.
//
// It starts the real binaries and talks to them as the outside world does; of
// Parley's packages it imports only the simulator, which runs in this process so
// that arrivals are stamped by the clock that planned them. It asserts nothing
// about speed, but ends with an error if a message was lost or doubled.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the command's flags.
type options struct {
	store  string // where Temporal keeps its state: a label, and the reference to compare with
	report string // file to write as well
	parley string // the binary
	only   string // phases to run, by their first letters

	conversations int
	rate          int // messages a second
	lasting       time.Duration
	repeat        int
	clients       int
	closed        time.Duration // how long the clients post as fast as they can
	fresh         int           // new conversations
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == bareCommand {
		exit(serveBare())
	}
	var o options
	flag.StringVar(&o.store, "store", "", "where Temporal keeps its state, for the report: postgres or sqlite")
	flag.StringVar(&o.report, "o", "", "write the table to this `file` as well, in place of the one of the same store")
	flag.StringVar(&o.parley, "parley", "bin/parley", "the `binary` to measure")
	flag.StringVar(&o.only, "only", "labnt", "phases: `letters` of l(atency), a(cknowledgements), b(ursts), n(ew conversations), t(rimming old rows)")
	flag.IntVar(&o.conversations, "conversations", 100, "warm conversations; at most 100")
	flag.IntVar(&o.rate, "rate", 20, "messages a second, for latency")
	flag.DurationVar(&o.lasting, "lasting", 20*time.Second, "length of one repetition of latency, each direction, and of trimming, with and without")
	flag.IntVar(&o.repeat, "repeat", 3, "repetitions of everything")
	flag.IntVar(&o.clients, "clients", 64, "clients of bursts and acknowledgements")
	flag.DurationVar(&o.closed, "closed", 3*time.Second, "length of one repetition of acknowledgements")
	flag.IntVar(&o.fresh, "new", 300, "new conversations in one repetition")
	flag.Parse()
	exit(run(o))
}

func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(o options) error {
	if os.Getenv("DATABASE_URL") == "" || os.Getenv("TEMPORAL_ADDRESS") == "" {
		return errors.New("DATABASE_URL and TEMPORAL_ADDRESS are not set: run `make bench`")
	}
	if o.conversations < 1 || o.conversations > 100 || o.repeat < 1 || o.rate < 1 || o.clients < 1 {
		return errors.New("flags are out of range; see -h")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := aboutMachine()
	s, err := newStack(ctx, o)
	if err != nil {
		return err
	}
	b := &bench{options: o, stack: s, results: newResults()}
	err = b.all(ctx)
	err = errors.Join(err, s.close())
	if err != nil {
		return err
	}
	return b.results.report(o, began, aboutMachine())
}
