package message

import (
	"crypto/sha256"
	"strings"
	"time"
)

// EntryState is how far the ledger saw a command get.
type EntryState string

// An entry starts as Intended. It ends as Done; after a failure that certainly
// had no effect it is Failed, and intended anew when it is tried again.
const (
	Intended EntryState = "intended"
	Done     EntryState = "done"
	Undone   EntryState = "failed"
)

// Entry is what the ledger knows of one command before it is sent (again). State
// is empty for one never intended before, or whose last attempt certainly had no
// effect. An Intended one may have been sent: its Since is when, by the database's
// clock, and Age how long ago that was, by the same clock. A process that judges by
// its own, which may be minutes off, would take an intent of this instant for old.
type Entry struct {
	Command  ID
	State    EntryState
	Since    time.Time
	Age      time.Duration
	Attempts int // earlier ones
	Outcome  Outcome
}

// Outcome is what became of a command.
type Outcome struct {
	Command      ID         `json:"command"`
	State        EntryState `json:"state"` // Done or Undone
	Account      string     `json:"account,omitempty"`
	Conversation string     `json:"conversation,omitempty"` // the cloud's
	Dialog       string     `json:"dialog,omitempty"`
	Sequence     int        `json:"sequence"`       // the cloud's, -1 when there is none
	Ref          string     `json:"ref,omitempty"`  // the provider's name of the consumer message that was published
	Refs         []string   `json:"refs,omitempty"` // the provider's names of what was delivered
	Parts        int        `json:"parts,omitempty"`
	Note         string     `json:"note,omitempty"` // "echo": confirmed by its echo; "again": sent again without one, possibly doubled
}

// Note is a line of the journal: something a person who looks into one
// conversation wants to know and that no table says yet. It holds no text and no
// number of a consumer.
type Note struct {
	At           time.Time
	Address      Address
	Account      string
	Conversation string
	Command      ID
	What         string // one of few words: "uncertain", "confirmed", "again", "gap", "late", …
	Detail       string
}

// Applied is the last event of a stream that a run has applied.
type Applied struct {
	Stream   Stream `json:"stream"`
	Sequence int64  `json:"sequence"`
}

// Rating is what a consumer answered when the conversation was over.
type Rating struct {
	Account      string
	Conversation string
	Address      Address
	CSAT         int   // 1–5, 0 when not given
	Resolved     *bool // nil when not given
	Status       string
	At           time.Time
}

// TextDigest returns the digest by which an echo is matched to what was sent when
// it bears no ID of ours. White space around the text does not count: the cloud
// trims it.
func TextDigest(text string) []byte {
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	return sum[:]
}
