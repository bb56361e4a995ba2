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
	skip    string
	limit   time.Duration
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
	flag.StringVar(&o.skip, "skip", "", "leave these scenarios out: `names`, separated by commas")
	flag.DurationVar(&o.limit, "limit", 3*time.Hour, "end what has not ended by then")
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
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, errLimit)
	defer cancel()
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

var (
	errFailed = errors.New("not all scenarios passed")
	errLimit  = errors.New("the time set by -limit was over")
)

func run(ctx context.Context, o options) error {
	chosen, err := choose(o.run, o.skip)
	if err != nil {
		return err
	}
	if o.dev == "" {
		o.dev = "bin/parley-dev"
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	fmt.Fprintf(os.Stderr, "seed %d\n", o.seed)
	r := newReport(o)
	r.asked = len(chosen)
	h := &hall{options: o, report: r}
	defer func() { h.leave(o.keep) }()
	for _, s := range chosen {
		if ctx.Err() != nil {
			r.add(result{name: s.name, what: s.what, verdict: notRun, reason: context.Cause(ctx).Error()})
			continue
		}
		r.add(h.trial(ctx, s))
	}
	fmt.Print(r.table(""))
	if r.failed() {
		return errFailed
	}
	return context.Cause(ctx)
}

// choose finds scenarios by name, in the order of the list: all of them when none
// is named, but for those to skip.
func choose(run, skip string) ([]scenario, error) {
	wanted, err := named(run)
	if err != nil {
		return nil, err
	}
	unwanted, err := named(skip)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(scenarios(), func(s scenario) bool {
		return slices.Contains(unwanted, s.name) || len(wanted) > 0 && !slices.Contains(wanted, s.name)
	}), nil
}

// named splits a list of names, each of which has to be a scenario's.
func named(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.ContainsFunc(scenarios(), func(s scenario) bool { return s.name == name }) {
			return nil, fmt.Errorf("there is no scenario %q; -list shows them", name)
		}
	}
	return names, nil
}
