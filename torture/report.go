package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// verdict is how a scenario went.
type verdict string

// The verdicts.
const (
	passed verdict = "passed"
	failed verdict = "FAILED"
	notRun verdict = "not run"
)

// result is one row of the table.
type result struct {
	name, what string
	verdict    verdict
	reason     string // why it was not run
	seed       uint64
	began      time.Time
	took       time.Duration
	messages   int
	tally      tally
	acks       []time.Duration // of requests answered 2xx
	recovered  time.Duration   // the longest, after what was broken was whole again
	drained    time.Duration   // until everything had arrived, after the load's end
	notes      []string
	failures   []string
	busy       string // the load average at its end
}

// report is the table, with what has to be known to read it.
type report struct {
	options
	ceiling  string // with where it is from
	measured string // how, when it was
	began    time.Time
	commit   string
	machine  string
	asked    int // how many scenarios
	rows     []result
}

func newReport(o options) *report {
	return &report{options: o, began: time.Now(), commit: commit(), machine: machine()}
}

// commit is the version of the tree; "+" says that it was changed.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	if changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err == nil && len(changed) > 0 {
		id += "+"
	}
	return id
}

func (r *report) failed() bool {
	for _, row := range r.rows {
		if row.verdict == failed {
			return true
		}
	}
	return false
}

// add takes a row, tells it, and writes the file: an interrupted run leaves a true
// table.
func (r *report) add(row result) {
	row.busy = loadAverage()
	r.rows = append(r.rows, row)
	fmt.Fprintf(os.Stderr, "%s %s: %s %s\n", time.Now().Format("15:04:05"), row.name, row.verdict, row.details())
	if r.out == "" {
		return
	}
	if err := r.write(); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
}

// write puts this run into the file.
func (r *report) write() error {
	file, err := os.OpenFile(r.out, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	old, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(r.table(string(old))), 0)
	return err
}

const (
	columns = "| scenario | verdict | messages | lost / doubled / out of order | ack ms, p50 / p99 / max | recovered | drained | what else | run |\n|---|---|---|---|---|---|---|---|---|\n"
	heading = "# Torture\n\nWritten by `make torture`, a row after each scenario; see torture/ for how. Lost, doubled and out of order are by the simulator's own records. " +
		"Load is open-loop, in both directions, at 60 % of the ceiling that the last column names; the ceiling is both directions together." +
		" What a row fails is in bold. *Recovered* is the longest time from the moment when what was broken was whole again to the " +
		"first message (of Postgres: the first acknowledgement); *drained* is from the end of the load until everything had arrived. " +
		"A scenario is run again with `make torture ARGS=\"-run NAME -seed SEED\"`, in the short form with `-short`.\n\n"
)

// whole says that the run is of all scenarios.
func (r *report) whole() bool { return r.run == "" && r.skip == "" }

// table is the whole file. A run of all scenarios replaces an older file; one of
// some puts its rows over theirs, and leaves the rest and the summary.
func (r *report) table(old string) string {
	rows, summary := map[string]string{}, ""
	if !r.whole() {
		rows, summary = parts(old)
	}
	if r.whole() {
		summary = r.summary()
	}
	for _, row := range r.rows {
		rows[row.name] = r.line(row)
	}
	var b strings.Builder
	b.WriteString(heading + summary + columns)
	for _, s := range scenarios() {
		line := rows[s.name]
		if line == "" {
			line = fmt.Sprintf("| **%s**: %s | %s | | | | | | not asked for, or not reached yet | |\n", s.name, s.what, notRun)
		}
		b.WriteString(line)
	}
	return b.String()
}

// parts are the rows of an older file and its summary.
func parts(old string) (rows map[string]string, summary string) {
	rows = map[string]string{}
	head, table, found := strings.Cut(old, columns)
	if !found {
		return rows, ""
	}
	if i := strings.Index(head, summaryMark); i >= 0 {
		summary = head[i:]
	}
	for line := range strings.Lines(table) {
		if name, ok := nameOf(line); ok {
			rows[name] = line
		}
	}
	return rows, summary
}

func (r *report) line(row result) string {
	return fmt.Sprintf("| **%s**: %s | %s | %d | %d / %d / %d | %s | %s | %s | %s | %s form, seed %d, commit %s, %s, took %s, ceiling %s, load average %s on %d processors |\n",
		row.name, row.what, row.verdict, row.messages, row.tally.lost, row.tally.doubled, row.tally.moved, quantiles(row.acks),
		orDash(row.recovered), orDash(row.drained), row.details(), r.form(), row.seed, r.commit, row.began.UTC().Format("2006-01-02 15:04 UTC"),
		round(row.took), r.ceiling, row.busy, runtime.NumCPU())
}

func (r *report) form() string {
	if r.short {
		return "short"
	}
	return "long"
}

// nameOf finds the scenario in a line of the table.
func nameOf(line string) (string, bool) {
	rest, ok := strings.CutPrefix(line, "| **")
	name, _, found := strings.Cut(rest, "**")
	return name, ok && found
}

// details are the facts and failures of a row, fit for a table.
func (r result) details() string {
	all := append(r.notes[:len(r.notes):len(r.notes)], r.reason)
	for _, f := range r.failures {
		all = append(all, "**"+f+"**")
	}
	text := strings.Join(all, "; ")
	text = strings.NewReplacer("|", "/", "\n", " ").Replace(strings.Trim(text, "; "))
	if runes := []rune(text); len(runes) > 900 {
		text = string(runes[:900]) + "…"
	}
	return text
}

func orDash(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return round(d).String()
}

func round(d time.Duration) time.Duration {
	if d > 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
