package conversation

import (
	"strconv"
	"time"
	"unicode/utf8"

	"parley/message"
)

// The Post Conversation Survey is the cloud's own: when the MAIN dialog is over, its
// survey bot asks in a dialog of its own, and stage CLOSE ends it all. Here the
// consumer's words are handed to it, and it is left for a new matter.
//
// Source: messaging-window-api-tutorials-post-conversation-survey-pcs (liveperson.md §6.2).

// surveyWait is how long the cloud's word on a close of ours is waited for, and how
// long a consumer's short message waits for the survey to begin.
const surveyWait = 30 * time.Second

// cloudAsks says that surveys are the cloud's business.
func (s *State) cloudAsks() bool { return s.Rules >= 2 && s.Settings.Survey == SurveyCloud }

// mainClosed is a conversation whose MAIN dialog is over while the conversation is
// not. Where no survey is wanted, it is closed altogether.
func (s *State) mainClosed(survey, reason string, at time.Time) {
	switch {
	case !s.cloudAsks():
		if s.Stage == Open && !s.Leaving {
			s.Leaving, s.Closer = true, reason
			s.closeAll()
		}
		return
	case s.Stage == Open, s.Stage == Closed && len(s.Pending) == 0 && s.Cloud.Version > s.Cloud.Shut:
		s.Stage, s.Leaving, s.Closer = Closing, false, reason
		s.Survey = Survey{Until: at.Add(s.Settings.SurveyTimeout)}
		if len(s.Pending) > 0 || s.OptedOut { // there is a new matter already, or nobody to ask
			s.leaveSurvey()
		}
	case s.Stage != Closing:
		return
	}
	if survey != "" && s.Survey.Dialog != survey {
		s.surveyBegins(survey, at)
	}
}

// surveyBegins is the dialog in which the cloud asks. What waited for it goes there.
func (s *State) surveyBegins(dialog string, at time.Time) {
	v := &s.Survey
	v.Dialog, v.Free = dialog, false
	if v.Left {
		return
	}
	v.Until, v.Late = at.Add(s.Settings.SurveyTimeout), false
	pending := s.Pending
	s.Pending = nil
	s.resume(pending, at)
}

// relay decides what a consumer's message is while the cloud asks: a word for the
// survey bot, or the beginning of a new matter.
func (s *State) relay(in message.Inbound, at time.Time) {
	v := &s.Survey
	switch {
	case v.Left:
		s.Pending = append(s.Pending, in)
	case s.closes(in):
		s.note(at, in.ID, "answered", "the consumer does not want to be asked")
		s.leaveSurvey()
	case v.Dialog != "" && s.answers(in):
		s.say(in, v.Dialog)
	case v.Dialog == "" && !v.Late && short(in): // too early to say
		s.Pending = append(s.Pending, in)
		v.Until = earlier(v.Until, at.Add(surveyWait))
	default:
		s.Pending = append(s.Pending, in)
		s.leaveSurvey()
	}
}

// answers says whether a message is one for the survey bot: a click on what it
// offers; anything, while its newest question offers no answers; else what is short
// enough to be one that was not understood.
func (s *State) answers(in message.Inbound) bool {
	if s.Survey.Late || len(in.Attachments) > 0 {
		return false
	}
	k, clicked := s.clicked(in, s.Survey.Dialog)
	return (clicked && k.live) || s.Survey.Free || short(in)
}

// short says whether a message can be an answer that is not understood.
func short(in message.Inbound) bool {
	return len(in.Attachments) == 0 && utf8.RuneCountInString(said(in)) <= shortReply
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// leaveSurvey closes what is left of the conversation. What the consumer has begun
// meanwhile waits until it is over: a consumer has one open conversation.
func (s *State) leaveSurvey() {
	if !s.Survey.Left {
		s.Survey.Left, s.Survey.Until = true, time.Time{}
		s.closeAll()
	}
}

// closeAll queues the end of every dialog of the conversation.
func (s *State) closeAll() {
	s.ToCloud.push(Command{
		ID:   message.NewID("close-all", s.Cloud.Conversation, strconv.FormatInt(s.Cloud.Version, 10)),
		Kind: Close, Way: WayStage, Conversation: s.Cloud.Conversation,
	})
}

// shut is a close of ours that got through. What it closed is said by the cloud's
// snapshot where a survey may follow; that it does not come is allowed for.
func (s *State) shut(way string, at time.Time) {
	v := &s.Survey
	switch {
	case way == WayDialog && s.Stage == Open && s.Leaving:
		v.Until = at.Add(surveyWait)
	case way == WayDialog:
	case s.Stage == Closing && v.Left:
		v.Until = at.Add(surveyWait)
	case way == WayStage:
		s.ended(at)
	default:
		s.closed("CONSUMER", at)
	}
}

// ended is a conversation that is over in the cloud, its survey included.
func (s *State) ended(at time.Time) {
	if !s.cloudAsks() || s.Stage != Closing {
		s.closed(first(s.Closer, "CONSUMER"), at)
		return
	}
	s.Survey.Until = time.Time{}
	s.Stage, s.Leaving = Closed, false
	s.passed(s.Cloud.Conversation)
}

// overdue is a survey, or a close of ours, that the cloud has said nothing of for
// long enough.
func (s *State) overdue(at time.Time) {
	v := &s.Survey
	if v.Until.IsZero() || at.Before(v.Until) {
		return
	}
	v.Until = time.Time{}
	switch {
	case s.Stage == Open && s.Leaving:
		s.mainClosed("", "CONSUMER", at)
	case s.Stage == Closing && v.Left:
		s.ended(at)
	case s.Stage == Closing && v.Dialog == "":
		s.leaveSurvey()
	case s.Stage == Closing:
		v.Late = true // whoever writes now has something new to say
	}
}

// stays takes back a close of ours that is not under way: the cloud has opened the
// conversation again.
func (s *State) stays() {
	l := &s.ToCloud
	if i := l.queued(Close); i >= 0 && l.Queue[i].Way == WayStage && s.Survey.Left {
		l.drop(i)
	}
}

// rated remembers what the cloud says the consumer answered. Where it says nothing,
// it is not known that nothing was answered.
func (s *State) rated(c *message.Change) {
	if s.Rules < 2 || s.Settings.Survey == SurveyConnector || (c.CSAT == 0 && c.Resolved == nil) {
		return
	}
	if c.CSAT > 0 {
		s.Survey.CSAT = c.CSAT
	}
	if c.Resolved != nil {
		s.Survey.Resolved = c.Resolved
	}
	if s.Stage == Closed {
		s.Survey.Status = s.Survey.answered()
	}
}

// answered says, in the cloud's words, how much of a survey was answered.
func (v *Survey) answered() string {
	switch {
	case v.CSAT > 0 && v.Resolved != nil:
		return "FILLED"
	case v.CSAT > 0 || v.Resolved != nil:
		return "PARTIALLY_FILLED"
	}
	return "SKIPPED"
}
