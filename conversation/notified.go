package conversation

import (
	"fmt"
	"slices"
	"time"

	"parley/message"
)

// Dialog is the order of events in one dialog of the cloud. Contents, accept
// statuses and our own messages share one sequence, so what has been seen of all
// of them says whether an agent's message is the next one.
type Dialog struct {
	ID    string `json:"id"`
	Next  int    `json:"next"`            // every smaller sequence was seen, or given up
	Ahead []int  `json:"ahead,omitempty"` // seen above Next, ascending
	Held  []Held `json:"held,omitempty"`  // waiting for a smaller one, ascending
}

// Held is an agent's message that waits for the one before it.
type Held struct {
	Until        time.Time            `json:"until"`
	Notification message.Notification `json:"notification"`
}

// NoteGap is the line of the journal for sequences that were waited for in vain.
const NoteGap = "gap"

// keepDialogs bounds how many dialogs' order is remembered.
const keepDialogs = 8

func (s *State) notified(n *message.Notification, at time.Time) {
	switch n.Kind {
	case message.Conversation:
		s.changed(n, at)
	case message.AgentSaw:
		s.noteMetadata(n, at)
		s.seen(n.Dialog, n.Sequence)
	case message.AgentWrote:
		s.noteMetadata(n, at)
		s.agentWrote(n, at)
	}
}

// dialog returns the order of a dialog. One that we opened ourselves starts at 0;
// of one we come to later, the first sequence we see counts as the next. One that
// speaks while an opening is under way is most likely the one being opened.
func (s *State) dialog(id string, sequence int) *Dialog {
	for i := range s.Dialogs {
		if s.Dialogs[i].ID == id {
			return &s.Dialogs[i]
		}
	}
	if !s.known(id) && (s.ToCloud.opens() || s.surveys(id)) {
		sequence = 0
	}
	s.Dialogs = append(s.Dialogs, Dialog{ID: id, Next: sequence})
	if len(s.Dialogs) > keepDialogs && len(s.Dialogs[0].Held) == 0 {
		s.Dialogs = slices.Delete(s.Dialogs, 0, 1)
	}
	return &s.Dialogs[len(s.Dialogs)-1]
}

// surveys says whether a dialog is most likely that of the current conversation's
// survey, which counts from 0 again.
func (s *State) surveys(dialog string) bool {
	return s.cloudAsks() && s.Cloud.Conversation != "" && dialog != s.Cloud.Conversation
}

// seen remembers that a sequence of a dialog is taken; -1 is none.
func (s *State) seen(id string, sequence int) {
	if sequence < 0 || id == "" {
		return
	}
	s.dialog(id, sequence).take(sequence)
}

func (d *Dialog) take(sequence int) {
	if sequence < d.Next {
		return
	}
	if i, found := slices.BinarySearch(d.Ahead, sequence); !found {
		d.Ahead = slices.Insert(d.Ahead, i, sequence)
	}
	for len(d.Ahead) > 0 && d.Ahead[0] <= d.Next {
		d.Next = max(d.Next, d.Ahead[0]+1)
		d.Ahead = d.Ahead[1:]
	}
	if len(d.Ahead) > keepSeen {
		d.Next = d.Ahead[0]
		d.Ahead = d.Ahead[1:]
	}
}

// agentWrote keeps an agent's message until it is its turn. Settings.ReorderWindow
// bounds how long a missing sequence is waited for.
func (s *State) agentWrote(n *message.Notification, at time.Time) {
	if n.Private {
		s.seen(n.Dialog, n.Sequence)
		return
	}
	if n.Sequence < 0 || n.Dialog == "" {
		s.deliver(n)
		return
	}
	d := s.dialog(n.Dialog, n.Sequence)
	i, _ := slices.BinarySearchFunc(d.Held, n.Sequence, func(h Held, seq int) int { return h.Notification.Sequence - seq })
	d.Held = slices.Insert(d.Held, i, Held{Until: at.Add(s.Settings.ReorderWindow), Notification: *n})
}

// holding says whether an agent's message is waiting for its turn.
func (s *State) holding() bool {
	for i := range s.Dialogs {
		if len(s.Dialogs[i].Held) > 0 {
			return true
		}
	}
	return false
}

