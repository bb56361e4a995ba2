package conversation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/message"
)

// CommandKind is something the rules can want done.
type CommandKind string

// The first eight go to the cloud, the last three to the channel.
const (
	OpenConversation CommandKind = "open"
	Publish          CommandKind = "publish"
	PublishFile      CommandKind = "file"        // Attachment: uploaded, then published
	Acknowledge      CommandKind = "acknowledge" // ACCEPT, READ, ACCESS or NACK for agents' messages; ACTION for a choice that was taken
	Update           CommandKind = "profile"     // the profile has changed: the batch has it
	Urge             CommandKind = "urgency"     // Urgency
	Close            CommandKind = "close"
	Rate             CommandKind = "rate"
	Deliver          CommandKind = "deliver"
	Ask              CommandKind = "ask"  // a question of the survey
	Tell             CommandKind = "tell" // a line of our own, e.g. that a file could not go
)

// The ways to close other than closing everything at once (Command.Way).
const (
	WayDialog = "dialog" // only the MAIN dialog: the cloud's survey may follow
	WayStage  = "stage"  // everything, a survey that is open included
)

// The codes with which a Rejected PublishFile or Deliver says why a file cannot go.
// The consumer is told in words: Texts has a line for each.
const (
	CodeTooLarge = "file-too-large"
	CodeFileType = "file-type"
	CodeFileGone = "file-gone"
)

// Command is one thing to be done. Its ID follows from the event that caused it
// and stays the same however often it is tried.
type Command struct {
	ID           message.ID          `json:"id"`
	Kind         CommandKind         `json:"kind"`
	Conversation string              `json:"conversation,omitempty"` // empty: the one that the open command before it opens
	Dialog       string              `json:"dialog,omitempty"`
	Number       int                 `json:"number,omitempty"` // of the message, counted in its direction
	Text         string              `json:"text,omitempty"`
	Choices      []message.Choice    `json:"choices,omitempty"`
	Blocks       []message.Block     `json:"blocks,omitempty"`     // Deliver: structured content
	Metadata     json.RawMessage     `json:"metadata,omitempty"`   // Publish, Acknowledge: of the choice that was taken, as it came
	Attachment   *message.Attachment `json:"attachment,omitempty"` // PublishFile: where it is to be had; Text is its caption
	File         *message.File       `json:"file,omitempty"`       // Deliver: where it is in the cloud's store
	Route        *Route              `json:"route,omitempty"`      // OpenConversation
	Way          string              `json:"way,omitempty"`        // Close: WayDialog, WayStage; else everything at once
	Urgency      string              `json:"urgency,omitempty"`    // Urge
	Ref          string              `json:"ref,omitempty"`        // the provider's name of the consumer's message
	Status       string              `json:"status,omitempty"`     // Acknowledge: ACCEPT, READ, ACCESS, NACK, ACTION. Rate: FILLED, …
	Sequence     int                 `json:"sequence,omitempty"`   // Deliver: the agent's message in its dialog
	Sequences    []int               `json:"sequences,omitempty"`
	CSAT         int                 `json:"csat,omitempty"`
	Resolved     *bool               `json:"resolved,omitempty"`
	Done         int                 `json:"done,omitempty"`  // parts of a long text that are through
	Again        bool                `json:"again,omitempty"` // a person wants it sent, confirmed or not
	Bury         string              `json:"bury,omitempty"`  // why it is a dead letter: it is recorded, not sent
	Code         string              `json:"code,omitempty"`
	Attempts     int                 `json:"attempts,omitempty"` // when it was buried

	Source *message.Inbound `json:"source,omitempty"` // Publish: what it came from, for the next conversation
}

// LaneName tells the two lanes apart.
type LaneName string

// The lanes. They are independent: one that waits does not hold up the other.
const (
	CloudLane   LaneName = "cloud"
	ChannelLane LaneName = "channel"
)

// Lane is a queue for one direction. At most one batch is under way: the first
// Flying commands.
type Lane struct {
	Queue    []Command `json:"queue,omitempty"`
	Flying   int       `json:"flying,omitempty"`
	Attempts int       `json:"attempts,omitempty"` // failures in a row
	Due      time.Time `json:"due,omitzero"`       // not before
	Parked   string    `json:"parked,omitempty"`   // the class of failure that somebody has to mend
}

