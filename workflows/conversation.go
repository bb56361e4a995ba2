package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"parley/activities"
	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// Conversation is the workflow: one for each address, for as long as there is
// something to do. Its result is for people; everything else is in its state.
func Conversation(ctx workflow.Context, in Input) (Summary, error) {
	r := newRun(ctx, in.State)
	if err := r.handlers(ctx); err != nil {
		return Summary{}, err
	}
	for ctx.Err() == nil {
		r.drain(ctx)
		r.tick(ctx)
		r.show(ctx)
		idle, full := r.state.Idle() && r.fetching == nil, r.full(ctx)
		switch {
		case idle && r.state.Succeeded():
			return Summary{}, r.handOver(ctx, r.state.Next(workflow.Now(ctx)))
		case idle && r.state.Over():
			if r.finish(ctx) {
				return r.summary(), nil
			}
			continue
		case idle && full:
			return Summary{}, r.handOver(ctx, r.state)
		case !full:
			r.launch(ctx)
			r.fetch(ctx)
		}
		r.wait(ctx)
	}
	return Summary{}, ctx.Err()
}

// run is one run of the workflow.
type run struct {
	state    conversation.State
	channel  workflow.ReceiveChannel
	cloud    workflow.ReceiveChannel
	nudge    workflow.Channel // an update has changed the state
	flying   []flight
	fetching workflow.Future // of what was left in the inbox; nil when none is under way
	behind   message.Stream  // whose events are being fetched
	timer    alarm
	signals  int
	written  bool // what has been applied is written back
	shown    shown
	log      log.Logger
}

// flight is a batch under way.
type flight struct {
	lane   conversation.LaneName
	future workflow.Future
	notes  []message.Note // that it is to write down
}

// alarm is the one timer of a run.
type alarm struct {
	due    time.Time
	future workflow.Future
	cancel workflow.CancelFunc
}

func newRun(ctx workflow.Context, state conversation.State) *run {
	r := &run{
		state:   state,
		channel: workflow.GetSignalChannel(ctx, ChannelEvents),
		cloud:   workflow.GetSignalChannel(ctx, CloudNotifications),
		nudge:   workflow.NewBufferedChannel(ctx, 1),
		log:     workflow.GetLogger(ctx),
	}
	r.state.Rules = int(workflow.GetVersion(ctx, "rules", 1, conversation.LatestRules))
	r.state.Counts.Runs++
	r.shown = alreadyShown(ctx)
	return r
}

// drain applies every signal that is there. What is in a buffer when a run ends
// is lost, so nothing blocks between drain and the end.
func (r *run) drain(ctx workflow.Context) {
	var s Signal
	for r.channel.ReceiveAsync(&s) {
		r.take(ctx, s)
		s = Signal{}
	}
	for r.cloud.ReceiveAsync(&s) {
		r.take(ctx, s)
		s = Signal{}
	}
}

// take applies the events of one signal. What they wait for is counted from now: they
// may have been stored long ago, by a machine with another clock.
func (r *run) take(ctx workflow.Context, s Signal) {
	r.signals++
	r.feed(ctx, s.Stream, s.Events, false)
}

// feed applies stored events.
func (r *run) feed(ctx workflow.Context, stream message.Stream, events []message.Stored, fetched bool) {
	for _, stored := range events {
		e := conversation.Event{
			Kind: conversation.ConsumerWrote, At: workflow.Now(ctx), Stream: stream, Sequence: stored.Sequence, Fetched: fetched,
		}
		var err error
		if stream.Cloud() {
			e.Kind, e.Notification = conversation.CloudNotified, new(message.Notification)
			err = json.Unmarshal(stored.Body, e.Notification)
		} else {
			e.Inbound = new(message.Inbound)
			err = json.Unmarshal(stored.Body, e.Inbound)
		}
		if err != nil { // we wrote it ourselves, so this is a bug of ours: the run waits for the version that can read it
			panic("stored event cannot be read: " + err.Error())
		}
		r.apply(e)
	}
}

func (r *run) apply(e conversation.Event) {
	r.written = false
	r.state.Apply(e)
}

// tick tells the rules what time it is when they asked for it.
func (r *run) tick(ctx workflow.Context) {
	now := workflow.Now(ctx)
	if due := r.state.Due(); !due.IsZero() && !now.Before(due) {
		r.apply(conversation.Event{Kind: conversation.TimePassed, At: now})
	}
}

// full says that this run's history should come to an end.
func (r *run) full(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() >= handOverEvents || r.signals >= handOverSignals
}

// handOver goes on with a fresh history. Everything there is has been applied.
func (r *run) handOver(ctx workflow.Context, state conversation.State) error {
	return workflow.NewContinueAsNewError(ctx, Type, Input{State: state})
}

// launch starts a batch on each lane that has one and is free.
func (r *run) launch(ctx workflow.Context) {
	for _, lane := range [...]conversation.LaneName{conversation.CloudLane, conversation.ChannelLane} {
		commands := r.state.Take(lane, workflow.Now(ctx))
		if len(commands) == 0 {
			continue
		}
		options := workflow.ActivityOptions{
			StartToCloseTimeout: laneTimeout, HeartbeatTimeout: activities.HeartbeatTimeout,
			RetryPolicy: &retryLane, Summary: conversation.Describe(commands),
		}
		batch := activities.Batch{
			Account: r.state.Settings.Account, Address: r.state.Address, Consumer: r.state.Consumer, Profile: r.state.Profile,
			Language: r.state.Settings.Language, Reply: r.state.Reply, Commands: commands, Notes: r.state.Notes,
		}
		r.state.Notes = nil
		activity := any(acts.ToCloud)
		if lane == conversation.ChannelLane {
			activity = acts.ToChannel
		}
		r.flying = append(r.flying, flight{lane, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activity, batch), batch.Notes})
	}
}

