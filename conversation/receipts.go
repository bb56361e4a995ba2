package conversation

import (
	"slices"

	"parley/message"
)

// Delivery is an agent's message that the channel has taken, until its receipts
// have come.
type Delivery struct {
	Command      message.ID           `json:"command"`
	Conversation string               `json:"conversation,omitempty"`
	Dialog       string               `json:"dialog,omitempty"`
	Sequence     int                  `json:"sequence"`
	Refs         []string             `json:"refs,omitempty"`
	State        message.ReceiptState `json:"state,omitempty"`
}

// delivered queues what the cloud is to hear of an agent's message, at once where
// the channel will say nothing more about it.
func (s *State) delivered(c *Command, r Result) {
	s.Sent = append(s.Sent, Delivery{
		Command: c.ID, Conversation: c.Conversation, Dialog: c.Dialog, Sequence: c.Sequence, Refs: r.Refs,
	})
	if n := len(s.Sent); n > keepSent {
		s.Sent = append([]Delivery(nil), s.Sent[n-keepSent:]...)
	}
	d := &s.Sent[len(s.Sent)-1]
	if !s.Settings.Receipts {
		s.report(d, message.Delivered)
	}
	for i := 0; i < len(s.Early); i++ {
		if d.is(&s.Early[i]) {
			s.report(d, s.Early[i].State)
			s.Early = slices.Delete(s.Early, i, i+1)
			i--
		}
	}
}

// receipt is the channel's word on an agent's message. It may come before the
// batch that carries the message is back: it is kept for then.
func (s *State) receipt(in message.Inbound) {
	if in.Receipt == nil {
		return
	}
	for i := len(s.Sent) - 1; i >= 0; i-- {
		if s.Sent[i].is(in.Receipt) {
			s.report(&s.Sent[i], in.Receipt.State)
			return
		}
	}
	if len(s.ToChannel.Queue) == 0 {
		return
	}
	s.Early = append(s.Early, *in.Receipt)
	if len(s.Early) > keepEarly {
		s.Early = slices.Delete(s.Early, 0, 1)
	}
}

func (d *Delivery) is(r *message.Receipt) bool {
	if r.Message != "" {
		return d.Command == r.Message
	}
	for _, ref := range d.Refs {
		if ref == r.Ref {
			return true
		}
	}
	return false
}

// statuses are the cloud's words for the states of a receipt.
var statuses = [...]struct {
	state  message.ReceiptState
	status string
}{{message.Failed, "NACK"}, {message.Delivered, "ACCEPT"}, {message.Read, "READ"}, {message.Opened, "ACCESS"}}

// rank orders receipt states: they only grow.
func rank(state message.ReceiptState) int {
	for i := range statuses {
		if statuses[i].state == state {
			return i + 1
		}
	}
	return 0
}

// report queues a delivery's new state for the cloud, unless it is not news.
func (s *State) report(d *Delivery, state message.ReceiptState) {
	if rank(state) <= rank(d.State) || (state == message.Failed && d.State != "") || (state == message.Opened && s.Rules < 2) {
		return
	}
	d.State = state
	s.acknowledge(d.Conversation, d.Dialog, d.Sequence, d.Command, statuses[rank(state)-1].status)
}

// acknowledge queues an accept status, merged with the last in the queue where
// that says the same of the same dialog. A dialog without a sequence has nothing
// to acknowledge.
func (s *State) acknowledge(conversation, dialog string, sequence int, of message.ID, status string) {
	if sequence < 0 || dialog == "" {
		return
	}
	if n := len(s.ToCloud.Queue); n > s.ToCloud.Flying {
		last := &s.ToCloud.Queue[n-1]
		if last.Kind == Acknowledge && last.Dialog == dialog && last.Status == status && len(last.Sequences) < batchCommands {
			last.Sequences = append(last.Sequences, sequence)
			return
		}
	}
	s.ToCloud.push(Command{
		ID: message.NewID("acknowledge", string(of), status), Kind: Acknowledge,
		Conversation: conversation, Dialog: dialog, Status: status, Sequences: []int{sequence},
	})
}
