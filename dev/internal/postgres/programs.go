// Package postgres finds the Postgres server programs of this machine and runs a
// cluster of its own with them: on loopback only, with a password, as an
// unprivileged user when we are root.
//
// It installs nothing and never touches a cluster it did not create.
package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPrograms explains how to get the server programs.
var ErrNoPrograms = errors.New(`no Postgres server programs (initdb, postgres) on this machine

  Debian, Ubuntu   sudo apt-get install postgresql
  Fedora           sudo dnf install postgresql-server
  macOS            brew install postgresql@17

Or set DATABASE_URL to a Postgres that already runs, for instance
  DATABASE_URL=postgres://user:password@127.0.0.1:5432/parley`)

// places is where packages put the programs, which are seldom in the PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // Fedora, packages of postgresql.org
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// FindPrograms returns the folder with initdb and postgres: for an existing
// cluster those of its major version, else the newest. PARLEY_DEV_POSTGRES_BIN
// overrides the search.
func FindPrograms(major string) (string, error) {
	if dir := os.Getenv("PARLEY_DEV_POSTGRES_BIN"); dir != "" {
		if !complete(dir) {
			return "", fmt.Errorf("PARLEY_DEV_POSTGRES_BIN=%s: %w", dir, ErrNoPrograms)
		}
		return dir, nil
	}
	found := candidates()
	if major != "" {
		for _, dir := range found {
			if version(dir) == major {
				return dir, nil
			}
		}
		return "", errors.New("the cluster was made by PostgreSQL " + major +
			", whose programs are no longer here; install them, or remove the cluster with `make clean`")
	}
	if len(found) == 0 {
		return "", ErrNoPrograms
	}
	return found[0], nil
}

// candidates lists complete folders, the newest version first.
func candidates() []string {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range places {
		matches, _ := filepath.Glob(pattern) // fails only for a malformed pattern
		dirs = append(dirs, matches...)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return !complete(dir) })
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(number(version(b)), number(version(a))) })
	return slices.Compact(dirs)
}

func complete(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, program)); err != nil || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// version is the major version of the programs in dir, such as "17"; empty when
// they do not say.
func version(dir string) string {
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output() // postgres (PostgreSQL) 17.2 (Debian …)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(out), "(PostgreSQL) ")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		return rest
	}
	return rest[:end]
}

func number(version string) int {
	n, _ := strconv.Atoi(version) // unknown sorts last
	return n
}
