package e2e

import (
	"fmt"
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
	const each, turn = 1500, 6
	began := time.Now()
	// A few at a time: handed in all at once, thousands of messages share so few
	// turns that one run has room for them.
	for said := 1; said < each; {
		for range min(turn, each-said) {
			require.NoError(t, p.tell(id, fmt.Sprintf("words %d of the agent", said)))
			_, err := p.send(fmt.Sprintf("words %d of the consumer", said), true)
			require.NoError(t, err)
			said++
		}
		eventuallyWithin(t, 4*patience, "the cloud has what was said so far", func() error { return p.heard(2*said - 1) })
	}
	require.NoError(t, p.tell(id, "the agent's last words"))
	handedIn := time.Since(began)
	eventuallyWithin(t, 4*patience, "the agents have seen all", func() error { return p.heard(2 * each) })
	s.settled(4*patience, p)
	t.Logf("%d messages handed in within %s, all arrived after %s", 2*each, handedIn.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	s.nothingRefused()
	s.handedOver(s.workflowOf(id))
}

// heard says whether the one conversation of a phone has that many messages.
func (p *phone) heard(messages int) error {
	list, err := p.conversations()
	if err == nil && (len(list) != 1 || list[0].Messages < messages) {
		err = fmt.Errorf("not %d messages: %w", messages, errNotYet)
	}
	return err
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
