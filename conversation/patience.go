package conversation

import (
	"time"

	"parley/fault"
)

// waitingAfter is the number of failures in a row from which on a lane is shown
// as waiting.
const waitingAfter = 3

// Waits after the first, second, … failure in a row; the last repeats. Those
// after a 5xx are what the vendor asks for (liveperson.md §9).
var (
	waitsTransient = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
	waitsUncertain = []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute}
	waitsThrottled = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 30 * time.Second}
	waitsDenied    = []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}
)

// longest is the longest the other side is waited for without trying.
const longest = 5 * time.Minute

// aWeek is how long a lane waits for a person before it tries again by itself.
const aWeek = 7 * 24 * time.Hour

// patience is how long to wait before the next attempt.
func patience(stop Stop, attempts int) time.Duration {
	waits := waitsTransient
	switch {
	case stop.Code == CodePark:
		return aWeek
	case stop.Class == fault.Uncertain:
		waits = waitsUncertain
	case stop.Class == fault.Throttled:
		waits = waitsThrottled
	case stop.Class == fault.Denied:
		waits = waitsDenied
	}
	return min(max(waits[min(attempts, len(waits))-1], stop.After), longest)
}
