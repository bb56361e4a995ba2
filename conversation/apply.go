package conversation

import (
	"slices"
	"strconv"
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
	if !in.Profile.Empty() {
		s.Profile = in.Profile
	}
	s.consent(in.Consent, at)
	switch in.Kind {
	case message.Receipts:
		s.receipt(in)
	case message.Closed:
		s.leave(in.ID, at)
	case message.Wrote:
		s.wrote(in, at)
	case message.Consent:
	}
}

// consent takes effect at once, also on what is queued and on our questions.
func (s *State) consent(c message.ConsentChange, at time.Time) {
	switch c {
	case message.OptedOut:
		if s.Stage == Closing {
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
		if s.closes(in.Text) {
			s.leave(in.ID, at)
		}
	}
}

// publishLimit is the longest text the cloud is given in one message, in
// characters. The limit is not documented; 8000 is assumed (liveperson.md §5.2).
const publishLimit = 8000

// publish queues a consumer's message, after the opening of the conversation
// where there is none yet.
func (s *State) publish(in message.Inbound) {
	if s.Cloud.Conversation == "" && !s.ToCloud.opens() {
		s.ToCloud.push(Command{ID: s.openingID(in), Kind: OpenConversation})
		s.Stage = Opening
	}
	s.Counts.Inbound++
	parts := pieces(Words(in), publishLimit)
	if len(parts) > 1 {
		in.Text, in.Choice, in.Attachments = parts[0], nil, nil
	}
	for i, text := range parts {
		c := Command{
			ID: in.ID, Kind: Publish, Conversation: s.Cloud.Conversation, Dialog: s.Cloud.Conversation,
			Number: s.Counts.Inbound, Text: text, Ref: in.Ref,
		}
		c.Source = &in
		if i > 0 { // a part finds its way by itself: those before it may be through
			c.ID = partID(in.ID, i)
			c.Source = &message.Inbound{Kind: in.Kind, ID: c.ID, Address: in.Address, At: in.At, Text: text}
		}
		s.ToCloud.push(c)
	}
}

func partID(id message.ID, i int) message.ID {
	if i == 0 {
		return id
	}
	return message.NewID(string(id), strconv.Itoa(i))
}

// Parts returns the IDs under which a consumer's message is published: its own and,
// where its text is too long for one message, those of the parts that follow.
func Parts(in message.Inbound) []message.ID {
	ids := make([]message.ID, len(pieces(Words(in), publishLimit)))
	for i := range ids {
		ids[i] = partID(in.ID, i)
	}
	return ids
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

// Words is what an inbound message says in plain text: the text, the title of the
// answer that was taken, and a line for each attachment.
func Words(in message.Inbound) string {
	var lines []string
	switch {
	case in.Text != "":
		lines = append(lines, in.Text)
	case in.Choice != nil && in.Choice.Title != "":
		lines = append(lines, in.Choice.Title)
	case in.Choice != nil:
		lines = append(lines, in.Choice.ID)
	}
	for _, a := range in.Attachments {
		lines = append(lines, "["+strings.TrimSpace(strings.Join([]string{first(a.Kind, "file"), a.Name, a.MIME}, " "))+"]")
	}
	if len(lines) == 0 {
		return "[empty message]"
	}
	return strings.Join(lines, "\n")
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// pieces cuts a text into parts of at most limit characters, at white space where
// there is some in the second half of a part.
func pieces(text string, limit int) []string {
	runes := []rune(text)
	var out []string
	for len(runes) > limit {
		cut := limit
		for i := limit; i > limit/2; i-- {
			if runes[i] == ' ' || runes[i] == '\n' {
				cut = i
				break
			}
		}
		out = append(out, string(runes[:cut]))
		runes = runes[cut:]
	}
	return append(out, string(runes))
}

// closes says whether a text is one of the words that close the conversation.
func (s *State) closes(text string) bool {
	text = strings.TrimSpace(text)
	for _, w := range s.Settings.CloseWords {
		if strings.EqualFold(text, w) {
			return true
		}
	}
	return false
}

// leave closes the conversation on the consumer's wish. cause names the event.
func (s *State) leave(cause message.ID, at time.Time) {
	if s.Leaving || s.Stage == Closed {
		return
	}
	switch {
	case s.Stage == Closing: // the consumer has had enough of our questions too
		s.endSurvey(at)
	case s.Cloud.Conversation != "" || s.ToCloud.opens():
		s.Leaving = true
		s.ToCloud.push(Command{ID: message.NewID("close", string(cause)), Kind: Close, Conversation: s.Cloud.Conversation})
	}
}
