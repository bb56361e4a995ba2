package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// event looks for the one event of a transcript with this text.
func event(d simulator.DetailView, text string) (simulator.EventView, bool) {
	for _, e := range d.Transcript {
		if e.Text == text {
			return e, true
		}
	}
	return simulator.EventView{}, false
}

// marked waits for the consumer's side to report something of an agent's text.
func (s *stack) marked(conversation, text, what string, mark func(simulator.EventView) bool) {
	s.t.Helper()
	eventually(s.t, "an agent's text is "+what, func() error {
		d, err := s.detail(conversation)
		if err != nil {
			return err
		}
		if e, ok := event(d, text); !ok || !mark(e) {
			return errNotYet
		}
		return nil
	})
}

func accepted(e simulator.EventView) bool { return e.Accepted }
func readMark(e simulator.EventView) bool { return e.Read }
func refused(e simulator.EventView) bool  { return e.Nack }

// onDesk waits for the newest text of a conversation.
func (s *stack) onDesk(conversation, text string) {
	s.t.Helper()
	eventually(s.t, "the agent sees a text", func() error {
		d, err := s.detail(conversation)
		if err != nil {
			return err
		}
		if _, ok := event(d, text); !ok {
			return errNotYet
		}
		return nil
	})
}

func TestJourneyOverSMS(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("sms")

	p.says("Good morning, my parcel has not arrived")
	first := p.conversation(1)
	s.onDesk(first, "Good morning, my parcel has not arrived")

	p.hears(first, "Good morning, let me have a look")
	s.marked(first, "Good morning, let me have a look", "reported as accepted", accepted)

	s.agent(first, "transfer", map[string]any{"skill": "2211"})
	eventually(t, "the transfer can be searched for", func() error { return s.found(1, `ParleySkill = "2211" AND ParleyStage = "open"`) })
	p.says("Are you still there?")
	s.onDesk(first, "Are you still there?")
	s.agent(first, "join", map[string]any{"agent": "Robin"})
	p.hears(first, "Robin here: it will be with you tomorrow")
	s.marked(first, "Robin here: it will be with you tomorrow", "reported as accepted", accepted)

	s.agent(first, "close", nil)
	s.survey(p, "5", "yes")
	d := s.rated(first)
	assert.Equal(t, 5, *d.CSAT.Rate)
	assert.True(t, *d.CSAT.Resolved)
	assert.Equal(t, "FILLED", d.CSAT.Status)
	eventually(t, "the rating can be searched for", func() error { return s.found(1, `ParleyCSAT = 5 AND ParleyFCR = true`) })

	p.says("Hello again, another matter now")
	second := p.conversation(2)
	require.NotEqual(t, first, second)
	s.onDesk(second, "Hello again, another matter now")
	p.hears(second, "Welcome back")
	s.settled(patience, p)
	s.nothingRefused()
}

// survey answers both questions, each when it has been asked.
func (s *stack) survey(p *phone, rating, solved string) {
	s.t.Helper()
	for _, answer := range []string{rating, solved} {
		s.asks(p, p.answered+1)
		p.answers(answer)
	}
}

// asks waits for the n-th question on a phone.
func (s *stack) asks(p *phone, n int) {
	s.t.Helper()
	eventually(s.t, "the consumer is asked", func() error {
		v, err := p.look()
		if err == nil && len(asked(v)) < n {
			err = errNotYet
		}
		return err
	})
}

func TestJourneyOverTheWeb(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("web")

	hello := p.says("Good morning from the web page")
	first := p.conversation(1)
	s.onDesk(first, "Good morning from the web page")
	s.agent(first, "join", map[string]any{"agent": "Dana"})

	p.event("typing", map[string]any{"on": true})
	eventually(t, "the agent sees the consumer typing", func() error {
		d, err := s.detail(first)
		if err == nil && !d.Typing["consumer"] {
			err = errNotYet
		}
		return err
	})
	p.event("typing", map[string]any{"on": false})
	eventually(t, "the agent sees the consumer pausing", func() error {
		d, err := s.detail(first)
		if err == nil && d.Typing["consumer"] {
			err = errNotYet
		}
		return err
	})
	s.agent(first, "typing", map[string]any{"on": true})
	eventually(t, "the consumer sees the agent typing", holds(func() bool { return p.view().Typing }))

	p.hears(first, "Good morning, Dana speaking")
	s.marked(first, "Good morning, Dana speaking", "reported as accepted", accepted)
	s.agent(first, "read", map[string]any{})
	eventually(t, "the consumer sees that it was read", holds(func() bool {
		for _, m := range p.view().Thread {
			if m.ID == hello.MessageID {
				return m.Read
			}
		}
		return false
	}))
	p.event("read", map[string]any{})
	s.marked(first, "Good morning, Dana speaking", "reported as read", readMark)

	p.event("close", map[string]any{})
	s.closed(first)
	s.survey(p, "four", "no")
	d := s.rated(first)
	assert.Equal(t, 4, *d.CSAT.Rate)
	assert.False(t, *d.CSAT.Resolved)
	assert.Equal(t, "FILLED", d.CSAT.Status)

	p.says("There is one more thing I forgot")
	second := p.conversation(2)
	s.onDesk(second, "There is one more thing I forgot")
	s.settled(patience, p)
	s.nothingRefused()
}

func TestConsumerClosesWithAWord(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	p := s.newPhone("sms")
	p.says("I only wanted to say thank you")
	first := p.conversation(1)
	s.onDesk(first, "I only wanted to say thank you")
	p.says("Goodbye")
	s.closed(first)
	s.survey(p, "★★★★★", "yep")
	d := s.rated(first)
	assert.Equal(t, 5, *d.CSAT.Rate)
	assert.Equal(t, "FILLED", d.CSAT.Status)
	s.settled(patience, p)
}
