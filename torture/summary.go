package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// summaryMark begins the summary of a run of all scenarios.
const summaryMark = "**One run of all scenarios"

// summary says what one run of all scenarios was: of what, where, with which end.
func (r *report) summary() string {
	count := map[verdict]int{}
	for _, row := range r.rows {
		count[row.verdict]++
	}
	state := "complete"
	if len(r.rows) < r.asked {
		state = fmt.Sprintf("%d of %d scenarios done", len(r.rows), r.asked)
	}
	measured := r.measured
	if measured != "" {
		measured = " (" + measured + ")"
	}
	return fmt.Sprintf("%s, %s form, %s: %d passed, %d failed, %d not run.** Begun %s, took %s, seed %d, commit %s. %s. Ceiling %s%s.\n\n",
		summaryMark, r.form(), state, count[passed], count[failed], count[notRun],
		r.began.UTC().Format("2006-01-02 15:04 UTC"), time.Since(r.began).Round(time.Second), r.seed, r.commit, r.machine, orUnknown(r.ceiling), measured)
}

// machine is what the figures depend on.
func machine() string {
	return fmt.Sprintf("%d processors (%s), %s, %s, Temporal %s on SQLite",
		runtime.NumCPU(), orUnknown(processor()), runtime.Version(), orUnknown(postgresVersion()), orUnknown(temporalVersion()))
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// processor is the name the kernel has for it.
func processor() string {
	return field("/proc/cpuinfo", func(line string) (string, bool) {
		name, value, _ := strings.Cut(line, ":")
		return strings.TrimSpace(value), strings.TrimSpace(name) == "model name"
	})
}

// temporalVersion is the one that parley-dev is built with.
func temporalVersion() string {
	return field("dev/go.mod", func(line string) (string, bool) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "go.temporal.io/server v")
		return value, ok
	})
}

// field is the value of the first line of a file that has it.
func field(file string, find func(line string) (string, bool)) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := find(lines.Text()); ok {
			return value
		}
	}
	return ""
}

// postgresVersion asks the newest server program there is, where parley-dev finds it too.
func postgresVersion() string {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	programs = append(programs, "postgres")
	if folder := os.Getenv("PARLEY_DEV_POSTGRES_BIN"); folder != "" {
		programs = []string{filepath.Join(folder, "postgres")}
	}
	for i := len(programs) - 1; i >= 0; i-- {
		if out, err := exec.Command(programs[i], "--version").Output(); err == nil {
			return strings.ReplaceAll(strings.TrimSpace(string(out)), "postgres (PostgreSQL)", "PostgreSQL")
		}
	}
	return ""
}

// tails are the last lines of each process's log.
func tails(folder string, most int) string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(folder, "*.log"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
		fmt.Fprintf(&b, "--- %s\n", filepath.Base(file))
		for _, line := range lines[max(0, len(lines)-most):] {
			if runes := []rune(line); len(runes) > 400 {
				line = string(runes[:400]) + "…"
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