// until is when the missing sequence in front is given up: when one of those that
// wait has waited long enough, be it not the first of them.
func (d *Dialog) until() time.Time {
	until := d.Held[0].Until
	for i := range d.Held {
		if d.Held[i].Until.Before(until) {
			until = d.Held[i].Until
		}
	}
	return until
}

// release hands on the agents' messages whose turn it is, and those that have
// waited long enough.
func (s *State) release(at time.Time) {
	for i := range s.Dialogs {
		d := &s.Dialogs[i]
		for len(d.Held) > 0 {
			head := d.Held[0]
			missing := head.Notification.Sequence > d.Next
			if missing && at.Before(d.until()) {
				break
			}
			if missing {
				s.Counts.Gaps++
				s.note(at, head.Notification.ID, NoteGap,
					fmt.Sprintf("sequences %d–%d did not arrive in time", d.Next, head.Notification.Sequence-1))
				d.Next = head.Notification.Sequence
			}
			d.Held = slices.Delete(d.Held, 0, 1)
			d.take(head.Notification.Sequence)
			s.deliver(&head.Notification)
		}
	}
}

// mostBlocks bounds the structured content that is carried along, in bytes of JSON.
// Of what is larger, and has to be scrolled for on any phone, its text remains.
const mostBlocks = 96 << 10

// deliver queues an agent's message for the channel, or for the dead letters
// while the consumer does not want to be written to.
func (s *State) deliver(n *message.Notification) {
	s.Counts.Outbound++
	c := Command{
		ID: n.ID, Kind: Deliver, Conversation: n.Conversation, Dialog: n.Dialog, Sequence: n.Sequence,
		Number: s.Counts.Outbound, Text: n.Text, Choices: n.Choices,
	}
	if s.Rules >= 2 {
		c.File = n.File
		if blocksSize(n.Blocks) <= mostBlocks {
			c.Blocks = n.Blocks
		}
	}
	if s.OptedOut {
		c.Bury = "consumer opted out"
	}
	s.ToChannel.push(c)
}

// adopt takes over a conversation that the cloud speaks of when there is none:
// an agent has resumed an old one, or the answer to our opening was lost.
func (s *State) adopt(conversation string, at time.Time) {
	if s.Cloud.Conversation != "" || s.Stage != Opening {
		return
	}
	if i := s.ToCloud.queued(OpenConversation); i >= 0 {
		s.note(at, s.ToCloud.Queue[i].ID, "adopted", "the conversation was there before the answer to its opening")
		s.ToCloud.Queue = slices.Delete(s.ToCloud.Queue, i, i+1)
		if i == 0 {
			s.ToCloud.rested()
		}
		s.dialog(conversation, 0)
	} else if s.ToCloud.opens() {
		return // under way: its answer will say the same
	}
	s.enter(conversation)
}

// enter makes a cloud conversation the current one, also for what is queued for it.
func (s *State) enter(conversation string) {
	s.Cloud = Cloud{Conversation: conversation}
	s.Stage = Open
	for i := range s.ToCloud.Queue {
		if c := &s.ToCloud.Queue[i]; c.Conversation == "" && c.Kind != OpenConversation {
			c.Conversation, c.Dialog = conversation, conversation
		}
	}
	s.inform("enter/" + conversation)
}

// changed applies a snapshot of a conversation, unless a newer one was applied.
func (s *State) changed(n *message.Notification, at time.Time) {
	if n.Change.Open && (!s.known(n.Conversation) || s.Was.reopens(n)) {
		s.adopt(n.Conversation, at)
	}
	if n.Conversation != s.Cloud.Conversation {
		s.elsewhere(n, at)
		return
	}
	if n.Change.Version < s.Cloud.Version {
		return
	}
	if s.Cloud.Version == 0 && len(s.Unplaced) > 0 {
		defer s.place(at)
	}
	s.noticed(n.Change, at)
	s.Cloud.learn(n.Change)
	defer s.rated(n.Change)
	if !n.Change.Open {
		s.Cloud.Shut = n.Change.Version
	}
	switch {
	case !n.Change.Open && s.Stage == Open:
		s.closed(n.Change.CloseReason, at)
	case !n.Change.Open && s.Stage == Closing && s.cloudAsks():
		s.ended(at)
	case n.Change.Open && !n.Change.MainOpen && s.Rules >= 2:
		s.mainClosed(n.Change.Survey, n.Change.CloseReason, at)
	case n.Change.Open && n.Change.MainOpen && (s.Stage == Closing || (s.Stage == Closed && len(s.Pending) == 0)):
		s.note(at, "", "reopened", "the cloud opened the conversation again")
		s.stays()
		s.Survey, s.Stage, s.Closer = Survey{}, Open, ""
		s.stay(at)
	}
}