// fetch asks for what was left in the inbox, once there is room for it.
func (r *run) fetch(ctx workflow.Context) {
	behind, ok := r.state.Fetches()
	if !ok || r.fetching != nil {
		return
	}
	r.behind = behind.Stream
	options := workflow.ActivityOptions{
		StartToCloseTimeout: shortTimeout, HeartbeatTimeout: activities.HeartbeatTimeout, RetryPolicy: &retryFetch,
		Summary: fmt.Sprintf("fetch what was left in the inbox, %d–%d", behind.After+1, behind.Last),
	}
	r.fetching = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), acts.Fetch, behind)
}

// fetched applies what was left in the inbox. After a failure it is asked for again.
func (r *run) fetched(ctx workflow.Context) {
	var got activities.Fetched
	err := r.fetching.Get(ctx, &got)
	r.fetching = nil
	if err != nil {
		r.log.Warn("events were not fetched from the inbox", "err", err)
		return
	}
	r.feed(ctx, r.behind, got.Events, true)
}

// wait blocks until something happens: a signal, a batch that is back, the timer,
// an update.
func (r *run) wait(ctx workflow.Context) {
	selector := workflow.NewSelector(ctx)
	receive := func(c workflow.ReceiveChannel, _ bool) {
		var s Signal
		c.Receive(ctx, &s)
		r.take(ctx, s)
	}
	selector.AddReceive(r.channel, receive)
	selector.AddReceive(r.cloud, receive)
	selector.AddReceive(r.nudge, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	for i := range r.flying {
		f := r.flying[i]
		selector.AddFuture(f.future, func(workflow.Future) { r.land(ctx, f) })
	}
	if r.fetching != nil {
		selector.AddFuture(r.fetching, func(workflow.Future) { r.fetched(ctx) })
	}
	if r.set(ctx) {
		selector.AddFuture(r.timer.future, func(workflow.Future) { r.timer = alarm{} })
	}
	selector.Select(ctx)
}

// set keeps the one timer at the time the rules wait for, and says whether there
// is one. It is replaced only when that time moves: each timer costs history.
func (r *run) set(ctx workflow.Context) bool {
	due := r.state.Due()
	if r.timer.future != nil && r.timer.due.Equal(due) {
		return true
	}
	if r.timer.future != nil {
		r.timer.cancel()
		r.timer = alarm{}
	}
	if due.IsZero() {
		return false
	}
	timer, cancel := workflow.WithCancel(ctx)
	r.timer = alarm{due: due, cancel: cancel}
	r.timer.future = workflow.NewTimerWithOptions(timer, due.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: r.state.Waiting()})
	return true
}

// land applies the outcome of a batch. Of one that came to no end nothing is known
// here; the ledger will tell the next attempt.
func (r *run) land(ctx workflow.Context, f flight) {
	for i := range r.flying {
		if r.flying[i].future == f.future {
			r.flying = append(r.flying[:i:i], r.flying[i+1:]...)
			break
		}
	}
	var got activities.Returned
	if err := f.future.Get(ctx, &got); err != nil {
		got = activities.Returned{Stop: &conversation.Stop{Class: fault.ClassOf(err), Text: "the batch came to no end"}}
		got.Unnoted = true // or written down twice: nothing is decided by them
		r.log.Warn("batch came to no end", "lane", string(f.lane), "err", err)
	}
	if got.Unnoted {
		r.state.Unnoted(f.notes)
	}
	r.apply(conversation.Event{
		Kind: conversation.BatchReturned, At: workflow.Now(ctx), Lane: f.lane, Results: got.Results, Stop: got.Stop,
	})
}

// finish writes back what was applied, so that the next run starts after it, and
// says whether the run may end: not if something arrived meanwhile.
func (r *run) finish(ctx workflow.Context) bool {
	if !r.written {
		r.written = true
		options := workflow.ActivityOptions{
			StartToCloseTimeout: shortTimeout, HeartbeatTimeout: activities.HeartbeatTimeout,
			RetryPolicy: &retryFinish, Summary: "write back what was applied",
		}
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), acts.Finish, activities.Ending{
			Account: r.state.Settings.Account, Address: r.state.Address, Applied: r.state.Applied, OptedOut: r.state.OptedOut,
			Conversations: r.state.Past, Notes: r.state.Notes,
		}).Get(ctx, nil)
		if err != nil {
			r.written = false
			return false
		}
		r.state.Notes = nil
	}
	r.drain(ctx)
	return r.written && r.state.Over() && workflow.AllHandlersFinished(ctx)
}

func (r *run) summary() Summary {
	return Summary{
		Conversation: r.state.Cloud.Conversation, ClosedBy: r.state.Closer, Survey: r.state.Survey.Status,
		CSAT: r.state.Survey.CSAT, Solved: r.state.Survey.Resolved, Counts: r.state.Counts,
	}
}
