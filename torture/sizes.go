package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
)

// longConversation is one conversation of very many messages: its histories stay
// small.
func longConversation(ctx context.Context, t *trial) error {
	c, err := t.open(ctx, 1, "web")
	if err != nil {
		return err
	}
	one := c.all[0]
	n := pick(t, 600, 8000)
	began := time.Now()
	writes := func(direction int) error {
		for k := range n / 2 {
			text := fmt.Sprintf("%s message %d of %d in a long conversation", c.name, k, direction)
			write := c.write
			if direction == 1 {
				write = c.tell
			}
			if err := write(ctx, one, text); err != nil {
				return err
			}
			if direction == 1 {
				pause(ctx, 4*time.Millisecond) // no faster than a consumer's are acknowledged
			}
		}
		return nil
	}
	if err := together(2, 2, writes); err != nil {
		return err
	}
	t.note("%d messages handed in within %s", n, round(time.Since(began)))
	err = t.verify(ctx, c, time.Now(), pick(t, time.Minute, 5*time.Minute))
	longest, runs, listErr := t.histories(ctx)
	t.note("longest history %d events, %d runs in all", longest, runs)
	t.check(longest < 10_000, "a history has %d events", longest)
	return errors.Join(err, listErr, t.unmarked(ctx))
}

// histories is the length of the longest, of all runs there are.
func (t *trial) histories(ctx context.Context) (longest int64, runs int, err error) {
	var page []byte
	for {
		list, err := t.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: page})
		if err != nil {
			return longest, runs, err
		}
		for _, e := range list.Executions {
			runs++
			longest = max(longest, e.HistoryLength)
			if e.HistoryLength == 0 { // of a running one, where visibility does not say
				d, err := t.client.DescribeWorkflowExecution(ctx, e.Execution.WorkflowId, e.Execution.RunId)
				if err != nil {
					return longest, runs, err
				}
				longest = max(longest, d.WorkflowExecutionInfo.HistoryLength)
			}
		}
		if page = list.NextPageToken; len(page) == 0 {
			return longest, runs, nil
		}
	}
}

// manyOpen has very many conversations open, and starts the workers cold.
func manyOpen(ctx context.Context, t *trial) error {
	n := pick(t, 100, 10_000)
	began := time.Now()
	c, err := t.open(ctx, n, "web")
	if err != nil {
		return err
	}
	t.note("%d conversations open after %s", n, round(time.Since(began)))
	if _, err := t.settle(ctx, c, began, patience); err != nil {
		return err
	}
	for _, v := range t.workers {
		v.process.kill()
	}
	for _, v := range t.workers {
		if err := t.stack.start(ctx, v); err != nil {
			return err
		}
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	first, err := t.sees(ctx, w, c, c.all[t.rnd.IntN(n)])
	if err != nil {
		return err
	}
	t.result.recovered = first
	t.timely(first < 5*time.Second, "the first message after a cold start took %s", round(first))
	l := t.start(ctx, c, t.rate, pick(t, 100, 1500))
	if err := l.end(ctx); err != nil {
		return err
	}
	t.result.messages = 0 // verify counts them once more
	// Each of these messages finds its conversation cold: the history is read again
	// first, so the load is above what can be done at once.
	err = t.verify(ctx, c, time.Now(), pick(t, time.Minute, 5*time.Minute))
	t.times(l, w, nil)
	memory, memoryErr := t.memory(ctx, t.workers)
	perWorker := memory / uint64(len(t.workers)) >> 20
	t.note("memory of a worker %d MB", perWorker)
	// worker.Defaults keeps 10,000 conversations of some 30 KiB each.
	t.check(perWorker < 700, "a worker holds %d MB", perWorker)
	return errors.Join(err, memoryErr)
}

// sees is how long a consumer's message takes to reach the agent.
func (t *trial) sees(ctx context.Context, w *watch, c *crowd, one *consumer) (time.Duration, error) {
	text := fmt.Sprintf("%s is anybody there %s", c.name, random(4))
	there := w.expect(text)
	began := time.Now()
	if err := c.write(ctx, one, text); err != nil {
		return 0, err
	}
	select {
	case <-there:
		return time.Since(began), nil
	case <-time.After(2 * time.Minute):
		return time.Since(began), fmt.Errorf("a message did not arrive: %w", errNotYet)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
