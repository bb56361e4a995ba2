package conversation

import (
	"slices"

	"parley/message"
)

// Behind is events of a stream that came while too much was waiting already. They
// are left in the inbox, and fetched from there in order when there is room: a
// state grows no larger than what a hand-over can carry, however long an outage is.
type Behind struct {
	Stream message.Stream `json:"stream"`
	After  int64          `json:"after"` // the last that was applied
	Last   int64          `json:"last"`  // the last that we were told of
}

// Bounds on what waits, in bytes of JSON. Temporal refuses a hand-over of 2 MB, and
// ends the conversation with it; each direction may pass its bound by one event.
const (
	mostWaiting = 384 << 10
	mostDead    = 128 << 10
)

// defers says whether an event is left in the inbox, and remembers it if so. What
// comes after one that was left is left too.
func (s *State) defers(e Event) bool {
	i := slices.IndexFunc(s.Behind, func(b Behind) bool { return b.Stream == e.Stream })
	switch {
	case i >= 0 && e.Fetched && (e.Sequence != s.Behind[i].After+1 || s.waiting(e.Stream) >= mostWaiting):
		return true
	case i >= 0 && e.Fetched:
		if s.Behind[i].After = e.Sequence; e.Sequence >= s.Behind[i].Last {
			s.Behind = slices.Delete(s.Behind, i, i+1)
		}
		return false
	case i >= 0 && e.Sequence <= s.Behind[i].Last:
		return true
	case i >= 0:
		s.Behind[i].Last = e.Sequence
	case e.Fetched, s.waiting(e.Stream) < mostWaiting, s.stale(e.Stream, e.Sequence):
		return false
	default:
		s.Behind = append(s.Behind, Behind{Stream: e.Stream, After: e.Sequence - 1, Last: e.Sequence})
	}
	if e.Inbound != nil { // who opts out must not be written to while this waits
		s.consent(e.Inbound.Consent, e.At)
	}
	return true
}

// Fetches says which events should be fetched now. ok is false when there are none,
// or no room for them.
func (s *State) Fetches() (b Behind, ok bool) {
	for _, b := range s.Behind {
		if s.waiting(b.Stream) < mostWaiting/2 {
			return b, true
		}
	}
	return Behind{}, false
}

// waiting is about how many bytes wait in the direction that a stream feeds. The
// two are apart: what the channel cannot take holds up nobody else.
func (s *State) waiting(stream message.Stream) int {
	n := 0
	if !stream.Cloud() {
		for i := range s.Pending {
			n += inboundSize(&s.Pending[i])
		}
		return n + s.ToCloud.size()
	}
	for i := range s.Dialogs {
		for j := range s.Dialogs[i].Held {
			held := &s.Dialogs[i].Held[j].Notification
			n += 400 + jsonSize(held.Text) + choicesSize(held.Choices) + blocksSize(held.Blocks) + len(held.Metadata)
		}
	}
	return n + s.ToChannel.size()
}

func (l *Lane) size() int {
	n := 0
	for i := range l.Queue {
		n += l.Queue[i].size()
	}
	return n
}

// size is about what a command takes in a state or a history, in bytes.
func (c *Command) size() int {
	n := 300 + jsonSize(c.Text) + choicesSize(c.Choices) + blocksSize(c.Blocks) + jsonSize(c.Bury) + 8*len(c.Sequences) + 2*len(c.Metadata)
	if c.Attachment != nil {
		n += attachmentSize(c.Attachment)
	}
	if c.File != nil {
		n += 60 + jsonSize(c.File.Path) + jsonSize(c.File.Caption)
	}
	if c.Source != nil {
		n += inboundSize(c.Source)
	}
	return n
}

func inboundSize(in *message.Inbound) int {
	n := 400 + jsonSize(in.Text) + jsonSize(in.Reply) + jsonSize(in.Ref)
	for i := range in.Attachments {
		n += attachmentSize(&in.Attachments[i])
	}
	return n
}

func attachmentSize(a *message.Attachment) int { return 100 + jsonSize(a.URL) + jsonSize(a.Name) }

func choicesSize(choices []message.Choice) int {
	n := 0
	for _, c := range choices {
		n += 30 + jsonSize(c.ID) + jsonSize(c.Title) + jsonSize(c.Text) + len(c.Metadata)
	}
	return n
}

func blocksSize(blocks []message.Block) int {
	n := 0
	for i := range blocks {
		b := &blocks[i]
		n += 60 + jsonSize(b.Text) + jsonSize(b.Value) + jsonSize(b.URL) + blocksSize(b.Blocks)
		if b.Choice != nil {
			n += choicesSize([]message.Choice{*b.Choice})
		}
	}
	return n
}

// jsonSize is what encoding/json makes of a text, at most.
func jsonSize(text string) int {
	n := len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c == '<', c == '>', c == '&', c == 0x7f:
			n += 5
		case c == '"', c == '\\':
			n++
		}
	}
	return n
}

// forgetDead drops the oldest dead letters when there are too many to carry along;
// they stay in the database.
func (s *State) forgetDead() {
	n := 0
	for i := len(s.Dead) - 1; i >= 0; i-- {
		n += s.Dead[i].size()
		if len(s.Dead)-i > keepDead || (n > mostDead && i < len(s.Dead)-1) {
			s.Dead = slices.Clone(s.Dead[i+1:])
			return
		}
	}
}

// stale says whether an event of a stream was applied before.
func (s *State) stale(stream message.Stream, sequence int64) bool {
	return slices.ContainsFunc(s.Applied, func(a message.Applied) bool {
		return a.Stream == stream && sequence <= a.Sequence
	})
}
