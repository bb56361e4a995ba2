package conversation

import (
	"fmt"
	"slices"
	"time"

	"parley/fault"
	"parley/message"
)

// Result is what became of one command of a batch that got through.
type Result struct {
	Command      message.ID `json:"command"`
	Conversation string     `json:"conversation,omitempty"` // of an opening, or of what was published
	Sequence     int        `json:"sequence"`               // -1 when there is none
	Refs         []string   `json:"refs,omitempty"`         // the provider's names of what was delivered
	Note         string     `json:"note,omitempty"`         // as in message.Outcome
}

// Stop is why a batch ended before its last command. It speaks of the first
// command without a result.
type Stop struct {
	Class fault.Class   `json:"class"`
	Code  string        `json:"code,omitempty"`
	Text  string        `json:"text,omitempty"` // the operation and the cause, nothing a consumer wrote
	After time.Duration `json:"after,omitempty"`
	Done  int           `json:"done,omitempty"` // parts of that command that got through
}

// The codes that rules look at: a CONVERSATION refused because there is one, an
// uncertain send that its channel wants a person to decide, and a send that was not
// tried because the account answers nobody just now.
const (
	CodeAlreadyOpen = "already-open"
	CodePark        = "park"
	CodeNotTried    = "not-tried"
)

// returned applies the outcome of a batch: the commands that are done leave the
// lane, the one that was not is judged by the class of its failure.
func (s *State) returned(e Event) {
	l := s.lane(e.Lane)
	l.Flying = 0
	done := 0
	for _, r := range e.Results {
		if done == len(l.Queue) || l.Queue[done].ID != r.Command {
			break
		}
		s.settle(&l.Queue[done], r, e.At)
		done++
	}
	if done > 0 {
		l.pop(done)
		l.rested()
	}
	if e.Stop != nil && len(l.Queue) > 0 {
		s.failed(l, *e.Stop, e.At)
	}
}

// rested forgets the failures of the command that was at the head.
func (l *Lane) rested() { l.Attempts, l.Due, l.Parked = 0, time.Time{}, "" }

// settle is one command that got through.
func (s *State) settle(c *Command, r Result, at time.Time) {
	if r.Note == "again" {
		s.Counts.Uncertain++
		s.note(at, c.ID, "again", "sent again without a confirmation: it may have arrived twice")
	}
	if c.Bury != "" {
		s.buried(c)
		return
	}
	switch c.Kind {
	case OpenConversation:
		s.opened(r.Conversation, at)
	case Publish, PublishFile, Acknowledge:
		s.seen(c.Dialog, r.Sequence)
	case Deliver:
		s.delivered(c, r)
	case Close:
		if c.Conversation == s.Cloud.Conversation {
			s.shut(c.Way, at)
		}
	case Update, Urge, Ask, Rate, Tell:
	}
}

// opened is the answer to CONVERSATION. The commands behind it learn where to go.
func (s *State) opened(conversation string, at time.Time) {
	if s.Cloud.Conversation != "" || conversation == "" {
		return
	}
	s.enter(conversation)
	s.dialog(conversation, 0)
	s.place(at)
}

// buried is a dead letter on record: the lane goes on with the next, and an agent
// whose message it was is told.
func (s *State) buried(c *Command) {
	s.Counts.DeadLetters++
	dead := *c
	s.Dead = append(s.Dead, dead)
	s.forgetDead()
	if c.Kind == Deliver {
		s.acknowledge(c.Conversation, c.Dialog, c.Sequence, c.ID, "NACK")
	}
}

// failed judges the command at the head of a lane by the class of its failure.
func (s *State) failed(l *Lane, stop Stop, at time.Time) {
	head := &l.Queue[0]
	head.Done = max(head.Done, stop.Done)
	switch {
	case stop.Class == fault.Rejected, head.ungiven(stop, l.Attempts+1):
		s.refuse(l, head, stop, at)
	case stop.Class == fault.Gone:
		s.gone(l, head, stop, at)
	default:
		// What was not tried makes the waits no longer: an account that is back
		// would be waited for all the same. It only shows the lane as waiting.
		if stop.Code != CodeNotTried || l.Attempts < waitingAfter {
			l.Attempts++
		}
		l.Due = at.Add(patience(stop, l.Attempts))
		l.Parked = ""
		if stop.Class == fault.Denied || stop.Code == CodePark {
			l.Parked = string(stop.Class)
		}
		if l.Attempts == 1 || l.Parked != "" {
			s.note(at, head.ID, string(stop.Class), stop.Text)
		}
		l.yield()
	}
}

// yield lets the messages pass a receipt or a rating that fails again and again:
// it may be the only thing that the other side cannot take.
func (l *Lane) yield() {
	head := l.Queue[0]
	if l.Attempts >= waitingAfter && head.yields() {
		l.pop(1)
		l.push(head)
	}
}

// yields says whether a command may be done later than those behind it. What was
// clicked comes before what is said by it.
func (c *Command) yields() bool {
	switch c.Kind {
	case Acknowledge:
		return c.Status != statusAction
	case Rate, Update, Urge, Tell:
		return true
	}
	return false
}

// refuse makes a command that can never succeed a dead letter. Nothing a consumer
// or an agent wrote is in the others: they are dropped.
func (s *State) refuse(l *Lane, head *Command, stop Stop, at time.Time) {
	reason, attempts := fmt.Sprintf("%s: %s", stop.Class, stop.Text), l.Attempts+1
	switch head.Kind {
	case PublishFile:
		if s.fileRefused(head, stop.Code) {
			break
		}
		head.Bury, head.Code, head.Attempts = reason, stop.Code, attempts
	case Publish, Deliver:
		s.unshow(head.ID)
		head.Bury, head.Code, head.Attempts = reason, stop.Code, attempts
	case OpenConversation:
		l.pop(1)
		s.unopened(reason, stop.Code, attempts, at)
	case Close:
		way := head.Way
		l.pop(1)
		if way == WayStage {
			s.ended(at)
		} else {
			s.stay(at)
		}
	default:
		l.pop(1)
	}
	l.rested()
}

// unopened makes dead letters of the messages whose conversation could not be
// opened. The next message tries again.
func (s *State) unopened(reason, code string, attempts int, at time.Time) {
	var kept []Command
	for _, c := range s.ToCloud.Queue {
		if c.Conversation == "" && (c.Kind == Close || c.Kind == Urge) {
			continue
		}
		if c.Conversation == "" && c.speaks() {
			c.Bury, c.Code, c.Attempts = reason, code, attempts
		}
		kept = append(kept, c)
	}
	s.ToCloud.Queue = kept
	s.stay(at)
}

// stay goes on with a conversation that could not be closed, or is open again.
func (s *State) stay(at time.Time) {
	s.Leaving = false
	pending := s.Pending
	s.Pending = nil
	s.resume(pending, at)
}

// resume takes up what was kept for later. Its consent, and where its answers go,
// counted when it came: something newer may have come since.
func (s *State) resume(pending []message.Inbound, at time.Time) {
	for _, in := range pending {
		s.wrote(in, at)
	}
}

// optedOut buries what is queued for a consumer who does not want it.
func (s *State) optedOut(l *Lane) {
	s.OptedOut = true
	kept := slices.Clone(l.Queue[:l.Flying])
	for _, c := range l.Queue[l.Flying:] {
		if c.Kind == Ask || c.Kind == Tell {
			continue
		}
		if c.Bury == "" {
			c.Bury = "consumer opted out"
		}
		kept = append(kept, c)
	}
	l.Queue = kept
	if l.Flying == 0 {
		l.rested()
	}
}
