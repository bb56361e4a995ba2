package liveperson

import (
	"encoding/json"
	"time"
)

// Kind says what an Event is.
type Kind string

// The kinds of events.
const (
	KindContent   Kind = "content"   // someone wrote: Text, Choices, File
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
	Choices    []Choice // the answers offered; Text has them numbered
	File       *File
	ExternalID string // what the sender attached, our own in an echo

	Status    string // ACCEPT, READ, ACCESS, NACK, ACTION
	Sequences []int  // the messages Status is about

	ChatState string // COMPOSING, ACTIVE, PAUSE, INACTIVE, GONE, BACKGROUND

	Change *Change

	Raw json.RawMessage // may hold what Postgres's jsonb refuses: keep it as bytes
}

// Choice is an answer that was offered: a quick reply, or a button that says
// something.
type Choice struct {
	Title    string
	Text     string          // what the consumer says by choosing it
	Metadata json.RawMessage // to be given back, unchanged, by who chooses it; may be nil
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
	CSAT         *CSAT
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

const (
	stateClose     = "CLOSE"
	stateSuggested = "SUGGESTED"
	dialogMain     = "MAIN"
)

// Open says whether the conversation goes on. A closed MAIN dialog does not end
// it: a survey may follow.
func (c *Change) Open() bool {
	return c.Stage != stateClose && (c.Stage != "" || c.Type != "DELETE")
}

// MainOpen says whether the dialog with the agent is open.
func (c *Change) MainOpen() bool {
	for _, d := range c.Dialogs {
		if d.Type == dialogMain && d.State != "" {
			return d.State != stateClose
		}
	}
	if c.State != "" {
		return c.State != stateClose
	}
	return c.Open()
}

// Consumer returns the cloud's name for the consumer, empty when it is not told.
func (c *Change) Consumer() string {
	for _, p := range c.everyone() {
		if p.Role == RoleConsumer {
			return p.ID
		}
	}
	return ""
}

// Agent returns the agent who is assigned; one to whom the conversation is only
// offered is not.
func (c *Change) Agent() (id string, assigned bool) {
	offered := map[string]bool{}
	for _, p := range c.everyone() {
		if p.State == stateSuggested {
			offered[p.ID] = true
		}
	}
	for _, p := range c.Participants {
		if p.Role == RoleAssignedAgent && !offered[p.ID] {
			return p.ID, true
		}
	}
	return "", false
}

// everyone lists the participants of the conversation and of its MAIN dialog.
func (c *Change) everyone() []Participant {
	all := c.Participants[:len(c.Participants):len(c.Participants)]
	for _, d := range c.Dialogs {
		if d.Type == dialogMain {
			all = append(all, d.Participants...)
		}
	}
	return all
}
