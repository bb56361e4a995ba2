package message

import "time"

// NotificationKind says what the Conversational Cloud told us.
type NotificationKind string

// The kinds of Notification that are stored and reach the conversation.
const (
	AgentWrote   NotificationKind = "content" // Text, Choices
	AgentSaw     NotificationKind = "accept"  // Status, Sequences: what agents did with our messages
	Conversation NotificationKind = "change"  // Change
)

// Notification is one event of the Conversational Cloud: agent → consumer.
type Notification struct {
	Kind         NotificationKind `json:"kind"`
	ID           ID               `json:"id"`      // ours, NewID(account, EventID)
	EventID      string           `json:"eventId"` // what redeliveries are recognised by
	Account      string           `json:"account"` // the configured name, e.g. "main"
	Conversation string           `json:"conversation"`
	Dialog       string           `json:"dialog,omitempty"`
	Sequence     int              `json:"sequence"` // within the dialog, from 0; -1 when there is none
	Role         string           `json:"role,omitempty"`
	At           time.Time        `json:"at,omitzero"`
	Text         string           `json:"text,omitempty"`
	Choices      []Choice         `json:"choices,omitempty"`
	Private      bool             `json:"private,omitempty"` // for agents only: takes a sequence, is never delivered
	Status       string           `json:"status,omitempty"`  // ACCEPT, READ, ACCESS, NACK, ACTION
	Sequences    []int            `json:"sequences,omitempty"`
	Change       *Change          `json:"change,omitempty"`
}

// Change is one complete snapshot of a cloud conversation. Version orders
// snapshots: an older one must not overwrite a newer one.
type Change struct {
	Version     int64  `json:"version"` // metaDataLastUpdateTs, epoch milliseconds
	Open        bool   `json:"open"`    // stage is not CLOSE
	MainOpen    bool   `json:"mainOpen"`
	CloseReason string `json:"closeReason,omitempty"` // CONSUMER, AGENT, SYSTEM, TIMEOUT
	Skill       string `json:"skill,omitempty"`
	Agent       bool   `json:"agent,omitempty"`    // an agent is assigned
	Consumer    string `json:"consumer,omitempty"` // the participant with role CONSUMER
}
