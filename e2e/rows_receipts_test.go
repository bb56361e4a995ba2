package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// statuses are the accept statuses that Parley has reported in a conversation, in
// order, each with the sequences it named.
func (s *stack) statuses(conversation string) (all []string) {
	s.t.Helper()
	for _, m := range s.sent(conversation) {
		if m.at("body.event.type") == "AcceptStatusEvent" {
			all = append(all, fmt.Sprintf("%v %v", m.at("body.event.status"), m.at("body.event.sequenceList")))
		}
	}
	return all
}

// tells has the agent write a text, and returns its sequence once it is on the phone.
func (p *phone) listens(conversation, text string) (sequence int) {
	p.s.t.Helper()
	p.hears(conversation, text)
	d, err := p.s.detail(conversation)
	require.NoError(p.s.t, err)
	e, ok := event(d, text)
	require.True(p.s.t, ok)
	return e.Sequence
}

// on is the phone's message with a text.
func (p *phone) on(text string) simulator.PhoneMessage {
	p.s.t.Helper()
	thread := p.view().Thread
	i := slices.IndexFunc(thread, func(m simulator.PhoneMessage) bool { return m.Text == text })
	require.GreaterOrEqual(p.s.t, i, 0)
	return thread[i]
}

func TestRow_ReportDeliveredReadOpenedFailed(t *testing.T) {
	s := row(t)
	t.Run("on the web", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		first := p.listens(id, "The first of the agent's")
		s.marked(id, "The first of the agent's", "reported as accepted", accepted)
		p.event("read", map[string]any{})
		s.marked(id, "The first of the agent's", "reported as read", readMark)
		p.event("status", map[string]any{"messageId": p.on("The first of the agent's").ID, "state": "delivered"})
		second := p.listens(id, "The second of the agent's")
		s.marked(id, "The second of the agent's", "reported as accepted", accepted)
		assert.Equal(t, []string{
			fmt.Sprintf("ACCEPT [%d]", first), fmt.Sprintf("READ [%d]", first), fmt.Sprintf("ACCEPT [%d]", second),
		}, s.statuses(id), "what was read is not reported as delivered later on")
	})
	t.Run("together", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		for i := range 6 {
			p.listens(id, fmt.Sprintf("words %d of the agent", i))
		}
		s.marked(id, "words 5 of the agent", "reported as accepted", accepted)
		p.event("read", map[string]any{})
		s.marked(id, "words 5 of the agent", "reported as read", readMark)
		var read int
		for _, m := range s.sent(id) {
			if m.at("body.event.status") == "READ" {
				read++
			}
		}
		assert.Less(t, read, 4, "six read marks went together")
	})
	t.Run("a file is opened", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		s.agentFile(id, "open-me.png", picture(t, "PNG"))
		m := p.gets("the file is on the phone", func(m simulator.PhoneMessage) bool { return len(m.Media) > 0 })
		p.event("status", map[string]any{"messageId": m.ID, "state": "opened"})
		e := s.file(id, "ASSIGNED_AGENT", 1)
		s.until(id, "the file is reported as opened", func(d simulator.DetailView) bool {
			return marked(d, e.Sequence, func(e simulator.EventView) bool { return e.Opened })
		})
		assert.Contains(t, s.statuses(id), fmt.Sprintf("ACCESS [%d]", e.Sequence))
	})
	t.Run("it fails on an SMS phone", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		s.must(http.MethodPut, p.path(""), map[string]any{"delivery": "failed", "code": "30003"}, nil)
		n := p.listens(id, "This does not get through")
		s.marked(id, "This does not get through", "reported as not delivered", refused)
		assert.Equal(t, []string{fmt.Sprintf("NACK [%d]", n)}, s.statuses(id))
	})
	t.Run("it is refused on the web", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		text := "What no page takes, " + p.name
		s.breaks(simulator.Rule{Class: "http", Do: "fail-before", Status: http.StatusBadRequest, Match: text})
		s.agent(id, "text", map[string]any{"text": text})
		s.marked(id, text, "reported as not delivered", refused)
		p.hears(id, "This one does")
	})
	t.Run("on an SMS phone", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		s.must(http.MethodPut, p.path(""), map[string]any{"delivery": "none"}, nil)
		n := p.listens(id, "Delivered when the provider says so")
		assert.Empty(t, s.statuses(id), "nobody has said so")
		p.event("status", map[string]any{"messageId": p.on("Delivered when the provider says so").ID, "state": "delivered"})
		s.marked(id, "Delivered when the provider says so", "reported as accepted", accepted)
		assert.Equal(t, []string{fmt.Sprintf("ACCEPT [%d]", n)}, s.statuses(id))
	})
}

