package liveperson

import (
	"encoding/json"
	"time"
)

// Kind says what an Event is.
type Kind string

// The kinds of events.
const (
	KindContent   Kind = "content"   // someone wrote: Text, Choices, Blocks, File
	KindAccept    Kind = "accept"    // someone saw messages: Status, Sequences
	KindChatState Kind = "chatState" // someone types, comes or goes: ChatState
	KindChange    Kind = "change"    // a snapshot of the conversation: Change
)

// The roles of an originator or participant that matter here.
const (
	RoleConsumer      = "CONSUMER" // also what we published ourselves: the echo
	RoleAssignedAgent = "ASSIGNED_AGENT"
	RoleAgent         = "AGENT" // not assigned; the survey bot in its dialog
	RoleManager       = "MANAGER"
	RoleController    = "CONTROLLER" // automatic messages
	RoleReader        = "READER"
)

// Event is one change of one notification. All its strings are valid UTF-8
// without NUL, fit to be kept in a database; Raw is as it came.
//
// Sources: connector-api-webhooks-events, connector-api-webhooks-webhooks-examples.
type Event struct {
	Kind         Kind
	ID           string // what a redelivery is recognised by, within the account; empty for chat states
	Conversation string
	Dialog       string // the conversation's own name for MAIN; empty for a Change
	Sequence     int    // within the dialog, from 0; -1 when there is none
	Originator   string // a participant's ID
	Role         string // empty when the cloud did not say
	Time         time.Time
	Private      bool // for agents and managers: takes a sequence, is never delivered

	Text       string   // of content, with everything that can be said in plain text; no white space at its end
	Choices    []Choice // the answers offered, in the order in which they are read; Text has them numbered
	Blocks     []Block  // what Text says, with its form; nil when there is only text, or only a file
	File       *File
	ExternalID string          // what the sender attached, our own in an echo
	Metadata   json.RawMessage // all that the sender attached; nil when nothing was

	Status    string // ACCEPT, READ, ACCESS, NACK, ACTION
	Sequences []int  // the messages Status is about

	ChatState string // COMPOSING, ACTIVE, PAUSE, INACTIVE, GONE, BACKGROUND

	Change *Change

	Raw json.RawMessage // may hold what Postgres's jsonb refuses: keep it as bytes
}

// File is a file in the cloud's store, to be had by its path for a minute at a time.
type File struct {
	Path    string
	Type    string // JPG, PDF, …
	Caption string
}

// Change is one complete snapshot of a conversation.
type Change struct {
	Type         string // UPSERT, DELETE
	Version      int64  // epoch milliseconds: an older snapshot must not overwrite a newer one; 0 when unknown
	Stage        string // OPEN or CLOSE of the whole conversation; that of State where the cloud leaves it out
	State        string // of the MAIN dialog
	CloseReason  string // CONSUMER, AGENT, SYSTEM, TIMEOUT
	Skill        string // "-1" when unassigned
	Brand        string
	First        bool // the consumer's first conversation
	Started      time.Time
	Ended        time.Time
	AnswerBy     time.Time // by when an agent should have answered; zero when no answer is pending
	Participants []Participant
	Dialogs      []Dialog
	Urgency      string // NORMAL, URGENT, PRIORITIZED, CUSTOM; empty where the cloud does not say
	Delay        Delay
	CSAT         *CSAT
}

// Delay says that nobody answers now, why, and until when. It is the zero value
// when the cloud says nothing of the kind.
type Delay struct {
	Type  string // NIGHT, WEEKEND, HOLIDAY
	Until time.Time
}

// Participant is someone in a conversation or dialog.
type Participant struct {
	ID    string
	Role  string
	State string // ACTIVE, SUGGESTED (offered, not accepted yet); often empty
}

// Dialog is a part of a conversation.
type Dialog struct {
	ID           string
	Type         string // MAIN, POST_SURVEY, AGENT, OTHER
	Channel      string // MESSAGING, COBROWSE, …
	State        string // OPEN, CLOSE
	Created      time.Time
	Ended        time.Time
	ClosedBy     string
	ClosedCause  string
	App          string // the app installation that opened it, where the cloud says so
	Participants []Participant
}

// CSAT is a rating as the cloud has it.
type CSAT struct {
	Rate     int   // 1–5, 0 when not given
	Resolved *bool // nil when not given
	Status   string
}
