package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// fields are the conversation fields that Parley has set, in order.
func (s *stack) fields(conversation string) (all []any) {
	s.t.Helper()
	for _, m := range s.sent(conversation) {
		if m["type"] == "cm.UpdateConversationField" {
			assert.Equal(s.t, conversation, m.at("body.conversationId"))
			all = append(all, m.at("body.conversationField"))
		}
	}
	return all
}

// over waits for the end of a conversation, its survey included.
func (s *stack) over(conversation string) simulator.DetailView {
	s.t.Helper()
	return s.until(conversation, "the conversation is over", func(d simulator.DetailView) bool { return d.Stage == "CLOSE" })
}

// surveyOf waits for the survey bot's dialog.
func (s *stack) surveyOf(conversation string) (dialog string) {
	s.t.Helper()
	s.until(conversation, "the survey has begun", func(d simulator.DetailView) bool {
		dialog = d.SurveyRun.Dialog
		return d.Survey == "open" && dialog != ""
	})
	return dialog
}

func TestRow_CloseWithSurvey(t *testing.T) {
	s := row(t)
	for _, channel := range []string{"web-care", "sms-care"} {
		t.Run("by the consumer on "+channel, func(t *testing.T) {
			t.Parallel()
			s := s.as(t)
			p, id := s.opened(channel)
			if p.web() {
				p.event("close", map[string]any{})
			} else {
				p.says("goodbye")
			}
			dialog := s.surveyOf(id)
			fields := s.fields(id)
			require.Len(t, fields, 1)
			field := tree(fields[0].(map[string]any))
			assert.Equal(t, "DialogChange", field["field"])
			assert.Equal(t, "UPDATE", field["type"])
			assert.Equal(t, id, field.at("dialog.dialogId"))
			assert.Equal(t, "CLOSE", field.at("dialog.state"))
			assert.NotEmpty(t, field.at("dialog.closedCause"), "without it no survey begins")
			p.gets("the question is on the phone", saying("How was it?"))
			assert.NotEqual(t, id, dialog)
			for _, w := range s.sends(id) {
				assert.Contains(t, parsed(t, w.Request.Headers["Client-Properties"]).at("features"), "MULTI_DIALOG")
			}
		})
	}
	t.Run("by the agent", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web-care")
		s.agent(id, "close", nil)
		s.surveyOf(id)
		p.gets("the question is on the phone", saying("How was it?"))
		assert.Empty(t, s.fields(id), "it is closed already")
	})
}

func TestRow_CloseWithoutSurvey(t *testing.T) {
	s := row(t)
	state := map[string]any{"field": "ConversationStateField", "conversationState": "CLOSE"}
	t.Run("by the consumer, where nothing is asked", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web-quiet")
		p.event("close", map[string]any{})
		d := s.over(id)
		assert.Equal(t, "CONSUMER", d.CloseReason)
		assert.Equal(t, []any{state}, s.fields(id))
		s.unasked(p, id)
	})
	t.Run("by the agent, where nothing is asked", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web-quiet")
		s.agent(id, "close", nil)
		s.over(id)
		s.unasked(p, id)
		assert.Empty(t, s.fields(id))
	})
	t.Run("by the agent, where the cloud would ask", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web-care")
		s.agent(id, "close", map[string]any{"survey": false})
		s.over(id)
		s.unasked(p, id)
		assert.Empty(t, s.fields(id))
	})
	t.Run("everything, the survey included", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web-care")
		s.agent(id, "close", nil)
		p.gets("the question is on the phone", saying("How was it?"))
		p.event("close", map[string]any{})
		d := s.over(id)
		assert.Equal(t, []any{map[string]any{"field": "Stage", "conversationState": "CLOSE"}}, s.fields(id))
		assert.Equal(t, "left", d.Survey)
	})
}

// unasked checks that a consumer who is through is asked nothing, and that the next
// thing they write begins a new conversation.
func (s *stack) unasked(p *phone, conversation string) {
	s.t.Helper()
	p.says("There is one more thing, " + p.name)
	next := p.conversation(2)
	s.onDesk(next, "There is one more thing, "+p.name)
	assert.Empty(s.t, asked(p.view()))
	d, err := s.detail(conversation)
	require.NoError(s.t, err)
	assert.Nil(s.t, d.CSAT)
	assert.Zero(s.t, d.Counters.CSATReports)
}

