package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command's flags.
type options struct {
	list    bool
	run     string
	seed    uint64
	short   bool
	out     string
	parley  string
	dev     string
	ceiling float64
	keep    bool
}

func main() {
	var o options
	flag.BoolVar(&o.list, "list", false, "list the scenarios and end")
	flag.StringVar(&o.run, "run", "", "run these scenarios only: `names`, separated by commas")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of everything chosen at random; 0 takes one from the clock")
	flag.BoolVar(&o.short, "short", false, "small counts and short outages: some minutes in all")
	flag.StringVar(&o.out, "out", "", "write the table to this `file` as well, after every scenario")
	flag.StringVar(&o.parley, "parley", "bin/parley", "the `binary` to torture")
	flag.StringVar(&o.dev, "dev", os.Getenv("PARLEY_DEV"), "the `program` that brings Temporal and Postgres; PARLEY_DEV")
	flag.Float64Var(&o.ceiling, "ceiling", 0, "messages a second to take as the ceiling, instead of measuring it")
	flag.BoolVar(&o.keep, "keep", false, "leave logs and databases behind")
	flag.Parse()
	if o.list {
		fmt.Print(listed(scenarios()))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// listed is what -list shows: each scenario with about what it takes in its short
// and in its long form.
func listed(all []scenario) string {
	var b strings.Builder
	var short, long time.Duration
	for _, s := range all {
		fmt.Fprintf(&b, "%-20s %6s %8s  %s\n", s.name, s.inShort, s.inLong, s.what)
		short, long = short+s.inShort, long+s.inLong
	}
	fmt.Fprintf(&b, "%-20s %6s %8s  in the short form, and in the long\n", "all", short, long)
	return b.String()
}

var errFailed = errors.New("not all scenarios passed")

func run(ctx context.Context, o options) error {
	chosen, err := choose(o.run)
	if err != nil {
		return err
	}
	if o.dev == "" {
		o.dev = "bin/parley-dev"
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	r := newReport(o)
	h := &hall{options: o, report: r}
	defer func() { h.leave(o.keep) }()
	for _, s := range chosen {
		if ctx.Err() != nil {
			r.add(result{name: s.name, what: s.what, verdict: notRun, reason: "the run was interrupted"})
			continue
		}
		r.add(h.trial(ctx, s))
	}
	fmt.Print(r.table(""))
	if r.failed() {
		return errFailed
	}
	return ctx.Err()
}

// choose finds scenarios by name, in the order of the list.
func choose(names string) ([]scenario, error) {
	all := scenarios()
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	var chosen []scenario
	for _, s := range all {
		if i := slices.Index(wanted, s.name); i >= 0 {
			chosen = append(chosen, s)
			wanted = slices.Delete(wanted, i, i+1)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("there is no scenario %q; -list shows them", wanted[0])
	}
	return chosen, nil
}
