package main

import (
	"maps"
	"slices"
	"strings"
)

// strangers returns a warning for each PARLEY_ variable of the environment that
// nobody asked for, with the name that was probably meant: one that is not set.
func (s *settings) strangers(environ []string) []string {
	free := maps.Clone(s.asked)
	var names []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PARLEY_") && !s.asked[name] && !ofFamily(name) {
			names = append(names, name)
		}
		delete(free, name)
	}
	slices.Sort(names)
	candidates := slices.Sorted(maps.Keys(free))
	for i, name := range names {
		names[i] = name + ": " + stranger(name, nearest(name, candidates))
	}
	return names
}

func ofFamily(name string) bool {
	return slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(name, f) })
}

func stranger(name, meant string) string {
	switch {
	case meant != "":
		return "is not a variable of Parley; did you mean " + meant + "?"
	case strings.HasPrefix(name, "PARLEY_ACCOUNT_"):
		return "is of no account in PARLEY_ACCOUNTS, or unknown; add the account there, or remove the variable"
	case strings.HasPrefix(name, "PARLEY_CHANNEL_"):
		return "is of no channel in PARLEY_CHANNELS, or not one of its kind; add the channel there, or remove the variable"
	}
	return "is not a variable of Parley; remove it"
}

// nearest returns the candidate that differs in at most three characters, and in
// the fewest of all; empty when there is none.
func nearest(name string, candidates []string) string {
	best, least := "", 4
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of characters to insert, remove or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
