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

// CodeAlreadyOpen and CodePark are the two codes that rules look at: a
// CONVERSATION refused because there is one, and an uncertain send that its
// channel wants a person to decide.
const (
	CodeAlreadyOpen = "already-open"
	CodePark        = "park"
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
	case Publish, Acknowledge:
		s.seen(c.Dialog, r.Sequence)
	case Deliver:
		s.delivered(c, r)
	case Close:
		if c.Conversation == s.Cloud.Conversation {
			s.closed("CONSUMER", at)
		}
	case Ask, Rate:
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
}{{message.Failed, "NACK"}, {message.Delivered, "ACCEPT"}, {message.Read, "READ"}}

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
	if rank(state) <= rank(d.State) || (state == message.Failed && d.State != "") {
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
	switch stop.Class {
	case fault.Gone:
		s.gone(l, head, stop, at)
	case fault.Rejected:
		s.refuse(l, head, stop, at)
	default:
		l.Attempts++
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
	if l.Attempts >= waitingAfter && (head.Kind == Acknowledge || head.Kind == Rate) {
		l.pop(1)
		l.push(head)
	}
}

// refuse makes a command that can never succeed a dead letter. Nothing a consumer
// or an agent wrote is in the others: they are dropped.
func (s *State) refuse(l *Lane, head *Command, stop Stop, at time.Time) {
	reason, attempts := fmt.Sprintf("%s: %s", stop.Class, stop.Text), l.Attempts+1
	switch head.Kind {
	case Publish, Deliver:
		head.Bury, head.Code, head.Attempts = reason, stop.Code, attempts
	case OpenConversation:
		l.pop(1)
		s.unopened(reason, stop.Code, attempts, at)
	case Close:
		l.pop(1)
		s.stay(at)
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
		if c.Conversation == "" && c.Kind == Close {
			continue
		}
		if c.Conversation == "" && c.Kind == Publish {
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

// gone is a command whose other side is no longer there.
func (s *State) gone(l *Lane, head *Command, stop Stop, at time.Time) {
	switch head.Kind {
	case Publish:
		s.rehome(head.Conversation, at)
	case Deliver, Ask:
		s.optedOut(l)
	case OpenConversation: // there is one: its notification, or the next attempt, will tell which
		l.Attempts++
		l.Due = at.Add(patience(Stop{Class: fault.Transient}, l.Attempts))
	case Close:
		conversation := head.Conversation
		l.pop(1)
		l.rested()
		if conversation == s.Cloud.Conversation {
			s.closed("CONSUMER", at)
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
	s.note(at, l.Queue[0].ID, "closed", "the conversation was closed when a message arrived: it goes to a new one")
	if closed != s.Cloud.Conversation && s.Stage != Closed {
		for i := range l.Queue {
			if c := &l.Queue[i]; c.Kind == Publish && c.Conversation == closed {
				c.Conversation, c.Dialog = s.Cloud.Conversation, s.Cloud.Conversation
			}
		}
		if s.Cloud.Conversation == "" {
			s.openFirst()
		}
		return
	}
	if s.Stage == Closing {
		s.endSurvey(at)
	}
	s.passed(closed)
	s.Stage, s.Leaving = Closed, false
	var kept []Command
	var moved []message.Inbound
	for _, c := range l.Queue {
		switch {
		case c.Kind == Publish && c.Bury == "" && c.Source != nil:
			moved = append(moved, *c.Source)
		case c.Kind == Close: // it has happened
		default:
			kept = append(kept, c)
		}
	}
	l.Queue = kept
	s.Pending = append(moved, s.Pending...)
}

// openFirst has the next conversation opened before what waits at the head of the
// lane: it has nowhere else to go.
func (s *State) openFirst() {
	l := &s.ToCloud
	open := Command{ID: message.NewID("open", string(l.Queue[0].ID), s.Past[len(s.Past)-1]), Kind: OpenConversation}
	if i := l.queuedOpen(); i >= 0 {
		open = l.Queue[i]
		l.Queue = slices.Delete(l.Queue, i, i+1)
	}
	l.Queue = slices.Insert(l.Queue, 0, open)
}

// optedOut buries what is queued for a consumer who does not want it.
func (s *State) optedOut(l *Lane) {
	s.OptedOut = true
	kept := slices.Clone(l.Queue[:l.Flying])
	for _, c := range l.Queue[l.Flying:] {
		if c.Kind == Ask {
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
