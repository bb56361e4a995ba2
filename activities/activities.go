// Package activities holds the side effects a conversation may ask for: carrying
// a batch of commands to the cloud or to a channel, and writing back what a run
// has done when it ends.
//
// It is where effects become exactly-once: every command is looked up in the
// ledger before it is sent and recorded after it, and one that may have been sent
// before is confirmed by its echo first (design.md §7). It decides nothing about
// a conversation: how a failure is answered is a rule. It keeps away from gin,
// from pgx and from package workflows.
package activities

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"parley/channels"
	"parley/conversation"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// Cloud is one account of the Conversational Cloud; *liveperson.Client is one.
type Cloud interface {
	ConsumerID(ctx context.Context, consumer string) (string, error)
	Open(context.Context, liveperson.Open) (liveperson.Opened, error)
	Publish(context.Context, liveperson.Publish) (liveperson.Published, error)
	Upload(context.Context, liveperson.Upload) (path string, err error)
	PublishFile(context.Context, liveperson.PublishFile) (liveperson.Published, error)
	Download(context.Context, liveperson.Download) (liveperson.Downloaded, error)
	Accept(context.Context, liveperson.Accept) (liveperson.Published, error)
	SetProfile(context.Context, liveperson.SetProfile) error
	Urge(context.Context, liveperson.Urge) error
	Engagement(context.Context, liveperson.Engagement) (liveperson.Campaign, error)
	Close(context.Context, liveperson.Close) error
	Rate(context.Context, liveperson.Rate) error
}

// Store is what activities need of the database; *db.Store is one.
type Store interface {
	// Intend writes down that commands are about to be sent and returns, in the
	// same order, what is known of each.
	Intend(context.Context, []message.ID) ([]message.Entry, error)
	Record(context.Context, []message.Outcome) error
	// Echo looks for a sign of life of a command, by its ID, else by the digest of
	// its text in a dialog, not before since.
	Echo(ctx context.Context, scope string, command message.ID, dialog string, digest []byte, since time.Time) (sequence int, found bool, err error)
	// Claim takes up an intended command whose effect takes long to prepare; Proceed
	// says whether nobody else has meanwhile, and notes that the effect begins.
	Claim(ctx context.Context, command message.ID) (number int, ok bool, err error)
	Proceed(ctx context.Context, command message.ID, number, parts int) (ok bool, err error)
	// FileOf returns the file that is kept for a command, SaveFile keeps one.
	FileOf(ctx context.Context, command message.ID) (message.KeptFile, bool, error)
	SaveFile(ctx context.Context, f message.KeptFile, body io.Reader) (message.KeptFile, error)
	Known(ctx context.Context, account, consumerID string, addr message.Address) error
	Bind(ctx context.Context, account, conversation string, addr message.Address) (first bool, err error)
	Ended(ctx context.Context, account, conversation string) error
	OpenConversation(ctx context.Context, account string, addr message.Address) (conversation string, boundAt time.Time, found bool, err error)
	Note(context.Context, []message.Note) error
	Bury(context.Context, []message.DeadLetter) error
	Rate(context.Context, message.Rating) error
	Finish(ctx context.Context, addr message.Address, applied []message.Applied, optedOut bool) error
	// Stored returns events of a stream behind after, up to last, as many as one signal carries.
	Stored(ctx context.Context, stream message.Stream, after, last int64) ([]message.Stored, error)
}

// Policy is what a channel does about a send whose outcome nobody knows.
type Policy string

// The policies.
const (
	Confirm Policy = "confirm" // wait for the provider's word, then send again and mark
	Resend  Policy = "resend"  // send again and mark
	Park    Policy = "park"    // leave it to a person
)

// Channel is one channel account of ours with its policy.
type Channel struct {
	Adapter   channels.Adapter
	Uncertain Policy
}

// Activities is filled once at start. Its methods are the activities; they are
// called from many goroutines.
type Activities struct {
	Clouds   map[string]Cloud   // by account
	Channels map[string]Channel // by name
	Store    Store
	Files    *Files // may be nil: then files are refused
	Trimmer  Trimmer
	Observer Observer      // may be nil
	Grace    time.Duration // how long an uncertain send waits for its echo
	Log      *slog.Logger
}