// answerMetadata is what the survey bot wants back with an answer.
func answerMetadata(question, answer string) string {
	return `[{"type":"Answer","id":"` + answer + `","questionId":"` + question + `","groupId":"g1","provider":"AC"}]`
}

func TestRow_SurveyAnswers(t *testing.T) {
	s := row(t)
	begun := func(t *testing.T, channel string) (*stack, *phone, string, string) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened(channel)
		s.agent(id, "close", nil)
		dialog := s.surveyOf(id)
		p.gets("the question is on the phone", saying("How was it?"))
		return s, p, id, dialog
	}
	t.Run("by number, by title and in free words on an SMS phone", func(t *testing.T) {
		s, p, id, dialog := begun(t, "sms-care")
		m := p.gets("the answers are listed", saying("How was it?"))
		assert.Equal(t, "How was it?\n1) 1\n2) 2\n3) 3\n4) 4\n5) 5", m.Text)
		p.says("4")
		p.gets("the next question is on the phone", saying("Was it solved?"))
		p.says("2")
		p.gets("the last question is on the phone", saying("Anything else?"))
		const story = "The colours are lovely, and the box had no dents at all"
		p.says(story)
		p.gets("the thanks are on the phone", saying("Thank you for the answers"))
		d := s.over(id)
		assert.Equal(t, "completed", d.Survey)
		require.NotNil(t, d.SurveyRun.CSAT)
		require.NotNil(t, d.SurveyRun.FCR)
		assert.Equal(t, 4, *d.SurveyRun.CSAT)
		assert.False(t, *d.SurveyRun.FCR)
		s.surveyed(id, dialog, answerMetadata("q1", "q1-a4"), "4")
		s.surveyed(id, dialog, answerMetadata("q2", "q2-a2"), "No")
		assert.Equal(t, []string{"4", "No", story}, transcript(d, dialog, "CONSUMER"))
		for _, r := range d.SurveyRun.Results {
			assert.Equal(t, 1, r.Asked, "nothing had to be asked twice")
		}
		assert.Nil(t, d.CSAT, "the cloud has it from the answers")
		p.says("Another matter, " + p.name)
		s.onDesk(p.conversation(2), "Another matter, "+p.name)
	})
	t.Run("by button on the web", func(t *testing.T) {
		s, p, id, dialog := begun(t, "web-care")
		p.event("typing", map[string]any{"on": true}) // such a dialog takes none
		p.chooses(p.gets("the buttons are there", saying("How was it?")), "5")
		p.chooses(p.gets("the buttons are there", saying("Was it solved?")), "Yes")
		p.gets("the last question is on the phone", saying("Anything else?"))
		p.says("No")
		d := s.over(id)
		assert.Equal(t, 5, *d.SurveyRun.CSAT)
		assert.True(t, *d.SurveyRun.FCR)
		s.surveyed(id, dialog, answerMetadata("q1", "q1-a5"), "5")
		assert.Empty(t, d.Counters.Rejected)
	})
	t.Run("skip, and words that are not understood", func(t *testing.T) {
		s, p, id, dialog := begun(t, "sms-care")
		p.says("so so")
		p.gets("it is asked again", saying("Please choose one of the answers"))
		p.says("skip")
		p.gets("the next question is on the phone", saying("Was it solved?"))
		p.says("YES!")
		p.gets("the last question is on the phone", saying("Anything else?"))
		p.says("skip")
		d := s.over(id)
		assert.Nil(t, d.SurveyRun.CSAT)
		assert.True(t, *d.SurveyRun.FCR)
		assert.Equal(t, []string{"so so", "skip", "Yes", "skip"}, transcript(d, dialog, "CONSUMER"))
	})
	t.Run("it is left for a new matter", func(t *testing.T) {
		s, p, id, dialog := begun(t, "sms-care")
		const matter = "Forget the survey: my second parcel is late too!"
		p.says(matter)
		d := s.over(id)
		assert.Equal(t, "left", d.Survey)
		assert.Equal(t, []any{map[string]any{"field": "Stage", "conversationState": "CLOSE"}}, s.fields(id))
		second := p.conversation(2)
		s.onDesk(second, matter)
		assert.Empty(t, transcript(d, dialog, "CONSUMER"), "the survey bot has nothing of it")
		p.hears(second, "Let me look")
		assert.Len(t, mustConversations(p), 2)
	})
}

