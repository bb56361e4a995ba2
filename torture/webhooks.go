package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/simulator"
)

// webhooksWild has every webhook come five times, shuffled, and before the answer to
// the request that caused it; then one of an agent's messages not at all.
func webhooksWild(ctx context.Context, t *trial) error {
	shuffle := pick(t, time.Second, 10*time.Second)
	window := shuffle * 3 / 2
	// How long a gap is waited for is an installation's choice; conversations keep
	// what they began with.
	defer t.reconfigure(context.WithoutCancel(ctx), map[string]string{"PARLEY_REORDER_WINDOW": ""})
	if err := t.reconfigure(ctx, map[string]string{"PARLEY_REORDER_WINDOW": window.String()}); err != nil {
		return err
	}
	if err := t.far.faults(ctx, &simulator.Faults{Seed: t.seed, Webhooks: simulator.WebhookFaults{
		Duplicate: 4, ShuffleMs: int(shuffle.Milliseconds()), Early: true}}); err != nil {
		return err
	}
	c, err := t.open(ctx, pick(t, 20, 100), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	l := t.start(ctx, c, t.rate/3, pick(t, 80, 1500)) // ten webhooks for each message
	if err := l.end(ctx); err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), window+time.Minute)
	t.times(l, w, nil)
	return errors.Join(err, t.gaps(ctx, window), t.unmarked(ctx))
}

// gaps loses one webhook of an agent's: what comes after it waits, bounded, and is
// then delivered with a note.
func (t *trial) gaps(ctx context.Context, window time.Duration) error {
	if err := errors.Join(t.far.faults(ctx, nil), t.mark(ctx)); err != nil {
		return err
	}
	c, err := t.open(ctx, 1, "web")
	if err != nil {
		return err
	}
	one := c.all[0]
	if err := c.tell(ctx, one, c.name+" the first"); err != nil {
		return err
	}
	if _, err := t.settle(ctx, c, time.Now(), time.Minute); err != nil {
		return err
	}
	if err := t.far.faults(ctx, &simulator.Faults{Webhooks: simulator.WebhookFaults{LoseCount: 1}}); err != nil {
		return err
	}
	if err := t.far.tell(ctx, one.conversation, c.name+" lost on its way to us"); err != nil {
		return err
	}
	began := time.Now()
	if err := c.tell(ctx, one, c.name+" after the gap"); err != nil {
		return err
	}
	took, err := t.settle(ctx, c, began, window+time.Minute)
	t.note("what came after a lost webhook was delivered %s later (window %s)", round(took), window)
	t.timely(took < window+10*time.Second, "a gap was waited for too long")
	if err == nil {
		err = c.tell(ctx, one, c.name+" the journal's entries travel with the next message")
	}
	if err == nil {
		_, err = t.settle(ctx, c, began, time.Minute)
	}
	noted, countErr := t.notes(ctx, "gap")
	t.check(noted > 0, "the gap is not in the journal")
	return errors.Join(err, countErr)
}

