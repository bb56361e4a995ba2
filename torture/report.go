package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
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
}

// report is the table, with what has to be known to read it.
type report struct {
	options
	ceiling float64
	began   time.Time
	commit  string
	rows    []result
}

func newReport(o options) *report {
	return &report{options: o, began: time.Now(), commit: commit()}
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
	r.rows = append(r.rows, row)
	fmt.Fprintf(os.Stderr, "%s %s: %s %s\n", time.Now().Format("15:04:05"), row.name, row.verdict, row.details())
	if r.out == "" {
		return
	}
	var b bytes.Buffer
	r.print(&b)
	if err := os.WriteFile(r.out, b.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
}

func (r *report) print(to io.Writer) {
	var b bytes.Buffer
	form := "long"
	if r.short {
		form = "short"
	}
	fmt.Fprintf(&b, "# Torture\n\nWritten by `make torture`; see torture/ for how. %s, commit %s, %s form, %d processors, load average %s.\n\n",
		r.began.UTC().Format("2006-01-02 15:04 UTC"), r.commit, form, runtime.NumCPU(), loadAverage())
	fmt.Fprintf(&b, "Ceiling measured in this run: %.0f messages a second, both directions together; load is open-loop at 60 %% of it unless a row says otherwise. "+
		"Lost, doubled and out of order are by the simulator's own records. A scenario is run again with `-run NAME -seed SEED`.\n\n", r.ceiling)
	fmt.Fprint(&b, "| scenario | verdict | seed | messages | lost / doubled / out of order | ack ms, p50 / p99 / max | recovered | drained | took | what else |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| **%s**: %s | %s | %d | %d | %d / %d / %d | %s | %s | %s | %s | %s |\n", row.name, row.what, row.verdict, row.seed, row.messages,
			row.tally.lost, row.tally.doubled, row.tally.moved, quantiles(row.acks), orDash(row.recovered), orDash(row.drained), round(row.took), row.details())
	}
	for _, s := range scenarios() {
		if !r.has(s.name) {
			fmt.Fprintf(&b, "| **%s**: %s | %s | | | | | | | | not asked for, or not reached yet |\n", s.name, s.what, notRun)
		}
	}
	_, _ = to.Write(b.Bytes())
}

func (r *report) has(name string) bool {
	for _, row := range r.rows {
		if row.name == name {
			return true
		}
	}
	return false
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
