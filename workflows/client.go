package workflows

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// Identity makes the names under which an address may be shown: digests under the
// installation's key, so that nobody can try numbers out on them.
type Identity struct{ Key []byte }

// Workflow returns the ID of an address's workflow. No other place makes one.
func (i Identity) Workflow(addr message.Address) string {
	return "conversation/" + addr.Channel + "/" + i.digest(addr)
}

// Consumer returns the identity under which the cloud knows the consumer: one for
// each address.
func (i Identity) Consumer(addr message.Address) string {
	return addr.Channel + "-" + i.digest(addr)
}

func (i Identity) digest(addr message.Address) string {
	mac := hmac.New(sha256.New, i.Key)
	mac.Write([]byte(addr.Channel + "\x00" + addr.Consumer))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Client reaches conversations. It is safe for many goroutines.
type Client struct {
	Temporal client.Client
	Identity Identity
	Settings map[string]conversation.Settings              // by channel
	Late     func(context.Context, message.Dispatch) error // told of events that found no run and start none
}

// signalTimeout bounds one call to Temporal; the relay tries again.
const signalTimeout = 5 * time.Second

// Signal hands the waiting events of one stream to the conversation at its
// address, and starts that conversation if there is none and one of the events is
// worth it. Events that are not are told to Late, and done.
//
// The error is a *fault.Error: Denied for a channel that is not configured,
// Transient for everything of Temporal's.
func (c *Client) Signal(ctx context.Context, d message.Dispatch) error {
	settings, ok := c.Settings[d.Address.Channel]
	if !ok {
		return fault.New(fault.Denied, "signal", "channel %q is not configured here", d.Address.Channel)
	}
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	name, id := ChannelEvents, c.Identity.Workflow(d.Address)
	if d.Stream.Cloud() {
		name = CloudNotifications
	}
	signal := Signal{Stream: d.Stream, Events: d.Events}
	if d.Starts && !mayRun(d) {
		return c.start(ctx, id, name, signal, d, settings)
	}
	err := c.Temporal.SignalWorkflow(ctx, id, "", name, signal)
	if gone := new(serviceerror.NotFound); errors.As(err, &gone) {
		if d.Starts {
			return c.start(ctx, id, name, signal, d, settings)
		}
		return c.Late(ctx, d)
	}
	return judge("signal", err)
}

// mayRun says whether the conversation probably runs: all but the first event of
// an address seldom start it, and a conversation of the cloud was mostly opened by
// its run. A plain signal is cheaper for the server than one that might start, and
// carries no state.
func mayRun(d message.Dispatch) bool {
	return d.Stream.Cloud() || d.Events[0].Sequence > 1
}

func (c *Client) start(ctx context.Context, id, name string, signal Signal, d message.Dispatch, s conversation.Settings) error {
	state := conversation.New(d.Address, c.Identity.Consumer(d.Address), s, d.OptedOut)
	state.Reply = d.Reply
	_, err := c.Temporal.SignalWithStartWorkflow(ctx, id, name, signal, c.options(id, d, s), Type, Input{State: state})
	return judge("signal with start", err)
}

func (c *Client) options(id string, d message.Dispatch, s conversation.Settings) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: TaskQueue,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			Account.ValueSet(s.Account), Channel.ValueSet(d.Address.Channel), StageKey.ValueSet(string(conversation.Opening))),
		StaticSummary: fmt.Sprintf("%s ↔ %s", d.Address.Channel, s.Account),
		StaticDetails: fmt.Sprintf("One consumer's conversation between channel `%s` and account `%s` of the Conversational Cloud. "+
			"Messages come in as the signals `channel-events` and `cloud-notifications`; `ToCloud` and `ToChannel` carry them on, in order. "+
			"The current state is under *Details*; the query `state` shows all of it.", d.Address.Channel, s.Account),
	}
}

// judge gives a failure of Temporal's its class. Whatever it was, the events are
// in the inbox and are signalled again.
func judge(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Class: fault.Transient, Op: op, Err: err}
}
