package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatDoesNotMatchIsTold(t *testing.T) {
	t.Parallel()
	sent := []string{"a", "b", "c"}
	for name, tt := range map[string]struct {
		got  []string
		want tally
	}{
		"all of it":         {[]string{"a", "b", "c"}, tally{sent: 3, arrived: 3}},
		"nothing":           {nil, tally{sent: 3, lost: 3}},
		"one lost":          {[]string{"a", "c"}, tally{sent: 3, arrived: 2, lost: 1}},
		"one twice":         {[]string{"a", "b", "b", "c"}, tally{sent: 3, arrived: 4, doubled: 1}},
		"one again, later":  {[]string{"a", "b", "c", "a"}, tally{sent: 3, arrived: 4, doubled: 1}},
		"two exchanged":     {[]string{"b", "a", "c"}, tally{sent: 3, arrived: 3, moved: 1}},
		"one from nowhere":  {[]string{"a", "b", "x", "c"}, tally{sent: 3, arrived: 4, strays: 1}},
		"all of it at once": {[]string{"c", "c", "x"}, tally{sent: 3, arrived: 3, lost: 2, doubled: 1, strays: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got tally
			got.compare(sent, tt.got, "here")
			assert.Equal(t, got.clean(), got.example == "")
			assert.Equal(t, name == "all of it", got.clean())
			got.example = ""
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestScenariosAreChosenByName(t *testing.T) {
	t.Parallel()
	all, err := choose("", "")
	require.NoError(t, err)
	assert.Len(t, all, len(scenarios()))
	some, err := choose("api-kill,worker-kill", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"worker-kill", "api-kill"}, []string{some[0].name, some[1].name})
	some, err = choose("", "clock,api-kill")
	require.NoError(t, err)
	assert.Len(t, some, len(all)-2)
	some, err = choose("api-kill,worker-kill", "api-kill")
	require.NoError(t, err)
	assert.Len(t, some, 1)
	for _, names := range [][2]string{{"worker-kill,nothing", ""}, {"", "nothing"}} {
		_, err = choose(names[0], names[1])
		assert.ErrorContains(t, err, `"nothing"`)
	}
}

func TestAnInterruptedRunLeavesATrueTable(t *testing.T) {
	t.Parallel()
	r := newReport(options{short: true})
	r.rows = []result{{name: "worker-kill", what: "w", verdict: failed, failures: []string{"one | lost"}, took: time.Second}}
	table := r.table("")
	assert.True(t, r.failed())
	assert.Contains(t, table, "| FAILED |")
	assert.Contains(t, table, "**one / lost**")
	assert.Equal(t, len(scenarios())-1, strings.Count(table, "| not run |"))
	assert.NotContains(t, table, "| passed |")

	later := newReport(options{run: "api-kill"})
	later.rows = []result{{name: "api-kill", what: "a", verdict: passed}}
	table = later.table(table)
	assert.Contains(t, table, "**one / lost**", "rows of other runs stay")
	assert.Contains(t, table, "| **api-kill**: a | passed |")
	assert.Equal(t, len(scenarios())-2, strings.Count(table, "| not run |"))
	assert.Equal(t, table, later.table(table))
}

func TestARunOfAllReplacesTheFile(t *testing.T) {
	t.Parallel()
	first := newReport(options{seed: 1})
	first.asked = 2
	first.rows = []result{{name: "worker-kill", what: "w", verdict: passed}, {name: "api-kill", what: "a", verdict: failed}}
	old := first.table("")
	assert.Contains(t, old, summaryMark+", long form, complete: 1 passed, 1 failed, 0 not run.**")

	one := newReport(options{seed: 2, run: "api-kill"})
	one.rows = []result{{name: "api-kill", what: "a", verdict: passed}}
	mended := one.table(old)
	assert.Contains(t, mended, "1 passed, 1 failed, 0 not run.**", "the summary is of the run of all")
	assert.Contains(t, mended, "| **worker-kill**: w | passed |")
	assert.Contains(t, mended, "| **api-kill**: a | passed |")
	assert.Equal(t, 1, strings.Count(mended, summaryMark))

	next := newReport(options{seed: 3})
	next.asked = 2
	next.rows = []result{{name: "api-kill", what: "a", verdict: passed}}
	replaced := next.table(mended)
	assert.Contains(t, replaced, "1 of 2 scenarios done: 1 passed, 0 failed")
	assert.NotContains(t, replaced, "| **worker-kill**: w | passed |", "it is of another run")
}

func TestTheListAddsUp(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		assert.Positive(t, s.inShort, s.name)
		assert.Positive(t, s.inLong, s.name)
		assert.Less(t, s.inShort, s.limit, s.name)
		assert.Less(t, s.inLong, 10*s.limit, s.name)
	}
	list := listed([]scenario{{name: "a", inShort: time.Second, inLong: time.Minute}, {name: "b", inShort: 2 * time.Second, inLong: time.Hour}})
	assert.Regexp(t, `all +3s +1h1m0s`, list)
}

func TestTheShortFormOnlyNotesWhatIsLate(t *testing.T) {
	t.Parallel()
	for _, short := range []bool{true, false} {
		r := &trial{short: short, result: &result{}}
		r.timely(true, "x")
		r.timely(false, "after %d s", 9)
		assert.Equal(t, !short, len(r.result.failures) == 1)
		assert.Equal(t, short, len(r.result.notes) == 1)
	}
}

func TestTailsOfLogs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "api-1.log"), []byte("one\ntwo\nthree\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "empty.log"), nil, 0o600))
	assert.Equal(t, "--- api-1.log\ntwo\nthree\n--- empty.log\n\n", tails(folder, 2))
}

func TestQuantilesOfAHistogram(t *testing.T) {
	t.Parallel()
	assert.Greater(t, webhookTimes{}.quantile(.99), time.Minute, "nothing measured passes no check")
	w := webhookTimes{under: map[float64]float64{.001: 50, .1: 98, 1: 99, 5: 100}}
	assert.Equal(t, time.Second, w.quantile(.99))
	assert.Equal(t, 5*time.Second, w.quantile(1))
	before := webhookTimes{under: map[float64]float64{.001: 50, .1: 98, 1: 98, 5: 98}}
	assert.Equal(t, 5*time.Second, w.since(before).quantile(.99))
}

func TestAWaitEndsEarlyWhenItIsHopeless(t *testing.T) {
	t.Parallel()
	n := 0
	err := eventually(context.Background(), time.Minute, "x", func() error { n++; return fatal(errNotYet) })
	assert.True(t, errors.Is(err, errNotYet))
	assert.Equal(t, 1, n)
	require.NoError(t, eventually(context.Background(), time.Minute, "x", func() error {
		if n++; n < 4 {
			return errNotYet
		}
		return nil
	}))
}