// chatStates are those that Parley has reported in a conversation, in order.
func (s *stack) chatStates(conversation string) (all []any) {
	s.t.Helper()
	for _, w := range s.sends(conversation) {
		if state := parsed(s.t, w.Request.Body).at("body.event.chatState"); state != nil {
			s.announces(w)
			all = append(all, state)
		}
	}
	return all
}

func TestRow_TypingOut(t *testing.T) {
	s := row(t)
	typing := func(on bool) func(simulator.DetailView) bool {
		return func(d simulator.DetailView) bool { return d.Typing["consumer"] == on }
	}
	t.Run("with an end", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		p.event("typing", map[string]any{"on": true})
		s.until(id, "the agent sees the consumer typing", typing(true))
		p.event("typing", map[string]any{"on": false})
		s.until(id, "the agent sees the consumer pausing", typing(false))
		states := s.chatStates(id)
		assert.Equal(t, "COMPOSING", states[0])
		assert.Contains(t, []any{"PAUSE", "ACTIVE"}, states[1])
	})
	t.Run("without an end, it is cleared", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		p.event("typing", map[string]any{"on": true})
		s.until(id, "the agent sees the consumer typing", typing(true))
		s.until(id, "it does not stick", typing(false))
		assert.Len(t, s.chatStates(id), 2)
	})
}

func TestRow_TypingIn(t *testing.T) {
	s := row(t)
	p, id := s.opened("web")
	sms, other := s.opened("sms")
	s.agent(other, "typing", map[string]any{"on": true}) // nothing there shows it
	for _, on := range []bool{true, false} {
		s.agent(id, "typing", map[string]any{"on": on})
		eventually(t, "the consumer sees it", holds(func() bool { return p.view().Typing == on }))
	}
	p.hears(id, "Here I am")
	sms.hears(other, "Here I am as well")
	assert.Len(t, heard(p.view()), 1, "it is no message")
}

func TestRow_DeliveryAndReadOfConsumerMessages(t *testing.T) {
	s := row(t)
	p, id := s.opened("web")
	second := p.says("Have you read this already?")
	s.onDesk(id, "Have you read this already?")
	read := func(message string) func() bool {
		return func() bool {
			i := slices.IndexFunc(p.view().Thread, func(m simulator.PhoneMessage) bool { return m.ID == message })
			return p.view().Thread[i].Read
		}
	}
	s.agent(id, "accept", map[string]any{})
	assert.False(t, read(second.MessageID)(), "accepted is not read")
	s.agent(id, "read", map[string]any{})
	eventually(t, "the consumer sees that it was read", holds(read(second.MessageID)))
	third := p.says("And this one?")
	s.onDesk(id, "And this one?")
	assert.False(t, read(third.MessageID)(), "only what was read is shown as read")
}

func TestRow_AutoMessages(t *testing.T) {
	s := row(t)
	p, id := s.opened("web-quiet")
	p.gets("the welcome is on the phone", saying("Welcome, somebody is coming"))
	d, err := s.detail(id)
	require.NoError(t, err)
	assert.True(t, d.Welcomed)
	require.NotNil(t, d.FirstMs)
	assert.Less(t, *d.FirstMs, int64(10_000), "later there is no welcome")
	s.opening(id) // which says AUTO_MESSAGES, as every SEND does
	s.sent(id)
	s.agent(id, "controller", map[string]any{"text": "All agents are busy"})
	p.gets("the cloud's own word is on the phone", saying("All agents are busy"))
	p.hears(id, "Now I have time for you")
	assert.Len(t, heard(p.view()), 3)
}
