package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// refusing makes a far side refuse what contains a text, for good.
func refusing(class, text string) simulator.Faults {
	return simulator.Faults{Rules: []simulator.Rule{{Class: class, Do: "fail-before", Status: 400, Match: text}}}
}

// buried waits for the one dead letter and returns its ID.
func (s *stack) buried() (id string) {
	s.t.Helper()
	eventually(s.t, "there is a dead letter", func() error { return s.row("SELECT id FROM dead_letters").Scan(&id) })
	eventually(s.t, "the conversation can be searched for", func() error { return s.found(1, `ParleyAttention = "dead-letter"`) })
	return id
}

// operate runs one of the tools for people, which has to succeed.
func (s *stack) operate(args ...string) string {
	s.t.Helper()
	out, status := s.parley(args...)
	require.Zero(s.t, status, "parley %v: %s", args, out)
	return out
}

func TestOperatorRedrivesWhatTheChannelRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("web")
	p.says("Can I have an offer, please?")
	id := p.conversation(1)
	p.hears(id, "Of course, give me a minute")
	s.fault(refusing("http", "Here is our offer"))
	require.NoError(t, p.tell(id, "Here is our offer for you"))
	command := s.buried()
	s.marked(id, "Here is our offer for you", "reported as not delivered", refused)
	s.fault(simulator.Faults{})

	workflow := s.workflowOf(id)
	out, status := s.parley("redrive", "-by", "operator", workflow, "0123456789abcdef0123456789abcdef")
	assert.Equal(t, 1, status, "a message that is not there: %s", out)
	s.operate("redrive", "-by", "operator", "-reason", "the channel was mended", workflow, command)
	s.settled(patience, p)
	for _, m := range p.view().Thread {
		if m.Text == "Here is our offer for you" {
			assert.Equal(t, command, m.Ref, "it comes under its old ID")
		}
	}
	eventually(t, "nobody has to look any more", func() error { return s.found(0, `ParleyAttention = "dead-letter"`) })
}

func TestOperatorRedrivesWhatTheCloudRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("sms")
	p.says("I would like to complain")
	id := p.conversation(1)
	s.onDesk(id, "I would like to complain")
	s.fault(refusing("send", "rather long story"))
	p.says("It is a rather long story")
	command := s.buried()
	p.says("Did you get that?")
	s.onDesk(id, "Did you get that?")
	s.fault(simulator.Faults{})
	s.operate("redrive", "-by", "operator", s.workflowOf(id), command)
	s.onDesk(id, "It is a rather long story")
	d, err := s.detail(id)
	require.NoError(t, err)
	e, _ := event(d, "It is a rather long story")
	assert.Equal(t, command, e.ExternalID)
	eventually(t, "nobody has to look any more", func() error { return s.found(0, `ParleyAttention = "dead-letter"`) })
}

func TestOperatorSkipsClosesExportsAndReplays(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("sms")
	p.says("I would like to complain")
	id := p.conversation(1)
	s.onDesk(id, "I would like to complain")
	s.fault(refusing("send", "utter nonsense"))
	var out posted
	s.must("POST", p.path("/text"), map[string]any{"text": "This is utter nonsense"}, &out)
	command, workflow := s.buried(), s.workflowOf(id)
	said, status := s.parley("skip", "-by", "operator", workflow, command)
	assert.Equal(t, 1, status, "a reason is asked for: %s", said)
	s.operate("skip", "-by", "operator", "-reason", "of no use to anybody", workflow, command)
	eventually(t, "nobody has to look any more", func() error { return s.found(0, `ParleyAttention = "dead-letter"`) })

	s.operate("close", "-by", "operator", "-reason", "over", workflow)
	s.closed(id)
	s.asks(p, 1)
	file := filepath.Join(t.TempDir(), "history.json")
	s.operate("export", "-o", file, workflow)
	said = s.operate("replay", file)
	assert.Contains(t, said, "events replayed")

	s.survey(p, "1", "no")
	s.rated(id)
	eventually(t, "the workflow has ended", func() error {
		return s.found(1, fmt.Sprintf(`WorkflowId = %q AND ExecutionStatus = "Completed" AND ParleyCSAT = 1`, workflow))
	})
	s.operate("export", "-o", file, workflow)
	assert.Contains(t, s.operate("replay", file), "events replayed")
	s.settled(patience, p)
}
