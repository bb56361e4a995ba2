package conversation

import (
	"slices"
	"time"
	"unicode/utf8"

	"parley/fault"
	"parley/message"
)

// gone is a command whose other side is no longer there.
func (s *State) gone(l *Lane, head *Command, stop Stop, at time.Time) {
	switch head.Kind {
	case Publish, PublishFile:
		s.rehome(head.Conversation, at)
	case Deliver, Ask, Tell:
		s.optedOut(l)
	case OpenConversation: // there is one: its notification, or the next attempt, will tell which
		l.Attempts++
		l.Due = at.Add(patience(Stop{Class: fault.Transient}, l.Attempts))
	case Close:
		conversation, way := head.Conversation, head.Way
		l.pop(1)
		l.rested()
		switch {
		case conversation != s.Cloud.Conversation:
		case way == WayStage:
			s.ended(at)
		default:
			s.shut(way, at)
		}
	default:
		l.pop(1)
		l.rested()
	}
}

// rehome moves the messages that were waiting for a conversation that turned out
// to be closed, under the IDs they have: to the current one if that is another,
// else to the next.
func (s *State) rehome(closed string, at time.Time) {
	l := &s.ToCloud
	l.rested()
	if s.tooLate(closed, at); !l.speaksTo(closed) {
		return
	}
	s.note(at, l.Queue[0].ID, "closed", "the conversation was closed when a message arrived: it goes to a new one")
	if closed != s.Cloud.Conversation && s.Stage != Closed {
		for i := range l.Queue {
			if c := &l.Queue[i]; c.speaks() && c.Conversation == closed {
				c.Conversation, c.Dialog, c.Metadata = s.Cloud.Conversation, s.Cloud.Conversation, nil
			}
		}
		if s.Cloud.Conversation == "" {
			s.openFirst()
		}
		return
	}
	if s.cloudAsks() && s.Stage != Closed {
		s.vacate()
		return
	}
	if s.Stage == Closing {
		s.endSurvey(at)
	}
	s.passed(closed)
	s.Stage, s.Leaving = Closed, false
	s.unpublish(false)
}

// unpublish keeps what is queued for the cloud for the next conversation. closing
// says that this one has still to be closed.
func (s *State) unpublish(closing bool) {
	l := &s.ToCloud
	var kept []Command
	var moved []message.Inbound
	for _, c := range l.Queue {
		switch {
		case c.speaks() && c.Bury == "" && c.Source != nil:
			moved = append(moved, *c.Source)
		case c.Kind == Close && (!closing || c.Way != WayStage): // it has happened
		case c.Kind == Urge:
		default:
			kept = append(kept, c)
		}
	}
	l.Queue = kept
	s.Pending = append(moved, s.Pending...)
}

// vacate leaves a conversation whose MAIN dialog is closed, where the cloud may be
// asking how it went: the consumer has something to say to an agent. Until it is
// closed altogether, another one would be refused.
func (s *State) vacate() {
	if s.Stage == Open {
		s.Stage, s.Survey = Closing, Survey{}
	}
	s.Leaving = false
	s.unpublish(true)
	s.leaveSurvey()
}

// tooLate drops the answers to a survey that was closed when they came: to an agent
// they would say nothing. What may be more than an answer goes on.
func (s *State) tooLate(closed string, at time.Time) {
	l := &s.ToCloud
	l.Queue = slices.DeleteFunc(l.Queue, func(c Command) bool {
		late := c.Kind == Publish && c.Conversation == closed && c.surveyed() && (c.Metadata != nil || utf8.RuneCountInString(c.Text) <= shortReply)
		if late {
			s.note(at, c.ID, "answered", "the survey was over when the answer came")
			s.Survey.Late = s.Survey.Late || closed == s.Cloud.Conversation
		}
		return late
	})
}

// surveyed says whether a command is for the dialog of a survey: the MAIN dialog is
// called like its conversation.
func (c *Command) surveyed() bool {
	return c.Conversation != "" && c.Dialog != "" && c.Dialog != c.Conversation
}

// speaksTo says whether something of the consumer's waits for a conversation.
func (l *Lane) speaksTo(conversation string) bool {
	return slices.ContainsFunc(l.Queue, func(c Command) bool { return c.speaks() && c.Conversation == conversation })
}

// openFirst has the next conversation opened before what waits at the head of the
// lane: it has nowhere else to go.
func (s *State) openFirst() {
	l := &s.ToCloud
	head := &l.Queue[0]
	open := s.opening(message.NewID("open", string(head.ID), s.Past[len(s.Past)-1]), head.Text)
	if i := l.queued(OpenConversation); i >= 0 {
		open = l.Queue[i]
		l.Queue = slices.Delete(l.Queue, i, i+1)
	}
	l.Queue = slices.Insert(l.Queue, 0, open)
}
