package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/conversation"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

var (
	errEcho    = errors.New("it may have arrived: waiting for its echo")
	errPark    = errors.New("it may have arrived, and the channel's policy leaves it to a person")
	errNoPlace = errors.New("there is no conversation to publish to")
)

// ToCloud carries a batch of the lane consumer → cloud. A failure of the other
// side is a result, not an error: the rules decide how long to wait.
func (a *Activities) ToCloud(ctx context.Context, in Batch) (Returned, error) {
	cloud, ok := a.Clouds[in.Account]
	if !ok {
		return Returned{Stop: stop(&fault.Error{Class: fault.Denied, Op: "to cloud", Err: errUnknownAccount}), Unnoted: true}, nil
	}
	if err := a.noted(ctx, in.Notes); err != nil {
		return Returned{Stop: stop(err), Unnoted: true}, nil
	}
	return a.returns(conversation.CloudLane, a.run(ctx, in.Commands, &cloudSender{a, cloud, in, ""}))
}

func (a *Activities) noted(ctx context.Context, notes []message.Note) error {
	if len(notes) == 0 {
		return nil
	}
	if err := a.Store.Note(ctx, notes); err != nil {
		return err
	}
	a.missed(ctx, notes)
	return nil
}

// cloudSender does commands of one batch at one account.
type cloudSender struct {
	*Activities
	cloud        Cloud
	in           Batch
	conversation string // that this batch has opened
}

// place returns where a command goes: its own conversation, else the one that was
// opened before it in this batch.
func (s *cloudSender) place(c *conversation.Command) (conv, dialog string) {
	conv, dialog = c.Conversation, c.Dialog
	if conv == "" {
		conv = s.conversation
	}
	if dialog == "" {
		dialog = conv
	}
	return conv, dialog
}

// sees learns from an opening where the messages behind it go.
func (s *cloudSender) sees(c *conversation.Command, o message.Outcome) {
	if c.Kind == conversation.OpenConversation {
		s.conversation = o.Conversation
	}
}

func (s *cloudSender) send(ctx context.Context, c *conversation.Command) (message.Outcome, error) {
	conv, dialog := s.place(c)
	if c.Kind == conversation.OpenConversation {
		return s.open(ctx, c.Route)
	}
	if conv == "" {
		return message.Outcome{}, &fault.Error{Class: fault.Rejected, Op: string(c.Kind), Err: errNoPlace}
	}
	out := message.Outcome{Account: s.in.Account, Conversation: conv, Dialog: dialog, Sequence: -1, Ref: c.Ref}
	switch c.Kind {
	case conversation.Publish:
		got, err := s.cloud.Publish(ctx, liveperson.Publish{
			Consumer: s.in.Consumer, Conversation: conv, Dialog: dialog, Text: c.Text, ExternalID: string(c.ID), Metadata: c.Metadata,
		})
		if fault.ClassOf(err) == fault.Gone {
			s.over(ctx, conv)
		}
		out.Sequence = got.Sequence
		return out, err
	case conversation.PublishFile:
		got, err := s.publishFile(ctx, c, conv, dialog)
		if fault.ClassOf(err) == fault.Gone {
			s.over(ctx, conv)
		}
		out.Sequence = got.Sequence
		return out, err
	case conversation.Acknowledge:
		got, err := s.cloud.Accept(ctx, liveperson.Accept{
			Consumer: s.in.Consumer, Conversation: conv, Dialog: dialog, Status: c.Status, Sequences: c.Sequences, Metadata: c.Metadata,
		})
		out.Sequence = got.Sequence
		return out, err
	case conversation.Update:
		return out, s.cloud.SetProfile(ctx, liveperson.SetProfile{Consumer: s.in.Consumer, Profile: profile(s.in.Profile)})
	case conversation.Urge:
		return out, s.cloud.Urge(ctx, liveperson.Urge{Consumer: s.in.Consumer, Conversation: conv, Urgency: c.Urgency})
	case conversation.Close:
		err := s.cloud.Close(ctx, liveperson.Close{Consumer: s.in.Consumer, Conversation: conv, Dialog: dialog, Way: c.Way})
		if (err == nil && c.Way != conversation.WayDialog) || fault.ClassOf(err) == fault.Gone {
			s.over(ctx, conv)
		}
		return out, err
	case conversation.Rate:
		return out, s.rate(ctx, c, conv)
	}
	return out, fault.New(fault.Rejected, "to cloud", "%s is no command for the cloud", c.Kind)
}

