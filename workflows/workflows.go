// Package workflows is the Temporal plumbing of a conversation: it feeds signals,
// timers and the outcome of activities to the rules in package conversation and
// carries their commands out. It decides nothing itself.
//
// Everything here that runs inside a workflow is deterministic: time, order and
// identities come from the workflow's own events. The package also holds the
// typed Client through which the rest of the house reaches a conversation. It
// keeps away from gin, pgx, HTTP, LivePerson and the environment.
package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"

	"parley/activities"
	"parley/conversation"
	"parley/message"
)

// Names that the outside relies on.
const (
	Type               = "Conversation"
	ChannelEvents      = "channel-events"
	CloudNotifications = "cloud-notifications"
	StateQuery         = "state"
	CloseUpdate        = "close"
	RedriveUpdate      = "redrive"
	SkipUpdate         = "skip"
	TaskQueue          = "parley" // workflows and activities share it: eager activity start needs that
)

// The search attributes by which conversations are found in the Temporal UI. They
// are never encrypted and hold nothing of a consumer.
var (
	Account      = temporal.NewSearchAttributeKeyKeyword("ParleyAccount")
	Channel      = temporal.NewSearchAttributeKeyKeyword("ParleyChannel")
	Conversed    = temporal.NewSearchAttributeKeyKeyword("ParleyConversation")
	StageKey     = temporal.NewSearchAttributeKeyKeyword("ParleyStage")
	AttentionKey = temporal.NewSearchAttributeKeyKeyword("ParleyAttention")
	Skill        = temporal.NewSearchAttributeKeyKeyword("ParleySkill")
	CSAT         = temporal.NewSearchAttributeKeyInt64("ParleyCSAT")
	FCR          = temporal.NewSearchAttributeKeyBool("ParleyFCR")
)

// Input is what a run starts with.
type Input struct {
	State conversation.State `json:"state"`
}

// Signal is the payload of both signals: events of one stream, in order.
type Signal struct {
	Stream message.Stream   `json:"stream"`
	Events []message.Stored `json:"events"`
}

// Summary is the result of a run that came to its end.
type Summary struct {
	Conversation string              `json:"conversation,omitempty"`
	ClosedBy     string              `json:"closedBy,omitempty"`
	Survey       string              `json:"survey,omitempty"`
	CSAT         int                 `json:"csat,omitempty"`
	Solved       *bool               `json:"solved,omitempty"`
	Counts       conversation.Counts `json:"counts"`
}

// Request is the argument of the three updates.
type Request struct {
	Message message.ID `json:"message,omitempty"` // redrive and skip: which one
	By      string     `json:"by"`
	Reason  string     `json:"reason,omitempty"`
}

// When a run hands over to a fresh history. The server's own suggestion does not
// count signals, of which a run may receive 10,000 (temporal.md §D).
const (
	handOverEvents  = 2000
	handOverSignals = 1000
)

// How long one attempt may take. A batch ends itself long before, and the heartbeat
// tells of a worker that died; this is for one that stands still and beats on.
//
// No activity has a ScheduleToCloseTimeout. The SDK counts StartToClose from when it
// got the task, by the monotonic clock; but it compares the other with the server's
// time of scheduling, by the worker's wall clock, and throws away every result of a
// worker whose clock is ahead by more (calculateActivityDeadline in SDK 1.50). What it
// would bound, the number of attempts does.
const (
	laneTimeout  = 2 * time.Minute
	shortTimeout = 30 * time.Second
)

// retryLane hands a batch whose worker died to another one at once. Failures of
// the other side are results and never retried here. After about two minutes of
// dying workers the batch comes to no end, and patience is a rule again.
var retryLane = temporal.RetryPolicy{
	InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second, MaximumAttempts: 10,
}

// retryFetch is patient enough for a database that restarts: two minutes.
var retryFetch = temporal.RetryPolicy{
	InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second, MaximumAttempts: 17,
}

// retryFinish goes on until the database is back.
var retryFinish = temporal.RetryPolicy{InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: time.Minute}

// acts names the activities without having any: only their names are used.
var acts *activities.Activities
