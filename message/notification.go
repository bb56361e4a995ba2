package message

import (
	"encoding/json"
	"time"
)

// NotificationKind says what the Conversational Cloud told us.
type NotificationKind string

// The kinds of Notification that are stored and reach the conversation.
const (
	AgentWrote   NotificationKind = "content" // Text, Choices, Blocks, File
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
	Text         string           `json:"text,omitempty"`    // all that can be said in plain text
	Choices      []Choice         `json:"choices,omitempty"` // the answers offered, in the order in which they are read
	Blocks       []Block          `json:"blocks,omitempty"`  // structured content, or a text with answers below it
	File         *File            `json:"file,omitempty"`
	Metadata     json.RawMessage  `json:"metadata,omitempty"` // as it came, for the journal
	Private      bool             `json:"private,omitempty"`  // for agents only: takes a sequence, is never delivered
	Status       string           `json:"status,omitempty"`   // ACCEPT, READ, ACCESS, NACK, ACTION
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

	Survey   string    `json:"survey,omitempty"`   // the dialog of a survey that is open
	AgentID  string    `json:"agentId,omitempty"`  // who is assigned
	Manager  bool      `json:"manager,omitempty"`  // a manager takes part
	AnswerBy time.Time `json:"answerBy,omitzero"`  // by when an agent should have answered
	Delay    string    `json:"delay,omitempty"`    // NIGHT, WEEKEND, HOLIDAY: why nobody answers now
	DelayTo  time.Time `json:"delayTo,omitzero"`   // until when
	CSAT     int       `json:"csat,omitempty"`     // 1–5, as the cloud has it
	Resolved *bool     `json:"resolved,omitempty"` // as the cloud has it
}