func (s *cloudSender) opened(ctx context.Context, conv string) (message.Outcome, error) {
	err := persist(ctx, func(ctx context.Context) error {
		_, err := s.Store.Bind(ctx, s.in.Account, conv, s.in.Address)
		return err
	})
	if err != nil { // its first notification will bind it
		return message.Outcome{}, &fault.Error{Class: fault.Uncertain, Op: "bind", Err: err}
	}
	return message.Outcome{Account: s.in.Account, Conversation: conv, Dialog: conv, Sequence: -1}, nil
}

// over remembers that a conversation takes nothing more. It is a hint for
// presence and for a later opening; a failure is no reason to stop.
func (s *cloudSender) over(ctx context.Context, conv string) {
	if err := s.Store.Ended(ctx, s.in.Account, conv); err != nil {
		s.Log.WarnContext(ctx, "the end of a conversation was not recorded", "conversation", conv, "err", err)
	}
}

func (s *cloudSender) rate(ctx context.Context, c *conversation.Command, conv string) error {
	err := s.cloud.Rate(ctx, liveperson.Rate{
		Consumer: s.in.Consumer, Conversation: conv, CSAT: c.CSAT, Resolved: c.Resolved, Status: c.Status,
	})
	if err != nil {
		return err
	}
	s.over(ctx, conv)
	return s.Store.Rate(ctx, message.Rating{
		Account: s.in.Account, Conversation: conv, Address: s.in.Address,
		CSAT: c.CSAT, Resolved: c.Resolved, Status: c.Status, At: time.Now(),
	})
}

// confirm looks for the echo of a publish, or for the notification of a
// conversation that we opened. The others do no harm when they are repeated.
func (s *cloudSender) confirm(ctx context.Context, c *conversation.Command, e message.Entry) (verdict, error) {
	conv, dialog := s.place(c)
	out := message.Outcome{Account: s.in.Account, Conversation: conv, Dialog: dialog, Sequence: -1, Ref: c.Ref}
	var found bool
	var err error
	switch c.Kind {
	case conversation.Publish:
		out.Sequence, found, err = s.Store.Echo(ctx, s.in.Account, c.ID, dialog, message.TextDigest(c.Text), e.Since)
	case conversation.PublishFile:
		out.Sequence, found, err = s.Store.Echo(ctx, s.in.Account, c.ID, dialog, nil, e.Since)
	case conversation.OpenConversation:
		out.Conversation, found, err = s.openedSince(ctx, e.Since)
		out.Dialog = out.Conversation
	default:
		return verdict{safe: true}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	if found {
		return verdict{outcome: &out}, nil
	}
	if c.Kind == conversation.PublishFile && e.Outcome.Parts == 0 && marked(e) == "" {
		return verdict{safe: true}, nil // it came no further than to the store: nobody has seen it
	}
	// A second CONVERSATION is refused while the first is open: it cannot double.
	return verdict{wait: s.Grace - e.Age, safe: c.Kind == conversation.OpenConversation}, nil
}

func (s *cloudSender) openedSince(ctx context.Context, since time.Time) (string, bool, error) {
	conv, bound, found, err := s.Store.OpenConversation(ctx, s.in.Account, s.in.Address)
	return conv, found && !bound.Before(since.Add(-time.Second)), err
}

func (s *cloudSender) bury(c *conversation.Command) message.DeadLetter {
	return buried(c, s.in, "channel/"+s.in.Address.Channel)
}

// buried describes a command as a dead letter, with all that is needed to put it
// back on its way.
func buried(c *conversation.Command, in Batch, source string) message.DeadLetter {
	body, err := json.Marshal(c)
	if err != nil { // a command is plain data
		body = fmt.Append(nil, err)
	}
	return message.DeadLetter{
		ID: c.ID, Source: source, Address: in.Address, Account: in.Account, Dialog: c.Dialog,
		Reason: c.Bury, Code: c.Code, Body: body, Attempts: c.Attempts,
	}
}
