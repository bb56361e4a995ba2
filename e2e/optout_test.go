package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConsumerOptsOutAndInAgain(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("sms")
	p.says("Please send me your catalogue")
	id := p.conversation(1)
	p.hears(id, "It is on its way to you")

	p.says("STOP")
	s.onDesk(id, "STOP")
	const unwanted = "Would you like our newsletter as well?"
	s.agent(id, "text", map[string]any{"text": unwanted})
	s.secret(unwanted)
	s.marked(id, unwanted, "reported as not delivered", refused)
	var reason string
	require.NoError(t, s.row("SELECT reason FROM dead_letters WHERE account = 'main'").Scan(&reason))
	assert.Equal(t, "consumer opted out", reason)
	eventually(t, "the conversation can be searched for", func() error { return s.found(1, `ParleyAttention = "dead-letter"`) })

	p.says("START")
	s.onDesk(id, "START")
	p.hears(id, "Welcome back to our messages")
	s.settled(patience, p) // and nothing of what was unwanted
	assert.Zero(t, p.view().Counters.Rejected)
	s.nothingRefused()
}