// surveyed checks that an answer went to the survey's dialog as a click.
func (s *stack) surveyed(conversation, dialog, metadata, text string) {
	s.t.Helper()
	d, err := s.detail(conversation)
	require.NoError(s.t, err)
	for _, c := range d.Clicks {
		if c.Dialog == dialog && c.Text == text {
			assert.True(s.t, c.Action && c.Said)
			s.clicks(conversation, dialog, c.Sequence, metadata, text)
			return
		}
	}
	assert.Fail(s.t, "no such click", "%q of %+v", text, d.Clicks)
}

// A survey that nobody answers ends in the cloud, and what comes then is new.
func TestRow_SurveyTimesOut(t *testing.T) {
	s := strained(t)
	s.set(`{"survey":{"on":true,"accounts":["care"],"questions":[{"kind":"csat","text":"How was it?"}],"timeoutMs":2000}}`)
	p, id := s.opened("sms-care")
	s.agent(id, "close", nil)
	p.gets("the question is on the phone", saying("How was it?"))
	d := s.over(id)
	assert.Equal(t, "timed out", d.Survey)
	p.says("I was away, and now I have another matter")
	s.onDesk(p.conversation(2), "I was away, and now I have another matter")
}

func TestRow_CSATAndFCR(t *testing.T) {
	s := row(t)
	t.Run("answered", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p := s.newPhone("sms")
		id := s.inSurvey(p)
		s.survey(p, "4", "no")
		s.rated(id)
		assert.Equal(t, []any{map[string]any{"field": "CSATRate", "csatRate": 4.0, "csatResolutionConfirmation": false, "status": "FILLED"}}, s.fields(id))
	})
	t.Run("skipped", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p := s.newPhone("web")
		id := s.inSurvey(p)
		p.says("I would rather talk about my second parcel")
		s.rated(id)
		assert.Equal(t, []any{map[string]any{"field": "CSATRate", "status": "SKIPPED"}}, s.fields(id))
		s.onDesk(p.conversation(2), "I would rather talk about my second parcel")
	})
}

func TestRow_AgentCloseAndAutoClose(t *testing.T) {
	s := row(t)
	for _, c := range []struct{ channel, act, reason string }{
		{"web-quiet", "close", "AGENT"}, {"web", "autoclose", "SYSTEM"}, {"sms-care", "autoclose", "SYSTEM"},
	} {
		t.Run(c.act+" on "+c.channel, func(t *testing.T) {
			t.Parallel()
			s := s.as(t)
			p, id := s.opened(c.channel)
			p.hears(id, "Are you still there, "+p.name+"?")
			s.agent(id, c.act, nil)
			d := s.over(id)
			assert.Equal(t, c.reason, d.CloseReason)
			s.unasked(p, id)
		})
	}
	t.Run("by time-out", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		s.agent(id, "close", map[string]any{"reason": "TIMEOUT"})
		s.over(id)
		s.unasked(p, id)
	})
}

func TestRow_ResumeAfterClose(t *testing.T) {
	s := row(t)
	for _, mode := range []string{"new", "same"} {
		for _, channel := range []string{"web-quiet", "sms-care"} {
			t.Run(mode+" on "+channel, func(t *testing.T) {
				t.Parallel()
				s := s.as(t)
				p, id := s.opened(channel)
				p.hears(id, "I close this now, "+p.name)
				s.agent(id, "close", map[string]any{"survey": false})
				s.over(id)
				var again struct{ Conversation string }
				s.must("POST", "/sim/conversations/"+id+"/reopen", map[string]any{"mode": mode}, &again)
				assert.Equal(t, mode == "same", again.Conversation == id)
				p.hears(again.Conversation, "One more thing, "+p.name)
				p.says("Yes, I am listening, " + p.name)
				s.onDesk(again.Conversation, "Yes, I am listening, "+p.name)
				s.marked(again.Conversation, "One more thing, "+p.name, "reported as accepted", accepted)
				assert.Len(t, mustConversations(p), map[string]int{"new": 2, "same": 1}[mode])
			})
		}
	}
}