// Bounds on a batch.
const (
	batchCommands = 50
	batchBytes    = 256 << 10
)

func (s *State) lane(name LaneName) *Lane {
	if name == CloudLane {
		return &s.ToCloud
	}
	return &s.ToChannel
}

// Take returns the batch that the lane should carry now and counts it as under
// way; nil when there is none, or its time has not come.
func (s *State) Take(name LaneName, at time.Time) []Command {
	l := s.lane(name)
	if l.Flying > 0 || len(l.Queue) == 0 || at.Before(l.Due) {
		return nil
	}
	bytes := 0
	for l.Flying < len(l.Queue) && l.Flying < batchCommands {
		bytes += l.Queue[l.Flying].size()
		if l.Flying > 0 && bytes > batchBytes {
			break
		}
		l.Flying++
	}
	batch := make([]Command, l.Flying)
	copy(batch, l.Queue)
	for i := range batch {
		s.takes(&batch[i])
		batch[i].Source = nil // an activity has no use for it
	}
	return batch
}

// takes remembers what a command that is about to be sent makes known.
func (s *State) takes(c *Command) {
	switch {
	case s.Rules < 2:
	case c.Kind == OpenConversation, c.Kind == Update:
		s.Told = s.Profile
	case c.Kind == Deliver:
		s.show(c)
	}
}

// speaks says whether a command carries something of the consumer's to the cloud.
func (c *Command) speaks() bool { return c.Kind == Publish || c.Kind == PublishFile }

func (l *Lane) push(c Command) { l.Queue = append(l.Queue, c) }

// pop removes the first n commands.
func (l *Lane) pop(n int) { l.Queue = append([]Command(nil), l.Queue[n:]...) }

// find returns the place of a command that is not under way, -1 if there is none.
func (l *Lane) find(id message.ID) int {
	for i := l.Flying; i < len(l.Queue); i++ {
		if l.Queue[i].ID == id {
			return i
		}
	}
	return -1
}

// queued returns the place of a command of this kind that is not under way, or -1.
func (l *Lane) queued(kind CommandKind) int {
	for i := l.Flying; i < len(l.Queue); i++ {
		if l.Queue[i].Kind == kind {
			return i
		}
	}
	return -1
}

// drop takes out a command that is not under way.
func (l *Lane) drop(i int) {
	if l.Queue = slices.Delete(l.Queue, i, i+1); i == 0 {
		l.rested()
	}
}

// has says whether a command of this kind is queued or under way.
func (l *Lane) has(kind CommandKind) bool {
	for i := range l.Queue {
		if l.Queue[i].Kind == kind {
			return true
		}
	}
	return false
}

// Describe says in a few words what a batch carries, for the Temporal UI. It
// holds nothing a consumer or an agent wrote.
func Describe(batch []Command) string {
	var parts []string
	first, last, messages := 0, 0, 0
	for _, c := range batch {
		switch {
		case c.Bury != "":
			parts = append(parts, "dead letter")
		case c.speaks() || c.Kind == Deliver:
			if messages == 0 {
				first = c.Number
			}
			last = c.Number
			messages++
		case c.Kind == Acknowledge:
			parts = append(parts, strings.ToLower(c.Status))
		case c.Kind == OpenConversation:
			parts = append(parts, "open conversation")
		case c.Kind == Ask:
			parts = append(parts, "survey question")
		case c.Kind == Rate:
			parts = append(parts, "report rating")
		case c.Kind == Tell:
			parts = append(parts, "line of our own")
		default:
			parts = append(parts, string(c.Kind))
		}
	}
	switch messages {
	case 0:
	case 1:
		parts = append(parts, fmt.Sprintf("message %d", first))
	default:
		parts = append(parts, fmt.Sprintf("%d messages, %d–%d", messages, first, last))
	}
	return strings.Join(compact(parts), " + ")
}

// compact writes runs of the same word as "3 × word".
func compact(parts []string) []string {
	var out []string
	for i := 0; i < len(parts); {
		j := i
		for j < len(parts) && parts[j] == parts[i] {
			j++
		}
		if j-i > 1 {
			out = append(out, fmt.Sprintf("%d × %s", j-i, parts[i]))
		} else {
			out = append(out, parts[i])
		}
		i = j
	}
	return out
}
