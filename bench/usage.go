package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// usage tells how much processor time each program has taken, read from /proc.
// Where there is none it tells nothing.
type usage struct{ pids map[string]int }

func newUsage(pids map[string]int) *usage { return &usage{pids: pids} }

const (
	postgres = "Postgres"
	temporal = "Temporal"
)

// findPostgres finds the server by one of its backends.
func (u *usage) findPostgres(ctx context.Context, c *pgx.Conn) error {
	var pid int
	if err := c.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return err
	}
	if st, ok := statOf(pid); ok {
		u.pids[postgres] = st.parent
	}
	return nil
}

// findTemporal finds the server that was started with this address.
func (u *usage) findTemporal(address string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range lines {
		b, err := os.ReadFile(name)
		args := strings.Split(string(bytes.TrimRight(b, "\x00")), "\x00")
		if err != nil || len(args) < 2 || args[1] != "temporal" || !strings.Contains(string(b), address) {
			continue
		}
		u.pids[temporal], _ = strconv.Atoi(filepath.Base(filepath.Dir(name)))
	}
}

// spent is processor time by program.
type spent map[string]time.Duration

// now reads what each program has taken so far; Postgres with all its children,
// also those that have ended.
func (u *usage) now() spent {
	out := spent{}
	for name, pid := range u.pids {
		if st, ok := statOf(pid); ok {
			out[name] = st.own
			if name == postgres {
				out[name] += st.waited + childrenOf(pid)
			}
		}
	}
	return out
}

func (s spent) since(before spent) spent {
	out := spent{}
	for name, d := range s {
		out[name] = d - before[name]
	}
	return out
}

type procStat struct {
	parent      int
	own, waited time.Duration
}

// clockTick is the unit of /proc/<pid>/stat on Linux.
const clockTick = time.Second / 100

func statOf(pid int) (procStat, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, false
	}
	// The second field is a name in parentheses and may hold anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 15 {
		return procStat{}, false
	}
	n := func(i int) int { v, _ := strconv.Atoi(f[i]); return v }
	return procStat{parent: n(1), own: time.Duration(n(11)+n(12)) * clockTick, waited: time.Duration(n(13)+n(14)) * clockTick}, true
}

func childrenOf(parent int) time.Duration {
	var sum time.Duration
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(d))
		if st, ok := statOf(pid); ok && st.parent == parent {
			sum += st.own + st.waited
		}
	}
	return sum
}

// machine is what else has to be known to read the figures.
type machine struct {
	at   time.Time
	load string // averages over 1, 5 and 15 minutes
	cpu  string
	go_  string // version
}

func aboutMachine() machine {
	m := machine{at: time.Now(), go_: runtime.Version(), cpu: fmt.Sprintf("%d × %s", runtime.NumCPU(), runtime.GOARCH)}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "model name\t: "); ok {
			model, _, _ := strings.Cut(rest, "\n")
			m.cpu = fmt.Sprintf("%d × %s", runtime.NumCPU(), strings.TrimSpace(model))
		}
	}
	return m
}
