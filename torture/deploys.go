package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stopBudget is how long a process may take to stop: half a second of notice, ten
// for requests or fifteen for batches, ten for the relay.
const stopBudget = 30 * time.Second

// sigterm stops processes in the ordinary way, under load, one after the other, and
// starts them again.
func sigterm(ctx context.Context, t *trial) error {
	c, err := t.open(ctx, pick(t, 30, 200), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	l := t.start(ctx, c, t.rate, pick(t, 100, 2000))
	var whole []time.Time
	var longest time.Duration
	for range pick(t, 1, 5) {
		for _, v := range append(t.apis[:len(t.apis):len(t.apis)], t.workers...) {
			pause(ctx, time.Second)
			off := t.unreadyBeforeClosed(ctx, v)
			took, err := v.process.terminate(stopBudget)
			t.check(err == nil, "%v", err)
			t.check(<-off, "%s did not say that it is not ready before it closed", v.name)
			longest = max(longest, took)
			if err := t.stack.start(ctx, v); err != nil {
				return errors.Join(err, l.end(ctx))
			}
			whole = append(whole, time.Now())
		}
	}
	if err := l.end(ctx); err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), time.Minute)
	t.times(l, w, whole)
	t.note("%d stops, each not ready first and with status 0, the longest took %s", len(whole), round(longest))
	return errors.Join(err, t.unmarked(ctx))
}

// unreadyBeforeClosed watches a process that is about to be stopped: /readyz has to
// say no while the process still answers.
func (t *trial) unreadyBeforeClosed(ctx context.Context, v *service) <-chan bool {
	seen := make(chan bool, 1)
	go func() {
		for {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.ops+"/readyz", nil)
			if err != nil {
				seen <- false
				return
			}
			a := t.send(r)
			switch {
			case a.status == http.StatusServiceUnavailable:
				seen <- true
				return
			case a.status != http.StatusOK:
				seen <- false // it is closed already
				return
			}
			pause(ctx, time.Millisecond)
		}
	}()
	return seen
}

// variant builds a parley that differs in a few lines of source, without touching
// the tree: the compiler is told to read other files in their place.
func (t *trial) variant(ctx context.Context, name string, changes map[string][2]string) (string, error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for file, change := range changes {
		path, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return "", unable("the sources are not here: %w", err)
		}
		if strings.Count(string(source), change[0]) != 1 {
			return "", unable("%s does not hold %q once", file, change[0])
		}
		other := filepath.Join(t.folder, name+"-"+filepath.Base(file))
		if err := os.WriteFile(other, []byte(strings.Replace(string(source), change[0], change[1], 1)), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[path] = other
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list := filepath.Join(t.folder, name+"-overlay.json")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(t.folder, "parley-"+name)
	t.say("building a parley with %s", name)
	out, err := exec.CommandContext(ctx, "go", "build", "-overlay", list, "-o", binary, "./cmd/parley").CombinedOutput()
	if err != nil {
		return "", unable("building %s: %w: %s", name, err, out)
	}
	return binary, nil
}

// otherRules builds a parley with newer rules, and one whose workflow does not fit
// histories that are there.
func (t *trial) otherRules(ctx context.Context) (newer, wrong string, err error) {
	err = together(2, 2, func(i int) (err error) {
		if i == 0 {
			newer, err = t.variant(ctx, "newer-rules", map[string][2]string{
				"conversation/conversation.go": {"const LatestRules = 2\n", "const LatestRules = 3\n"}})
			return err
		}
		wrong, err = t.variant(ctx, "wrong-rules", map[string][2]string{
			"workflows/conversation.go": {"	r := newRun(ctx, in.State)\n", "	_ = workflow.Sleep(ctx, 10*time.Millisecond)\n	r := newRun(ctx, in.State)\n"}})
		return err
	})
	return newer, wrong, err
}

// rulesVersion deploys newer rules while conversations run; then, by mistake, some
// that do not fit their histories; then takes those back.
func rulesVersion(ctx context.Context, t *trial) error {
	newer, wrong, err := t.otherRules(ctx)
	if err != nil {
		return err
	}
	c, err := t.open(ctx, pick(t, 30, 200), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	l := t.start(ctx, c, t.rate, 1)
	pause(ctx, 2*time.Second)
	if err := t.deploy(ctx, newer); err != nil {
		return errors.Join(err, l.end(ctx))
	}
	pause(ctx, pick(t, 3*time.Second, 30*time.Second))
	bad, err := t.nondeterminism(ctx)
	if err := errors.Join(err, l.end(ctx)); err != nil {
		return err
	}
	t.check(bad == 0, "newer rules: %.0f workflow tasks failed", bad)
	if err := t.verify(ctx, c, time.Now(), time.Minute); err != nil {
		return err
	}
	if err := t.deploy(ctx, wrong); err != nil {
		return err
	}
	t.result.messages = 0 // verify counts all of them once more
	mistake := t.start(ctx, c, t.rate, 1)
	noticed := every(ctx, 250*time.Millisecond, 30*time.Second, "the metric of failed workflow tasks rises", func() error {
		bad, err = t.nondeterminism(ctx)
		if err == nil && bad == 0 {
			err = errNotYet
		}
		return err
	})
	pause(ctx, pick(t, 2*time.Second, 20*time.Second))
	t.note("with the wrong rules %.0f workflow tasks failed and were counted", bad)
	err = t.deploy(ctx, "")
	whole := time.Now()
	if err := errors.Join(noticed, err, mistake.end(ctx)); err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), 2*time.Minute)
	t.times(mistake, w, []time.Time{whole})
	return errors.Join(err, t.unmarked(ctx))
}

