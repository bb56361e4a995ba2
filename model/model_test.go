package model

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// sound are the scenarios of every run; those of PARLEY_MODEL=large take minutes.
var sound = map[string]struct {
	Scenario
	long bool // not with -short
}{
	"every step by itself":          {Scenario: Scenario{Messages: 1, Faults: 1, HandOvers: 1, Fine: true}},
	"two messages, every step":      {Scenario: Scenario{Messages: 2, Closes: 1, Fine: true}},
	"two faults":                    {Scenario: Scenario{Messages: 1, Faults: 2}},
	"two messages, two faults":      {Scenario: Scenario{Messages: 2, Faults: 2}, long: true},
	"three messages":                {Scenario: Scenario{Messages: 3, Faults: 1}},
	"both directions":               {Scenario: Scenario{Messages: 1, Replies: 1, Faults: 1}},
	"both directions, with receipt": {Scenario: Scenario{Messages: 1, Replies: 1, Faults: 1, Confirms: true}},
	"two in both directions":        {Scenario: Scenario{Messages: 2, Replies: 2}, long: true},
	"a close at any moment":         {Scenario: Scenario{Messages: 2, Closes: 1}},
	"a close and a fault":           {Scenario: Scenario{Messages: 1, Closes: 1, Faults: 1}, long: true},
	"a close and a reply":           {Scenario: Scenario{Messages: 1, Replies: 1, Closes: 1}},
	"a close and a survey":          {Scenario: Scenario{Messages: 2, Closes: 1, Survey: true}},
	"a hand-over and a fault":       {Scenario: Scenario{Messages: 2, Faults: 1, HandOvers: 1}},
	"a hand-over and a reply":       {Scenario: Scenario{Messages: 2, Replies: 1, HandOvers: 1}},
}

var large = map[string]Scenario{
	"two replies and a fault":          {Messages: 1, Replies: 2, Faults: 1},
	"two faults and a close":           {Messages: 1, Closes: 1, Faults: 2},
	"two messages, a fault, a close":   {Messages: 2, Closes: 1, Faults: 1},
	"everything once":                  {Messages: 1, Replies: 1, Closes: 1, Faults: 1},
	"both directions and a hand-over":  {Messages: 2, Replies: 1, Faults: 1, HandOvers: 1},
	"three faults":                     {Messages: 1, Faults: 3},
	"two closes":                       {Messages: 2, Closes: 2},
	"a fault, every step by itself":    {Messages: 2, Faults: 1, Fine: true},
	"a survey, a reply and a fault":    {Messages: 1, Replies: 1, Closes: 1, Faults: 1, Survey: true},
	"two faults, a reply, receipts":    {Messages: 1, Replies: 1, Faults: 2, Confirms: true},
	"two messages, reply, close":       {Messages: 2, Replies: 1, Closes: 1},
	"two messages, two closes, survey": {Messages: 2, Closes: 2, Survey: true},
}

func TestPromisesAreKept(t *testing.T) {
	t.Parallel()
	for name, s := range sound {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s.long && testing.Short() {
				t.Skip("takes seconds, and minutes with the race detector")
			}
			keeps(t, s.Scenario)
		})
	}
}

func TestPromisesAreKeptAtLarge(t *testing.T) {
	if os.Getenv("PARLEY_MODEL") != "large" {
		t.Skip("PARLEY_MODEL=large goes further; it takes minutes and gigabytes")
	}
	for name, s := range large { // one after the other: each needs much memory
		t.Run(name, func(t *testing.T) { keeps(t, s) })
	}
}

func keeps(t *testing.T, s Scenario) {
	t.Helper()
	if s.Most = 1 << 20; os.Getenv("PARLEY_MODEL") == "large" {
		s.Most = 8 << 20
	}
	began := time.Now()
	r, err := Check(s)
	t.Logf("%s, %s", r, time.Since(began).Round(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if r.Broken != "" {
		t.Fatalf("%s\n%s", r.Broken, trace(r))
	}
	if r.Rests == 0 {
		t.Fatal("it never came to rest")
	}
}

func TestEveryDefectIsNoticed(t *testing.T) {
	t.Parallel()
	for defect, c := range map[Defect]struct {
		Scenario
		broken string
	}{
		MarkBeforeSignal:    {Scenario{Messages: 1, Faults: 1}, "P2: m1 was acknowledged"},
		NoStreamLock:        {Scenario{Messages: 2}, "P3: the cloud got"},
		NoAppliedSequence:   {Scenario{Messages: 1, Faults: 1}, "P4: the rules acted twice"},
		CompleteUndrained:   {Scenario{Messages: 2, Closes: 1}, "P2: m2 was acknowledged"},
		HandOverUndrained:   {Scenario{Messages: 1, Faults: 1, HandOvers: 1}, "P2: m1 was acknowledged"},
		FinishWithoutLock:   {Scenario{Messages: 1, Closes: 1, Faults: 1}, "P4: the rules acted twice"},
		RecordBeforeSend:    {Scenario{Messages: 1, Faults: 1}, "P2: m1 was acknowledged"},
		NoEchoCheck:         {Scenario{Messages: 1, Faults: 1}, "P4: m1 is in the cloud 2 times"},
		DoubtEndsUnledgered: {Scenario{Messages: 2, Replies: 1, Faults: 1}, "P4: m2 is in the cloud 2 times"},
		DoubtTakenBack:      {Scenario{Messages: 1, Faults: 2}, "P4: m1 is in the cloud 2 times"},
		MarkAfterRepeat:     {Scenario{Messages: 1, Faults: 2}, "P4: m1 is in the cloud 2 times"},
	} {
		t.Run(string(defect), func(t *testing.T) {
			t.Parallel()
			s := c.Scenario
			s.Broken = defect
			r, err := Check(s)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(r.Broken, c.broken) {
				t.Fatalf("found %q, not %q\n%s\n%s", r.Broken, c.broken, r, trace(r))
			}
			t.Logf("%s\n%s\n%s", r.Broken, r, trace(r))
		})
	}
}

func TestACheckIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	s := Scenario{Messages: 1, Faults: 1, Closes: 1}
	first, err := Check(s)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Check(s)
	if err != nil || first.String() != second.String() {
		t.Fatalf("%s, then %s, %v", first, second, err)
	}
}

func trace(r Report) string {
	var b strings.Builder
	for i, line := range r.Trace {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, line)
	}
	return b.String()
}
