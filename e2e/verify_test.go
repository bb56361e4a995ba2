package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"parley/simulator"
)

// places runs verify and returns its status and what it says.
func (s *stack) places(args ...string) (int, string) {
	s.t.Helper()
	out, status := s.parley(append([]string{"verify"}, args...)...)
	return status, out
}

func TestVerifyFollowsEveryEventAndARunThatIsOverIsRedriven(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("web")
	p.says("Can I have an offer, please?")
	id := p.conversation(1)
	p.hears(id, "Of course, give me a minute")
	workflow := s.workflowOf(id)
	eventually(t, "everything is at its effect while the conversation goes on", func() error {
		if status, out := s.places(); status != 0 {
			return fmt.Errorf("status %d: %s", status, out)
		}
		return nil
	})

	s.fault(refusing("http", "Here is our offer"))
	require.NoError(t, p.tell(id, "Here is our offer for you"))
	s.secret("Here is our offer for you")
	command := s.buried()
	s.fault(simulator.Faults{})
	status, out := s.places("-workflow", workflow)
	assert.Equal(t, 3, status, out)
	assert.Contains(t, out, "dead letter  "+command)
	s.agent(id, "close", nil)
	s.survey(p, "5", "yes")
	eventually(t, "the run is over", func() error {
		return s.found(1, fmt.Sprintf(`WorkflowId = %q AND ExecutionStatus = "Completed"`, workflow))
	})

	out = s.operate("dead-letters")
	assert.Contains(t, out, command)
	assert.NotContains(t, out, "offer")
	out = s.operate("redrive", "-by", "operator", "-reason", "the channel was mended", command)
	assert.Contains(t, out, "back in the inbox")
	eventually(t, "it arrives, under its old ID", func() error {
		for _, m := range p.view().Thread {
			if m.Text == "Here is our offer for you" && m.Ref == command {
				return nil
			}
		}
		out, _ := s.parley("dead-letters")
		return fmt.Errorf("not yet: %s", out)
	})
	assert.NotContains(t, s.operate("dead-letters"), command)
	for _, which := range [][]string{nil, {"-conversation", id}} {
		eventually(t, "everything is at its effect", func() error {
			if status, out = s.places(which...); status != 0 {
				return fmt.Errorf("status %d: %s", status, out)
			}
			return nil
		})
		assert.Regexp(t, `answered +2\n`, out)
		assert.Regexp(t, `missing +0\n`, out)
	}
	_, metrics, err := s.get("http://" + s.workers[0].ops + "/metrics")
	require.NoError(t, err)
	assert.Contains(t, metrics, `parley_dead_letters_total{lane="channel"} 1`)
}

func TestHousekeepingIsScheduledOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	s.migrate() // again
	handle := s.temporal.ScheduleClient().GetHandle(t.Context(), "parley-housekeeping")
	d, err := handle.Describe(t.Context())
	require.NoError(t, err)
	require.Len(t, d.Schedule.Spec.Calendars, 1)
	const old = "now() - interval '11 days'"
	for _, sql := range []string{
		"INSERT INTO streams (stream, address, last_seq, urgent_seq, dispatched_seq, settled_seq) VALUES ('channel/web/x', 'channel/web/x', 2, 2, 2, 1)",
		"INSERT INTO inbox (stream, seq, source, event_id, starts, body, stored_at) VALUES ('channel/web/x', 1, 'channel/web', 'a', true, '{}', " + old + ")",
		"INSERT INTO inbox (stream, seq, source, event_id, starts, body, stored_at) VALUES ('channel/web/x', 2, 'channel/web', 'b', true, '{}', " + old + ")",
	} {
		s.dbMu.Lock()
		_, err := s.db.Exec(t.Context(), sql)
		s.dbMu.Unlock()
		require.NoError(t, err)
	}
	require.NoError(t, handle.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	eventually(t, "old rows are deleted", func() error {
		if err := s.found(1, `WorkflowType = "Housekeeping" AND ExecutionStatus = "Completed"`); err != nil {
			return err
		}
		return nil
	})
	var left string
	require.NoError(t, s.row("SELECT string_agg(event_id, ',') FROM inbox WHERE stream = 'channel/web/x'").Scan(&left))
	assert.Equal(t, "b", left, "what is not settled stays, however old it is")
	_, metrics, err := s.get("http://" + s.workers[0].ops + "/metrics")
	require.NoError(t, err)
	assert.True(t, strings.Contains(metrics, `parley_trimmed_rows_total{table="inbox"} 1`), metrics)
}
