package relay

import "time"

// What opens the breaker, and how it probes while it is open.
const (
	manyFailing = 3 // different streams failed, and none succeeded in between
	firstProbe  = 100 * time.Millisecond
	lastProbe   = time.Second
)

// breaker keeps dispatchers from all waiting for a Temporal that is down: while it
// is open, one stream at a time is tried. Streams are counted, not failures, so
// that one that always fails holds up nobody else. Its owner's mutex guards it.
type breaker struct {
	failing map[string]bool // since the last success
	open    bool
	probing bool
	until   time.Time // no probe before
	waits   int
}

// lets says whether a dispatch may begin now.
func (b *breaker) lets(now time.Time) bool {
	return !b.open || !b.probing && !now.Before(b.until)
}

// begin notes a dispatch, and says whether it is a probe.
func (b *breaker) begin() (probe bool) {
	b.probing = b.open
	return b.open
}

// failed notes a failure, and says whether it opened the breaker. What was under
// way already when the breaker opened says nothing new.
func (b *breaker) failed(stream string, probe bool, now time.Time) (opened bool) {
	if b.open {
		if probe {
			b.waits++
			b.until = now.Add(doubled(firstProbe, lastProbe, b.waits))
		}
		return false
	}
	if b.failing == nil {
		b.failing = map[string]bool{}
	}
	b.failing[stream] = true
	if len(b.failing) < manyFailing {
		return false
	}
	b.open, b.waits, b.until = true, 0, now.Add(firstProbe)
	return true
}

// closed notes a success, and says whether it ended an outage.
func (b *breaker) closed() (healed bool) {
	healed = b.open
	*b = breaker{}
	return healed
}
