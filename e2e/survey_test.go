package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inSurvey brings a consumer to the first question of the survey.
func (s *stack) inSurvey(p *phone) (conversation string) {
	s.t.Helper()
	text := "A question of " + p.name
	p.says(text)
	conversation = p.conversation(1)
	s.onDesk(conversation, text)
	s.agent(conversation, "close", nil)
	s.asks(p, 1)
	return conversation
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	t.Run("is skipped for a new matter", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p := s.newPhone("sms")
		first := s.inSurvey(p)
		p.says("That was fine, but now my second parcel is late too")
		d := s.rated(first)
		assert.Equal(t, "SKIPPED", d.CSAT.Status)
		assert.Nil(t, d.CSAT.Rate)
		second := p.conversation(2)
		s.onDesk(second, "That was fine, but now my second parcel is late too")
		s.settled(patience, p)
		assert.Len(t, asked(p.view()), 1)
	})
	t.Run("is reported in part for a new matter after the rating", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p := s.newPhone("web")
		first := s.inSurvey(p)
		p.answers("2")
		s.asks(p, 2)
		p.says("Before I answer: my second parcel is late too")
		d := s.rated(first)
		assert.Equal(t, "PARTIALLY_FILLED", d.CSAT.Status)
		assert.Equal(t, 2, *d.CSAT.Rate)
		assert.Nil(t, d.CSAT.Resolved)
		p.conversation(2)
		s.settled(patience, p)
	})
	t.Run("asks again once", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p := s.newPhone("sms")
		first := s.inSurvey(p)
		p.answers("maybe")
		s.asks(p, 2)
		p.answers("three")
		s.asks(p, 3)
		p.answers("no idea")
		s.asks(p, 4)
		p.answers("still no idea")
		d := s.rated(first)
		assert.Equal(t, "PARTIALLY_FILLED", d.CSAT.Status)
		assert.Equal(t, 3, *d.CSAT.Rate)
		questions := asked(p.view())
		require.Len(t, questions, 4)
		assert.NotEqual(t, questions[0], questions[1])
		s.settled(patience, p)
		assert.Len(t, mustConversations(p), 1)
	})
}

func TestSurveyTimesOut(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{env: map[string]string{"PARLEY_ACCOUNT_MAIN_SURVEY_TIMEOUT": "1s"}})
	p := s.newPhone("sms")
	first := s.inSurvey(p)
	d := s.rated(first)
	assert.Equal(t, "SKIPPED", d.CSAT.Status)
	p.says("5") // not an answer any more
	p.conversation(2)
	s.settled(patience, p)
	s.nothingRefused()
}