// elsewhere applies a snapshot of a conversation that is not the current one. An
// open one means that an agent has taken the consumer up in a new conversation:
// there is one open conversation for a consumer, so the current one is over.
func (s *State) elsewhere(n *message.Notification, at time.Time) {
	switch {
	case s.known(n.Conversation):
		return
	case s.ToCloud.opens(): // probably the one that is being opened: its name is not known yet
		s.ahead(n)
		return
	case s.Cloud.Version == 0 && n.Change.Version > 0: // nobody can say yet which of the two is the newer one
		s.ahead(n)
		return
	case !n.Change.Open || !n.Change.MainOpen, n.Change.Version < s.Cloud.Version:
		return
	}
	s.note(at, "", "moved", "the cloud has opened another conversation for this consumer")
	switch {
	case s.Stage == Closing && s.cloudAsks():
		s.Survey = Survey{}
	case s.Stage == Closing:
		s.endSurvey(at)
	}
	s.passed(s.Cloud.Conversation)
	s.Closer, s.Urgency = "", ""
	s.enter(n.Conversation)
	s.Cloud.learn(n.Change)
	s.stay(at)
}

// keepUnplaced bounds the snapshots kept while a conversation is being opened.
const keepUnplaced = 4

// ahead keeps the newest snapshot of a conversation until the answer to an opening
// says whether it is the one.
func (s *State) ahead(n *message.Notification) {
	for i := range s.Unplaced {
		if s.Unplaced[i].Conversation == n.Conversation {
			if n.Change.Version >= s.Unplaced[i].Change.Version {
				s.Unplaced[i] = *n
			}
			return
		}
	}
	if s.Unplaced = append(s.Unplaced, *n); len(s.Unplaced) > keepUnplaced {
		s.Unplaced = slices.Delete(s.Unplaced, 0, 1)
	}
}

// place applies the snapshots that came before it was known what they are about:
// first that of the current conversation.
func (s *State) place(at time.Time) {
	unplaced := s.Unplaced
	s.Unplaced = nil
	for i := range unplaced {
		if unplaced[i].Conversation == s.Cloud.Conversation {
			s.changed(&unplaced[i], at)
			unplaced = slices.Delete(unplaced, i, i+1)
			break
		}
	}
	for i := range unplaced {
		s.changed(&unplaced[i], at)
	}
}

// reopens says whether a snapshot is of this conversation, open again after it was
// closed: a new one would be refused, and what waits for it would wait for ever.
func (c Cloud) reopens(n *message.Notification) bool {
	return n.Conversation == c.Conversation && n.Change.MainOpen && c.Shut > 0 && n.Change.Version > c.Shut
}

// known says whether a conversation was the current one before: late snapshots
// of it say nothing new.
func (s *State) known(conversation string) bool {
	return slices.Contains(s.Past, conversation)
}

// passed remembers that a conversation is no longer the current one.
func (s *State) passed(conversation string) {
	if conversation == "" || s.known(conversation) {
		return
	}
	if s.Past = append(s.Past, conversation); len(s.Past) > keepDialogs {
		s.Past = slices.Delete(s.Past, 0, 1)
	}
}

// closed is the end of the conversation in the cloud, however it came about.
func (s *State) closed(reason string, at time.Time) {
	if s.Stage != Open {
		return
	}
	s.Closer, s.Leaving = reason, false
	s.passed(s.Cloud.Conversation)
	asks := reason == "CONSUMER" || reason == "AGENT"
	if s.Settings.Survey == SurveyConnector && asks && !s.OptedOut {
		s.beginSurvey(at)
		if len(s.Pending) > 0 { // there is a new matter already
			s.endSurvey(at)
		}
		return
	}
	s.Stage = Closed
}
