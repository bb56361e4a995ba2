package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
)

// A conversation of 3,000 messages is handed over from run to run, and nobody on
// either side notices.
func TestLongConversationIsHandedOver(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{})
	p := s.newPhone("web")
	p.says("This is going to take a while")
	id := p.conversation(1)
	const each = 1500
	began := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i < each; i++ {
			if _, err := p.send(fmt.Sprintf("words %d of the consumer", i), true); err != nil {
				t.Errorf("the sender gave up: %v", err)
				return
			}
		}
	})
	wg.Go(func() {
		for i := range each {
			if err := p.tell(id, fmt.Sprintf("words %d of the agent", i)); err != nil {
				t.Errorf("the agent could not write: %v", err)
				return
			}
		}
	})
	wg.Wait()
	handedIn := time.Since(began)
	eventuallyWithin(t, 4*patience, "the agents have seen all", func() error {
		list, err := p.conversations()
		if err == nil && (len(list) != 1 || list[0].Messages < 2*each) {
			err = fmt.Errorf("%d messages: %w", list[0].Messages, errNotYet)
		}
		return err
	})
	s.settled(4*patience, p)
	t.Logf("%d messages handed in within %s, all arrived after %s", 2*each, handedIn.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	s.nothingRefused()
	s.handedOver(s.workflowOf(id))
}

// handedOver checks the runs of a long conversation.
func (s *stack) handedOver(workflow string) {
	s.t.Helper()
	query := fmt.Sprintf("WorkflowId = %q", workflow)
	eventually(s.t, "the runs can be searched for", func() error {
		list, err := s.runs(query)
		if err == nil && len(list) < 2 {
			err = fmt.Errorf("there are %d: %w", len(list), errNotYet)
		}
		return err
	})
	list, err := s.runs(query)
	require.NoError(s.t, err)
	for _, r := range list {
		events := s.history(workflow, r.Execution.RunId)
		signals := 0
		for _, e := range events {
			if e.EventType == enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
				signals++
			}
		}
		s.t.Logf("run %s: %d events, %d signals, %s", r.Execution.RunId, len(events), signals, r.Status)
		assert.Less(s.t, len(events), 10_000)
		assert.Contains(s.t, []enums.WorkflowExecutionStatus{
			enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW}, r.Status)
	}
}
