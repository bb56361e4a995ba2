package api

import (
	"context"
	"strconv"
	"time"

	"parley/channels"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// statusRead is what agents' clients report when a consumer's message was seen.
const statusRead = "READ"

// fromChannel passes on what a channel's webhook says about consumers' presence. A
// message ends typing. Under strain only what this process has switched on is
// switched off.
func (p *Presence) fromChannel(got channels.Received, strained bool) {
	if p == nil {
		return
	}
	for _, in := range got.Events {
		if in.Kind == message.Wrote {
			p.consumerTypes(message.Presence{Address: in.Address}, false, strained)
		}
	}
	for _, pr := range got.Presence {
		p.consumerTypes(pr, true, strained)
	}
}

// consumerTypes tells agents; said is false where the end of typing only follows.
func (p *Presence) consumerTypes(pr message.Presence, said, strained bool) {
	account := p.AccountOf[pr.Address.Channel]
	lane := p.accounts[account]
	if lane == nil {
		return
	}
	key := pr.Address.Channel + "/" + pr.Address.Consumer
	tell := func(state string, must bool) func() bool {
		return func() bool {
			return lane.submit(job{key: key, at: time.Now(), must: must, do: func(ctx context.Context) error {
				return p.tellCloud(ctx, account, pr.Address, state)
			}})
		}
	}
	said = said && !strained
	switch {
	case pr.Typing && strained:
		lane.count("shed")
	case pr.Typing:
		p.on(key, tell(liveperson.Composing, false), tell(liveperson.Pause, true))
	default:
		p.off(key, said, tell(liveperson.Pause, true))
	}
}

// tellCloud does nothing for a consumer without an open conversation: nobody looks.
func (p *Presence) tellCloud(ctx context.Context, account string, a message.Address, state string) error {
	key := openKey{account, a}
	conversation, found, err := p.open.get(key, func() (string, bool, error) {
		conversation, _, found, err := p.Directory.OpenConversation(ctx, account, a)
		return conversation, found, err
	})
	if err != nil || !found || p.deaf.has(conversationKey{account, conversation}) {
		return err
	}
	err = p.Accounts[account].ChatState(ctx, liveperson.ChatState{
		Consumer: p.ExternalID(a), Conversation: conversation, State: state,
	})
	if err != nil {
		p.open.forget(key) // it may have ended
	}
	if class := fault.ClassOf(err); class == fault.Rejected || class == fault.Gone {
		p.deaf.put(conversationKey{account, conversation}, true, deafFor)
	}
	return err
}

// deafFor is how long a conversation is left alone that has refused a chat state,
// and surveyed how long one whose MAIN dialog is over: its survey takes none.
//
// Source: the vendor's demo application.
const (
	deafFor  = time.Minute
	surveyed = time.Hour
)

// changed learns from a snapshot whether a conversation takes chat states.
func (p *Presence) changed(where conversationKey, c *liveperson.Change) {
	if c.Open() && !c.MainOpen() {
		p.deaf.put(where, true, surveyed)
	} else {
		p.deaf.forget(where)
	}
}

// fromCloud passes on what agents do: heard holds events of
// agents, and snapshots. Under
// strain it does no more than fromChannel.
func (p *Presence) fromCloud(account string, heard []liveperson.Event, strained bool) {
	if p == nil {
		return
	}
	for _, e := range heard {
		where := conversationKey{account, e.Conversation}
		if e.Kind == liveperson.KindChange {
			p.changed(where, e.Change)
		}
		if len(p.channels) == 0 {
			continue
		}
		typing := e.Kind == liveperson.KindChatState && e.ChatState == liveperson.Composing
		read := e.Kind == liveperson.KindAccept && e.Status == statusRead
		switch {
		case strained && (typing || read):
			p.lookups.count("shed")
		case e.Kind == liveperson.KindChatState:
			p.agentTypes(where, typing, !strained)
		case e.Kind == liveperson.KindContent:
			p.agentTypes(where, false, false)
		case read:
			p.agentRead(where, e.Dialog, e.Sequences)
		}
	}
}

// agentTypes shows the consumer that an agent types, or no longer does.
func (p *Presence) agentTypes(where conversationKey, typing, said bool) {
	key := "agent/" + where.account + "/" + where.conversation
	show := func(typing bool) func() bool {
		return func() bool {
			return p.lookups.submit(job{key: key, at: time.Now(), must: !typing, do: func(ctx context.Context) error {
				return p.signal(ctx, where, time.Now(), message.Outbound{Kind: message.Typing, Typing: typing})
			}})
		}
	}
	if typing {
		p.on(key, show(true), show(false))
	} else {
		p.off(key, said, show(false))
	}
}

// agentRead marks the consumer's messages as read. An agent may be faster than the
// record of where a message was published: it is looked for twice.
func (p *Presence) agentRead(where conversationKey, dialog string, sequences []int) {
	at := time.Now()
	look := func(again func()) func() {
		return func() {
			p.lookups.submit(job{key: "read/" + where.conversation, at: time.Now(), do: func(ctx context.Context) error {
				refs, err := p.Directory.Refs(ctx, where.account, dialog, sequences)
				if err == nil && len(refs) == 0 {
					again()
				}
				if err != nil || len(refs) == 0 {
					return err
				}
				return p.signal(ctx, where, at, message.Outbound{Kind: message.ReadMark, Refs: refs})
			}})
		}
	}
	second := look(func() {})
	look(func() { p.soon(second) })()
}

// soon does something at a sweep after againAfter, if there is room.
func (p *Presence) soon(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.later) >= mostLater || p.stopped {
		p.lookups.count("dropped")
		return
	}
	p.later = append(p.later, later{due: time.Now().Add(againAfter), do: do})
}

// signal finds out where a conversation lives and leaves the rest to that
// channel's lane.
func (p *Presence) signal(ctx context.Context, where conversationKey, at time.Time, out message.Outbound) error {
	to, found, err := p.addresses.get(where, func() (place, bool, error) { return p.place(ctx, where) })
	if err != nil || !found {
		return err
	}
	lane, adapter := p.channels[to.address.Channel], p.Channels[to.address.Channel]
	if lane == nil {
		return nil // the channel shows no presence
	}
	out.To, out.Reply = to.address, to.reply
	lane.submit(job{
		key: where.account + "/" + where.conversation + "/" + strconv.FormatBool(out.Kind == message.Typing),
		at:  at, must: out.Kind == message.Typing && !out.Typing,
		do: func(ctx context.Context) error { return adapter.(channels.Signaller).Signal(ctx, out) },
	})
	return nil
}

func (p *Presence) place(ctx context.Context, where conversationKey) (place, bool, error) {
	address, found, err := p.Directory.Address(ctx, where.account, where.conversation)
	if err != nil || !found {
		return place{}, false, err
	}
	reply, err := p.Directory.Reply(ctx, address)
	return place{address, reply}, err == nil, err
}
