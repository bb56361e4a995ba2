package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// scenario is one way to break Parley.
type scenario struct {
	name, what string
	act        func(context.Context, *trial) error
	limit      time.Duration // of the short form; the long one gets ten times as much

	inShort, inLong time.Duration // about what it takes on two processors
}

// scenarios lists them all, in the order in which they are run.
func scenarios() []scenario {
	return []scenario{
		{"worker-kill", "kill -9 of a worker, again and again, under load", workerKill, 5 * time.Minute, 20 * time.Second, 4 * time.Minute},
		{"api-kill", "kill -9 of an api, again and again, under load; senders repeat what got no 2xx", apiKill, 5 * time.Minute, 12 * time.Second, 4 * time.Minute},
		{"sent-not-recorded", "kill -9 of the workers exactly between accepted and recorded; with the proof arriving, and without", sentNotRecorded, 5 * time.Minute, 15 * time.Second, 3 * time.Minute},
		{"postgres-kill", "kill -9 of Postgres with all its processes, and restart", postgresKill, 5 * time.Minute, 18 * time.Second, 2 * time.Minute},
		{"postgres-stop", "Postgres stands still (SIGSTOP)", postgresStop, 5 * time.Minute, 22 * time.Second, 2 * time.Minute},
		{"postgres-slow", "Postgres answers late: by 300 ms, then by 1.5 s", postgresSlow, 5 * time.Minute, 25 * time.Second, 3 * time.Minute},
		{"temporal-away", "Temporal slow, then cut off, then kill -9", temporalAway, 5 * time.Minute, 24 * time.Second, 7 * time.Minute},
		{"liveperson-down", "503, then a storm of 429, then 20 % random 5xx, half of them after the effect", livepersonDown, 5 * time.Minute, 35 * time.Second, 17 * time.Minute},
		{"tokens", "AppJWT that live for seconds, ConsumerJWS refused at random", tokens, 5 * time.Minute, 17 * time.Second, 2 * time.Minute},
		{"webhooks-wild", "every webhook five times, shuffled, before the answer that announces it; one not at all", webhooksWild, 5 * time.Minute, 22 * time.Second, 4 * time.Minute},
		{"replay-burst", "webhooks held back, then all at once, among new ones", replayBurst, 5 * time.Minute, 8 * time.Second, 3 * time.Minute},
		{"poison", "webhooks with a valid signature and an impossible content", poison, 5 * time.Minute, 5 * time.Second, time.Minute},
		{"channel-dead", "one channel refuses everything, its conversations are chatty", channelDead, 5 * time.Minute, 28 * time.Second, 34 * time.Minute},
		{"long-conversation", "one conversation of very many messages", longConversation, 5 * time.Minute, 8 * time.Second, time.Minute},
		{"many-open", "very many open conversations, workers started cold", manyOpen, 5 * time.Minute, 24 * time.Second, 7 * time.Minute},
		{"sigterm", "every process stopped in the ordinary way, under load", sigterm, 5 * time.Minute, 15 * time.Second, 2 * time.Minute},
		{"rules-version", "newer rules deployed under load; then incompatible ones by mistake, and back", rulesVersion, 10 * time.Minute, 35 * time.Second, 3 * time.Minute},
		{"clock", "the clocks of one api and one worker ten minutes ahead", clockOff, 10 * time.Minute, time.Minute, 3 * time.Minute},
		{"hostile-clients", "slow headers, slow bodies, endless bodies", hostileClients, 5 * time.Minute, 16 * time.Second, 3 * time.Minute},
	}
}

// trial is one scenario under way.
type trial struct {
	*stack
	scenario
	short   bool
	seed    uint64
	rnd     *rand.Rand
	rate    float64 // 60 % of the ceiling
	began   time.Time
	before  struct{ in, out int } // what the simulator had counted before
	result  *result
	numbers *atomic.Int64
	serial  *atomic.Int64
}

// pick returns the short or the long of two.
func pick[T any](t *trial, short, long T) T {
	if t.short {
		return short
	}
	return long
}

// tag begins the texts of one crowd: no other has it.
func (t *trial) tag() string { return fmt.Sprintf("%s-%d", t.name, t.serial.Add(1)) }