// Batch is what a lane carries: commands to be done strictly one after the other.
type Batch struct {
	Account  string                 `json:"account"`
	Address  message.Address        `json:"address"`
	Consumer string                 `json:"consumer"` // the identity under which the cloud knows the consumer
	Profile  message.Profile        `json:"profile,omitzero"`
	Language string                 `json:"language,omitempty"`
	Reply    string                 `json:"reply,omitempty"`
	Commands []conversation.Command `json:"commands"`
	Notes    []message.Note         `json:"notes,omitempty"`
}

// Returned is how far a batch got: a result for each command that is done, and why
// it ended there if it ended before the last.
type Returned struct {
	Results []conversation.Result `json:"results,omitempty"`
	Stop    *conversation.Stop    `json:"stop,omitempty"`
	Unnoted bool                  `json:"unnoted,omitempty"` // Batch.Notes are not in the journal
}

// Ending is what a run writes back when it ends.
type Ending struct {
	Account       string            `json:"account"`
	Address       message.Address   `json:"address"`
	Applied       []message.Applied `json:"applied,omitempty"`
	OptedOut      bool              `json:"optedOut,omitempty"`
	Conversations []string          `json:"conversations,omitempty"` // that are over
	Notes         []message.Note    `json:"notes,omitempty"`
}

// Finish writes back what a run has applied. The next run at the address starts
// after that; when Finish returns, nothing that this run has applied will be
// signalled again. It may run twice.
func (a *Activities) Finish(ctx context.Context, in Ending) error {
	ctx, cancel := heard(ctx)
	defer cancel()
	for _, c := range in.Conversations {
		if err := a.Store.Ended(ctx, in.Account, c); err != nil {
			return forTemporal(err)
		}
	}
	if len(in.Notes) > 0 {
		if err := a.noted(ctx, in.Notes); err != nil {
			return forTemporal(err)
		}
	}
	return forTemporal(a.Store.Finish(ctx, in.Address, in.Applied, in.OptedOut))
}

// forTemporal is the only place where a fault becomes a Temporal error.
func forTemporal(err error) error {
	if err == nil {
		return nil
	}
	class := fault.ClassOf(err)
	return temporal.NewApplicationErrorWithOptions(err.Error(), string(class), temporal.ApplicationErrorOptions{
		NonRetryable:   !class.Retryable(),
		NextRetryDelay: fault.RetryAfter(err),
	})
}

// stop turns a failure into the words in which the rules judge it.
func stop(err error) *conversation.Stop {
	return &conversation.Stop{
		Class: fault.ClassOf(err), Code: fault.CodeOf(err), After: fault.RetryAfter(err), Text: err.Error(),
	}
}

// HeartbeatTimeout is what the workflow should ask Temporal to watch for.
const HeartbeatTimeout = 10 * time.Second

// beating is how often a batch shows that it is alive. The SDK passes a sign on
// only after 80 % of the timeout, so a process that stood still for the other 20 %
// may have lost its batch to another worker.
const (
	beating = 500 * time.Millisecond
	lost    = HeartbeatTimeout / 5 * 3 / 4
)

// pulse is the sign of life of one batch.
type pulse struct {
	began time.Time
	last  atomic.Int64 // nanoseconds after began
}

// stale says that this process stood still for so long that another worker may
// have the batch: it must send nothing more.
func (p *pulse) stale() bool {
	return time.Since(p.began)-time.Duration(p.last.Load()) > lost
}

// beat tells Temporal that this worker is alive until the context ends. It never
// takes a pulse up again that was lost.
func (p *pulse) beat(ctx context.Context) {
	tick := time.NewTicker(beating)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if p.stale() {
				return
			}
			p.last.Store(int64(time.Since(p.began)))
			// A sign that is on its way when the batch ends is no error: not cut
			// off, it is not logged as one.
			activity.RecordHeartbeat(context.WithoutCancel(ctx))
		}
	}
}

// heard has a short activity found dead as soon as a batch would be, until cancel is
// called. One that takes less than a beat costs no heartbeat.
func heard(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(ctx)
	go (&pulse{began: time.Now()}).beat(ctx)
	return ctx, cancel
}

// enough is how long a batch goes on before it hands back what is left. It is less
// than Temporal's patience, so that a batch sends nothing more by the time another
// worker can get it, also when Temporal was away and heard no heartbeat.
const enough = HeartbeatTimeout * 7 / 10

var errUnknownAccount = errors.New("the account is not configured here")
var errUnknownChannel = errors.New("the channel is not configured here")
