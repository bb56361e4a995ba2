package conversation

import (
	"time"
	"unicode/utf8"

	"parley/message"
)

// Survey is how far the consumer has got with our two questions.
type Survey struct {
	Asking   string    `json:"asking,omitempty"` // "rating", "solved", or nothing
	Again    bool      `json:"again,omitempty"`  // the current question was asked a second time
	CSAT     int       `json:"csat,omitempty"`
	Resolved *bool     `json:"resolved,omitempty"`
	Status   string    `json:"status,omitempty"` // once it is over
	Until    time.Time `json:"until,omitzero"`

	// Of a survey that the cloud does itself:
	Dialog string `json:"dialog,omitempty"` // where it asks; empty while it has not begun
	Free   bool   `json:"free,omitempty"`   // the newest question offers no answers
	Late   bool   `json:"late,omitempty"`   // the consumer has had long enough
	Left   bool   `json:"left,omitempty"`   // we are closing it
}

// The two questions.
const (
	askRating = "rating"
	askSolved = "solved"
)

// shortReply is the length, in characters, up to which a reply that is not
// understood counts as a failed answer; a longer one is a new matter.
const shortReply = 20

func (s *State) beginSurvey(at time.Time) {
	s.Stage = Closing
	s.Survey = Survey{Asking: askRating, Until: at.Add(s.Settings.SurveyTimeout)}
	s.ask(s.Settings.Texts.Rating, s.Settings.Texts.ratingChoices())
}

// ask queues a question. Its ID follows from the conversation, so it is asked once
// whatever happens in between.
func (s *State) ask(text string, choices []message.Choice) {
	again := ""
	if s.Survey.Again {
		again = "again"
	}
	s.ToChannel.push(Command{
		ID:   message.NewID("ask", s.Settings.Account, s.Cloud.Conversation, s.Survey.Asking, again),
		Kind: Ask, Conversation: s.Cloud.Conversation, Sequence: -1, Text: text, Choices: choices,
	})
}

// answer takes a message as an answer to the question that was asked; false means
// that it is about something else.
func (s *State) answer(in message.Inbound, at time.Time) bool {
	if len(in.Attachments) > 0 {
		return false
	}
	words := Words(in)
	if s.Survey.Asking == askRating {
		if n := s.Settings.Texts.rating(in.Choice, words); n > 0 {
			s.Survey.CSAT, s.Survey.Again, s.Survey.Asking = n, false, askSolved
			s.ask(s.Settings.Texts.Solved, s.Settings.Texts.solvedChoices())
			return true
		}
	} else if solved, ok := s.Settings.Texts.solved(in.Choice, words); ok {
		s.Survey.Resolved = &solved
		s.endSurvey(at)
		return true
	}
	if utf8.RuneCountInString(words) > shortReply {
		return false
	}
	if s.Survey.Again {
		s.endSurvey(at)
		return true
	}
	s.Survey.Again = true
	if s.Survey.Asking == askRating {
		s.ask(s.Settings.Texts.RatingAgain, s.Settings.Texts.ratingChoices())
	} else {
		s.ask(s.Settings.Texts.SolvedAgain, s.Settings.Texts.solvedChoices())
	}
	return true
}

// expire ends a survey that nobody answered in time.
func (s *State) expire(at time.Time) {
	if s.Rules >= 2 && (s.cloudAsks() || s.Stage != Closing) {
		s.overdue(at)
		return
	}
	if s.Stage == Closing && !at.Before(s.Survey.Until) {
		s.endSurvey(at)
	}
}

// endSurvey reports what there is. Questions that are still waiting for the
// channel are not asked any more.
func (s *State) endSurvey(time.Time) {
	v := &s.Survey
	v.Status = v.answered()
	v.Asking, v.Until = "", time.Time{}
	s.Stage = Closed
	l := &s.ToChannel
	if l.Flying == 0 && len(l.Queue) > 0 && l.Queue[0].Kind == Ask {
		l.rested()
	}
	kept := l.Queue[:l.Flying:l.Flying]
	for _, c := range l.Queue[l.Flying:] {
		if c.Kind != Ask {
			kept = append(kept, c)
		}
	}
	l.Queue = kept
	s.ToCloud.push(Command{
		ID: message.NewID("rate", s.Settings.Account, s.Cloud.Conversation), Kind: Rate,
		Conversation: s.Cloud.Conversation, Status: v.Status, CSAT: v.CSAT, Resolved: v.Resolved,
	})
}
