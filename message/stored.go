package message

import (
	"encoding/json"
	"time"
)

// Stream names a sequence of stored events: the address for a channel's events,
// the account and its conversation for those of the cloud. One of the two halves
// is empty.
type Stream struct {
	Address      Address `json:"address,omitzero"`
	Account      string  `json:"account,omitempty"`
	Conversation string  `json:"conversation,omitempty"`
}

// Cloud says whether the stream is one of the Conversational Cloud.
func (s Stream) Cloud() bool { return s.Account != "" }

// Key returns the stream's name in the database, unique among all streams. It
// holds the consumer's number: it is not for logs.
func (s Stream) Key() string {
	if s.Cloud() {
		return "cloud/" + s.Account + "/" + s.Conversation
	}
	return "channel/" + s.Address.Channel + "/" + s.Address.Consumer
}

// Event is one thing to be on disk before it is acknowledged.
type Event struct {
	Stream  Stream
	Source  string // "channel/sms", "cloud/main": with EventID, what a redelivery is recognised by
	EventID string
	Urgent  bool            // the stream is dispatched now; otherwise this waits for the next that is
	Starts  bool            // worth starting a run for; otherwise only a running one is told
	Reply   string          // an Inbound's Reply: the latest of the stream is kept for presence
	Body    json.RawMessage // an Inbound or a Notification
}

// Echo is a sign of life of something we sent: the cloud's echo of a publish, or
// a provider's receipt that bears our ID.
type Echo struct {
	Scope    string // the account, or the channel, that echoed
	Key      ID     // our ID, or what has its form; empty when the echo bears none
	Dialog   string
	Sequence int    // -1 when there is none
	Digest   []byte // of the text, where Key is empty or may be another's
	At       time.Time
}

// Participant ties a cloud conversation to a consumer whom the cloud names by an
// identity of its own; with it a conversation is bound to its address even when
// the answer that would have told us was lost.
type Participant struct {
	Account      string
	Conversation string
	Consumer     string // the cloud's identity of the consumer
}

// DeadLetter is something that will not be tried again by itself.
type DeadLetter struct {
	ID       ID
	Source   string // as in Event
	Address  Address
	Account  string
	Dialog   string
	Reason   string // without the consumer's words
	Code     string
	Body     []byte // the original form
	Attempts int
}

// Arrival is all that one webhook brought; it is stored as one.
type Arrival struct {
	Events       []Event
	Echoes       []Echo
	Participants []Participant
	Ratings      []Rating // that the cloud told: the address is found by the conversation
	Dead         []DeadLetter
}

// Stored is an event with the number it got in its stream: 1, 2, 3 …, no gaps.
type Stored struct {
	Sequence int64           `json:"sequence"`
	At       time.Time       `json:"at"` // when it was stored
	Body     json.RawMessage `json:"body"`
}

// Dispatch is what waits in one stream, in order.
type Dispatch struct {
	Stream   Stream
	Address  Address // where the conversation lives; for a cloud stream, what it is bound to
	Starts   bool    // one of Events is worth starting a run for
	OptedOut bool    // what the last run at this address wrote back
	Reply    string  // the consumer's latest Inbound.Reply: a run that an agent starts knows no other
	Events   []Stored
}

// DispatchState says how a stream stands after a dispatch.
type DispatchState int

// The states of a stream.
const (
	Drained DispatchState = iota // nothing urgent is left
	More                         // there is more to dispatch
	Busy                         // another dispatcher has it
	Unbound                      // a cloud conversation whose address is not known yet
)

// KeptFile is an agent's file that we keep for a channel, which gets it by a URL of
// ours. Whoever has the token can read it: it is in no log and in no history.
type KeptFile struct {
	Token   string
	Command ID // that it is delivered by
	MIME    string
	Name    string
	Size    int64 // bytes
}