// reconfigure starts the api processes again with more in their environment.
func (t *trial) reconfigure(ctx context.Context, env map[string]string) error {
	for _, v := range t.apis {
		if _, err := v.process.terminate(30 * time.Second); err != nil {
			return err
		}
		for name, value := range env {
			if value == "" {
				delete(v.env, name)
			} else {
				v.env[name] = value
			}
		}
		if err := t.stack.start(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// replayBurst holds webhooks back until there are many, and lets them all go at
// once while new messages keep coming.
func replayBurst(ctx context.Context, t *trial) error {
	held := pick(t, 400, 10_000)
	old, err := t.open(ctx, pick(t, 30, 200), "web")
	if err != nil {
		return err
	}
	fresh, err := t.open(ctx, pick(t, 10, 50), "")
	if err != nil {
		return err
	}
	if err := t.far.faults(ctx, &simulator.Faults{Webhooks: simulator.WebhookFaults{Hold: true}}); err != nil {
		return err
	}
	per := held / len(old.all)
	if err := together(len(old.all), 16, func(i int) error {
		for k := range per {
			if err := old.tell(ctx, old.all[i], fmt.Sprintf("%s held back, %d of %d", old.name, k, i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	before, err := t.webhookTimes(ctx)
	if err != nil {
		return err
	}
	counted, err := t.far.counters(ctx)
	if err != nil {
		return err
	}
	memory, err := t.memory(ctx, t.apis)
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	began := time.Now()
	l := t.start(ctx, fresh, t.rate/4, 1)
	if err := t.far.faults(ctx, nil); err != nil {
		return errors.Join(err, l.end(ctx))
	}
	most, after, flowed := t.flow(ctx, before)
	if err := errors.Join(flowed, l.end(ctx)); err != nil {
		return err
	}
	acked := time.Since(began)
	both := &crowd{s: t.stack, name: t.name, all: append(old.all, fresh.all...)}
	err = t.verify(ctx, both, began, pick(t, 90*time.Second, 5*time.Minute))
	t.times(l, w, nil)
	p99 := after.since(before).quantile(.99)
	t.note("%d held back; acknowledged within %s, p99 ≤ %s; memory of both api %d → at most %d MB", per*len(old.all), round(acked), p99, memory>>20, most>>20)
	t.timely(p99 <= time.Second, "p99 of the burst's acks is above 1 s")
	t.check(most < memory+(400<<20), "memory grew by %d MB", (most-memory)>>20)
	now, countErr := t.far.counters(ctx)
	dropped := now.Webhooks.Dropped - counted.Webhooks.Dropped // earlier scenarios lose some on purpose
	t.check(dropped == 0, "%d webhooks were given up", dropped)
	bad := after.refused - before.refused
	t.check(bad == 0, "%d webhooks got no 2xx", bad)
	return errors.Join(err, countErr)
}

// flow waits until the simulator has no webhook left, and watches memory.
func (t *trial) flow(ctx context.Context, before webhookTimes) (most uint64, after webhookTimes, err error) {
	err = every(ctx, 250*time.Millisecond, patience, "the burst is acknowledged", func() error {
		m, err := t.memory(ctx, t.apis)
		if err != nil {
			return err
		}
		most = max(most, m)
		var state struct {
			Accounts []struct {
				Webhooks simulator.SenderState `json:"webhooks"`
			} `json:"accounts"`
		}
		if err := t.far.call(ctx, http.MethodGet, "/sim/state", nil, &state); err != nil {
			return err
		}
		// New messages keep coming: what is left then is theirs.
		if n := state.Accounts[0].Webhooks.Queued; n > 50 {
			return fmt.Errorf("%d webhooks are left: %w", n, errNotYet)
		}
		return nil
	})
	if err == nil {
		after, err = t.webhookTimes(ctx)
	}
	return most, after, err
}

// memory is what processes hold, together.
func (t *trial) memory(ctx context.Context, all []*service) (uint64, error) {
	var sum uint64
	for _, v := range all {
		m, err := t.metrics(ctx, v)
		if err != nil {
			return 0, err
		}
		sum += uint64(m["process_resident_memory_bytes"])
	}
	return sum, nil
}

// webhookTimes are the buckets of both api's histogram of answers to the cloud.
type webhookTimes struct {
	under   map[float64]float64 // answers within so many seconds
	refused int
}

func (t *trial) webhookTimes(ctx context.Context) (webhookTimes, error) {
	out := webhookTimes{under: map[float64]float64{}}
	for _, v := range t.apis {
		text, err := t.scrape(ctx, v)
		if err != nil {
			return out, err
		}
		for line := range strings.SplitSeq(text, "\n") {
			value, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			switch {
			case !strings.Contains(line, `source="cloud/`):
			case strings.HasPrefix(line, "parley_webhook_seconds_bucket"):
				_, le, _ := strings.Cut(line, `le="`)
				le, _, _ = strings.Cut(le, `"`)
				bound, err := strconv.ParseFloat(le, 64)
				if err == nil {
					out.under[bound] += value
				}
			case strings.HasPrefix(line, "parley_webhooks_total") && !strings.Contains(line, `status="2`):
				out.refused += int(value)
			}
		}
	}
	return out, nil
}

func (w webhookTimes) since(before webhookTimes) webhookTimes {
	out := webhookTimes{under: map[float64]float64{}}
	for bound, n := range w.under {
		out.under[bound] = n - before.under[bound]
	}
	return out
}

// quantile is the bound of the bucket in which it falls.
func (w webhookTimes) quantile(q float64) time.Duration {
	var bounds []float64
	for bound := range w.under {
		bounds = append(bounds, bound)
	}
	slices.Sort(bounds)
	if len(bounds) == 0 {
		return time.Hour // nothing was measured: no check may pass by it
	}
	total := w.under[bounds[len(bounds)-1]] // +Inf
	for _, bound := range bounds {
		if w.under[bound] >= q*total && total > 0 {
			return time.Duration(min(bound, 3600) * float64(time.Second))
		}
	}
	return time.Hour
}
