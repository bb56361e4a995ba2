package conversation

import (
	"slices"
	"strings"
	"time"

	"parley/message"
)

// EventKind is something that can happen to a conversation.
type EventKind string

// The kinds of Event.
const (
	ConsumerWrote EventKind = "inbound"      // Stream, Sequence, Inbound
	CloudNotified EventKind = "notification" // Stream, Sequence, Notification
	BatchReturned EventKind = "batch"        // Lane, Results, Stop
	TimePassed    EventKind = "time"
	PersonActed   EventKind = "person" // Operation
)

// Event is one thing that happened, and when.
type Event struct {
	Kind         EventKind
	At           time.Time
	Stream       message.Stream
	Sequence     int64
	Inbound      *message.Inbound
	Notification *message.Notification
	Lane         LaneName
	Results      []Result
	Stop         *Stop
	Operation    *Operation
	Fetched      bool // it was left in the inbox before: see Behind
}

// Apply changes the state by one event and queues the work that follows from it.
func (s *State) Apply(e Event) {
	switch e.Kind {
	case ConsumerWrote:
		if !s.defers(e) && s.fresh(e.Stream, e.Sequence) {
			s.inbound(*e.Inbound, e.At)
		}
	case CloudNotified:
		if !s.defers(e) && s.fresh(e.Stream, e.Sequence) {
			s.notified(e.Notification, e.At)
		}
	case BatchReturned:
		s.returned(e)
	case PersonActed:
		s.operated(*e.Operation, e.At)
	case TimePassed:
	}
	s.release(e.At)
	s.expire(e.At)
}

// fresh says whether an event of a stream was not applied before, and remembers
// it: the relay delivers again what it is not sure to have delivered.
func (s *State) fresh(stream message.Stream, sequence int64) bool {
	for i := range s.Applied {
		if s.Applied[i].Stream != stream {
			continue
		}
		if sequence <= s.Applied[i].Sequence {
			return false
		}
		s.Applied[i].Sequence = sequence
		return true
	}
	s.Applied = append(s.Applied, message.Applied{Stream: stream, Sequence: sequence})
	if len(s.Applied) > keepAhead { // the oldest of the cloud's goes, never the channel's own
		oldest := slices.IndexFunc(s.Applied, func(a message.Applied) bool { return a.Stream.Cloud() })
		s.Applied = slices.Delete(s.Applied, oldest, oldest+1)
	}
	return true
}

func (s *State) inbound(in message.Inbound, at time.Time) {
	if in.Reply != "" {
		s.Reply = in.Reply
	}
	s.knows(in.Profile)
	s.consent(in.Consent, at)
	switch in.Kind {
	case message.Receipts:
		s.receipt(in)
	case message.Closed:
		s.leave(in.ID, at)
	case message.Wrote:
		s.wrote(in, at)
	case message.Consent, message.Known:
	}
	s.inform(string(in.ID))
}

// consent takes effect at once, also on what is queued and on our questions.
func (s *State) consent(c message.ConsentChange, at time.Time) {
	switch c {
	case message.OptedOut:
		switch {
		case s.Stage == Closing && s.cloudAsks():
			s.leaveSurvey()
		case s.Stage == Closing:
			s.endSurvey(at)
		}
		s.optedOut(&s.ToChannel)
	case message.OptedIn:
		s.OptedOut = false
	}
}

// wrote decides what a consumer's message is: a word to the agent, an answer to
// the survey, or the beginning of the next conversation.
func (s *State) wrote(in message.Inbound, at time.Time) {
	switch {
	case s.Stage == Closed, s.Leaving:
		s.Pending = append(s.Pending, in)
	case s.Stage == Closing && s.cloudAsks():
		s.relay(in, at)
	case s.Stage == Closing:
		asked := s.Survey.Asking
		if s.answer(in, at) {
			s.note(at, in.ID, "answered", "the survey's question for the "+surveyWords[asked])
			return
		}
		s.endSurvey(at)
		s.Pending = append(s.Pending, in)
	default:
		s.publish(in)
		if s.closes(in) {
			s.leave(in.ID, at)
		}
	}
}

// publish queues a consumer's message, after the opening of the conversation
// where there is none yet.
func (s *State) publish(in message.Inbound) {
	if s.Cloud.Conversation == "" && !s.ToCloud.opens() {
		s.ToCloud.push(s.opening(s.openingID(in), Words(in)))
		s.Stage = Opening
	}
	s.say(in, s.Cloud.Conversation)
}

// openingID names the opening that a message causes. A message that met a closed
// conversation causes another one, so the conversation before is part of it.
func (s *State) openingID(in message.Inbound) message.ID {
	before := ""
	if n := len(s.Past); n > 0 {
		before = s.Past[n-1]
	}
	return message.NewID("open", string(in.ID), before)
}

// opens says whether the opening of a conversation for the current stage is queued.
func (l *Lane) opens() bool { return l.has(OpenConversation) }

// closes says whether a message is one of the words that close the conversation, or
// a button with such a word.
func (s *State) closes(in message.Inbound) bool {
	if s.closing(in.Text) {
		return true
	}
	return s.Rules >= 2 && in.Choice != nil && (s.closing(in.Choice.ID) || s.closing(in.Choice.Title))
}

func (s *State) closing(text string) bool {
	text = strings.TrimSpace(text)
	return slices.ContainsFunc(s.Settings.CloseWords, func(w string) bool { return strings.EqualFold(text, w) })
}

// leave closes the conversation on the consumer's wish. cause names the event.
func (s *State) leave(cause message.ID, at time.Time) {
	if s.Leaving || s.Stage == Closed {
		return
	}
	switch {
	case s.Stage == Closing && s.cloudAsks():
		s.leaveSurvey()
	case s.Stage == Closing: // the consumer has had enough of our questions too
		s.endSurvey(at)
	case s.Cloud.Conversation != "" || s.ToCloud.opens():
		s.Leaving = true
		c := Command{ID: message.NewID("close", string(cause)), Kind: Close, Conversation: s.Cloud.Conversation}
		if s.cloudAsks() {
			c.Way = WayDialog
		}
		s.ToCloud.push(c)
	}
}
