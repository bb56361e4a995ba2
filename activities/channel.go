package activities

import (
	"context"

	"parley/channels"
	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// ToChannel carries a batch of the lane agent → consumer. A failure of the other
// side is a result, not an error: the rules decide how long to wait.
func (a *Activities) ToChannel(ctx context.Context, in Batch) (Returned, error) {
	channel, ok := a.Channels[in.Address.Channel]
	if !ok {
		return Returned{Stop: stop(&fault.Error{Class: fault.Denied, Op: "to channel", Err: errUnknownChannel}), Unnoted: true}, nil
	}
	if err := a.noted(ctx, in.Notes); err != nil {
		return Returned{Stop: stop(err), Unnoted: true}, nil
	}
	return a.returns(conversation.ChannelLane, a.run(ctx, in.Commands, &channelSender{a, channel, in}))
}

// channelSender does commands of one batch on one channel.
type channelSender struct {
	*Activities
	channel Channel
	in      Batch
}

func (s *channelSender) send(ctx context.Context, c *conversation.Command) (message.Outcome, error) {
	out, err := s.outbound(ctx, c)
	if err != nil {
		return message.Outcome{}, err
	}
	sent, err := s.channel.Adapter.Send(ctx, out)
	return message.Outcome{
		Account: s.in.Account, Conversation: c.Conversation, Dialog: c.Dialog, Sequence: -1, Refs: sent.Refs, Parts: sent.Parts,
	}, err
}

// outbound is a command in the highest form that the channel can carry.
func (s *channelSender) outbound(ctx context.Context, c *conversation.Command) (message.Outbound, error) {
	out := message.Outbound{ID: c.ID, To: s.in.Address, Reply: s.in.Reply, Done: c.Done}
	if c.File != nil {
		return s.withFile(ctx, c, out)
	}
	out.Kind, out.Text, out.Choices, out.Blocks = channels.Ladder(s.channel.Adapter.Limits(), c.Text, c.Choices, c.Blocks)
	return out, nil
}

// confirm asks what the channel can prove: one that drops repeats needs no proof,
// one that gives our ID back in its receipts has had the time to.
func (s *channelSender) confirm(ctx context.Context, c *conversation.Command, e message.Entry) (verdict, error) {
	limits := s.channel.Adapter.Limits()
	if limits.Idempotent {
		return verdict{safe: true}, nil
	}
	if c.File != nil { // it is kept before it is sent
		if _, found, err := s.Store.FileOf(ctx, c.ID); err != nil || (!found && marked(e) == "") {
			return verdict{safe: true}, err
		}
	}
	out := message.Outcome{Account: s.in.Account, Conversation: c.Conversation, Dialog: c.Dialog, Sequence: -1}
	if limits.Correlated && s.channel.Uncertain != Resend {
		_, found, err := s.Store.Echo(ctx, s.in.Address.Channel, c.ID, "", nil, e.Since)
		if err != nil {
			return verdict{}, err
		}
		if found {
			return verdict{outcome: &out}, nil
		}
		if wait := s.Grace - e.Age; wait > 0 {
			return verdict{wait: wait}, nil
		}
	}
	return verdict{park: s.channel.Uncertain == Park}, nil
}

func (s *channelSender) sees(*conversation.Command, message.Outcome) {}

func (s *channelSender) bury(c *conversation.Command) message.DeadLetter {
	return buried(c, s.in, "cloud/"+s.in.Account)
}