// deploy replaces all workers by those of another binary.
func (t *trial) deploy(ctx context.Context, binary string) error {
	for _, v := range t.workers {
		if _, err := v.process.terminate(stopBudget); err != nil {
			return err
		}
		v.binary = binary
		if err := t.stack.start(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// nondeterminism is how many workflow tasks have failed at the workers because
// their rules do not fit.
func (t *trial) nondeterminism(ctx context.Context) (sum float64, err error) {
	for _, v := range t.workers {
		text, err := t.scrape(ctx, v)
		if err != nil {
			return 0, err
		}
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(line, `parley_workflow_task_failures_total{reason="NonDeterminismError"}`) {
				var n float64
				_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n)
				sum += n
			}
		}
	}
	return sum, nil
}

// clockOff runs one api and one worker with clocks ten minutes ahead, and kills
// workers: what they were sending is judged by whichever comes first, the one whose
// clock is right or the other.
func clockOff(ctx context.Context, t *trial) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return unable("there is no Go here: %w", err)
	}
	ahead, err := t.variant(ctx, "a-clock-ahead", map[string][2]string{
		filepath.Join(strings.TrimSpace(string(root)), "src/time/time.go"): {
			"	sec, nsec, mono := runtimeNow()\n	if mono == 0 {\n		return Time{uint64(nsec), sec + unixToInternal, Local}",
			"	sec, nsec, mono := runtimeNow()\n	sec += 600\n	if mono == 0 {\n		return Time{uint64(nsec), sec + unixToInternal, Local}"}})
	if err != nil {
		return err
	}
	for _, v := range []*service{t.apis[1], t.workers[1]} {
		v.process.kill()
		v.binary = ahead
		if err := t.stack.start(ctx, v); err != nil {
			return err
		}
	}
	// The clock of a signed request is judged too: one that is ten minutes off is
	// refused by the http channel (Standard Webhooks), so its messages come by SMS.
	c, err := t.open(ctx, pick(t, 20, 100), "sms")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	l := t.start(ctx, c, t.rate, pick(t, 300, 3000))
	var whole []time.Time
	for range pick(t, 4, 30) {
		pause(ctx, time.Second+time.Duration(t.rnd.Int64N(int64(2*time.Second))))
		v := t.workers[t.rnd.IntN(len(t.workers))]
		v.process.kill()
		if err := t.stack.start(ctx, v); err != nil {
			return errors.Join(err, l.end(ctx))
		}
		whole = append(whole, time.Now())
	}
	if err := l.end(ctx); err != nil {
		return err
	}
	err = t.verify(ctx, c, time.Now(), time.Minute)
	t.times(l, w, whole)
	t.note("%d kills of workers", len(whole))
	return errors.Join(err, t.unmarked(ctx))
}
