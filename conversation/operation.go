package conversation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/message"
)

// OperationKind is something a person may do to a conversation.
type OperationKind string

// The operations.
const (
	CloseNow OperationKind = "close"
	Redrive  OperationKind = "redrive"
	Skip     OperationKind = "skip"
)

// Operation is what a person wants, who it is and why.
type Operation struct {
	Kind    OperationKind `json:"kind"`
	Command message.ID    `json:"command,omitempty"` // of the message; Redrive and Skip
	By      string        `json:"by"`
	Reason  string        `json:"reason,omitempty"`
}

// Errors of Allows, worded for the person who asked.
var (
	errNobody   = errors.New("say who you are: `by` is empty")
	errNoReason = errors.New("say why: `reason` is empty")
	errNotOpen  = errors.New("there is no open conversation to close")
	errUnderWay = errors.New("the message is being sent at this moment: try again when it has come back")
	errOptedOut = errors.New("the consumer has opted out: it can be sent again once they have opted in")
)

// ErrNoMessage is what Redrive and Skip answer for a message that is not here.
var ErrNoMessage = errors.New("no parked or dead message has this ID")

// Allows says why an operation cannot be carried out now; nil when it can. It
// changes nothing.
func (s *State) Allows(o Operation) error {
	if o.By == "" {
		return errNobody
	}
	switch o.Kind {
	case CloseNow:
		if s.Stage != Open || s.Leaving {
			return errNotOpen
		}
		return nil
	case Skip:
		if o.Reason == "" {
			return errNoReason
		}
		return s.reachable(o.Command)
	case Redrive:
		if i := s.dead(o.Command); i >= 0 && s.OptedOut && s.Dead[i].Kind == Deliver {
			return errOptedOut
		}
		return s.reachable(o.Command)
	}
	return fmt.Errorf("unknown operation %q", o.Kind)
}

// reachable says whether a message waits in a lane or is among the dead letters.
func (s *State) reachable(id message.ID) error {
	for _, l := range [...]*Lane{&s.ToCloud, &s.ToChannel} {
		for i := range l.Queue {
			if l.Queue[i].ID != id {
				continue
			}
			if i < l.Flying {
				return errUnderWay
			}
			return nil
		}
	}
	if s.dead(id) < 0 {
		return ErrNoMessage
	}
	return nil
}

func (s *State) dead(id message.ID) int {
	return slices.IndexFunc(s.Dead, func(c Command) bool { return c.ID == id })
}

// operated carries an operation out. Allows has said that it can be; what changed
// since makes it do nothing.
func (s *State) operated(o Operation, at time.Time) {
	if s.Allows(o) != nil {
		return
	}
	s.note(at, o.Command, string(o.Kind), o.By+": "+o.Reason)
	switch o.Kind {
	case CloseNow:
		s.leave(message.NewID("operator", s.Cloud.Conversation), at)
	case Redrive:
		s.redrive(o.Command, at)
	case Skip:
		s.skip(o.Command)
	}
}

// redrive puts a dead message back at the end of its lane, under its old ID, or
// lets a waiting one go at once.
func (s *State) redrive(id message.ID, at time.Time) {
	if i := s.dead(id); i >= 0 {
		c := s.Dead[i]
		s.Dead = slices.Delete(s.Dead, i, i+1)
		clicked := c.Metadata != nil && c.Conversation == s.Cloud.Conversation && s.Stage == Open && !s.Leaving
		if c.speaks() && c.Source != nil && !clicked {
			s.republish(*c.Source)
			return
		}
		c.Bury, c.Code, c.Again = "", "", true
		s.lane(c.Lane()).push(c)
		return
	}
	for _, l := range [...]*Lane{&s.ToCloud, &s.ToChannel} {
		if i := l.find(id); i >= 0 {
			l.Queue[i].Again = true
			l.rested()
		}
	}
}

// republish sends a consumer's message in the current conversation, or the next.
func (s *State) republish(in message.Inbound) {
	if s.Stage == Closed || s.Stage == Closing || s.Leaving {
		s.Pending = append(s.Pending, in)
		return
	}
	s.publish(in)
}

// skip drops a message for good.
func (s *State) skip(id message.ID) {
	if i := s.dead(id); i >= 0 {
		s.Dead = slices.Delete(s.Dead, i, i+1)
		return
	}
	for _, l := range [...]*Lane{&s.ToCloud, &s.ToChannel} {
		if i := l.find(id); i >= 0 {
			l.drop(i)
		}
	}
}

// Lane says on which lane a command belongs.
func (c *Command) Lane() LaneName {
	switch c.Kind {
	case Deliver, Ask, Tell:
		return ChannelLane
	}
	return CloudLane
}