// check adds a failure when something does not hold.
func (t *trial) check(ok bool, format string, args ...any) {
	if !ok {
		t.result.failures = append(t.result.failures, fmt.Sprintf(format, args...))
	}
}

// timely adds a failure when something took too long. The short form only notes it:
// the machines on which CI runs have other things to do.
func (t *trial) timely(ok bool, format string, args ...any) {
	if t.short && !ok {
		t.note("late: "+format, args...)
		return
	}
	t.check(ok, format, args...)
}

// note adds a fact to the table.
func (t *trial) note(format string, args ...any) {
	t.result.notes = append(t.result.notes, fmt.Sprintf(format, args...))
}

// say tells how a long scenario is getting on.
func (t *trial) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().Format("15:04:05"), t.name, fmt.Sprintf(format, args...))
}

// patience bounds what comes after the breaking.
const patience = 3 * time.Minute

// hall is where scenarios take place: one stack for all of them, a new one after a
// failure.
type hall struct {
	options
	report  *report
	stack   *stack
	ceiling float64
	numbers atomic.Int64
	serial  atomic.Int64
}

// trial runs one scenario, and says how it went.
func (h *hall) trial(whole context.Context, s scenario) (r result) {
	r = result{name: s.name, what: s.what, seed: h.seed, began: time.Now()}
	limit := s.limit
	if !h.short {
		limit *= 10
	}
	ctx, cancel := context.WithTimeout(whole, limit)
	defer cancel()
	t := &trial{scenario: s, short: h.short, seed: h.seed, rnd: rand.New(rand.NewPCG(h.seed, 0)), result: &r,
		numbers: &h.numbers, serial: &h.serial}
	err := h.prepare(ctx, t)
	if err == nil {
		t.began = time.Now()
		t.say("begins, seed %d, %.0f messages a second", t.seed, t.rate)
		err = s.act(ctx, t)
	}
	r.took = time.Since(r.began)
	unable := new(unableError)
	switch {
	case whole.Err() != nil:
		r.verdict, r.reason = notRun, context.Cause(whole).Error()
	case errors.As(err, unable):
		r.verdict, r.reason = notRun, unable.Error()
	case err != nil || len(r.failures) > 0:
		r.verdict = failed
		if err != nil {
			r.failures = append(r.failures, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	default:
		r.verdict = passed
	}
	if r.verdict == failed && h.stack != nil {
		fmt.Fprintf(os.Stderr, "logs of %s are in %s; the last of each:\n%s", s.name, h.stack.folder, tails(h.stack.folder, 15))
		h.leave(true)
	}
	return r
}

// unableError says why a scenario cannot be run here.
type unableError struct{ error }

func unable(format string, args ...any) error { return unableError{fmt.Errorf(format, args...)} }

// prepare gets the stack ready, and measures its ceiling once.
func (h *hall) prepare(ctx context.Context, t *trial) (err error) {
	if h.stack == nil {
		h.stack, err = newStack(ctx, h.options)
		t.stack = h.stack
		if err != nil {
			return fmt.Errorf("the stack did not come up: %w", err)
		}
	}
	t.stack = h.stack
	if err := h.stack.whole(ctx); err != nil {
		return err
	}
	if h.ceiling == 0 {
		h.ceiling = h.options.ceiling
		h.report.ceiling = fmt.Sprintf("%.0f/s as given", h.ceiling)
		if h.ceiling == 0 {
			t.began = time.Now()
			if h.ceiling, err = t.measure(ctx); err != nil {
				return fmt.Errorf("measuring the ceiling: %w", err)
			}
			h.report.ceiling = fmt.Sprintf("%.0f/s as measured in the same run", h.ceiling)
			h.report.measured = t.howMeasured()
		}
	}
	t.rate = 0.6 * h.ceiling
	return t.mark(ctx)
}

// mark remembers what the simulator has counted so far.
func (t *trial) mark(ctx context.Context) error {
	now, err := t.far.counters(ctx)
	t.before.in, t.before.out = int(now.Published), now.Phones.Received
	return err
}

func (h *hall) leave(keep bool) {
	if h.stack != nil {
		h.stack.close(keep)
		h.stack = nil
	}
}
