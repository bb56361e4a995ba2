package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// sender carries one kind of lane: the difference between the cloud and a channel.
type sender interface {
	// confirm looks for proof that a command whose outcome is not known was done.
	// It returns the outcome if there is proof; wait, more than 0, if it is too early
	// to say; and whether it must not be sent again without a person.
	confirm(ctx context.Context, c *conversation.Command, e message.Entry) (verdict, error)
	// send does a command, once.
	send(ctx context.Context, c *conversation.Command) (message.Outcome, error)
	// sees a command that is done, now or by an earlier attempt.
	sees(c *conversation.Command, o message.Outcome)
	// bury describes a command as a dead letter.
	bury(c *conversation.Command) message.DeadLetter
}

// verdict is what confirm found out.
type verdict struct {
	outcome *message.Outcome // proof
	wait    time.Duration    // too early to say
	park    bool             // a person has to decide
	safe    bool             // a repeat does no harm: there is nothing to mark
}

// run does the commands of a batch, one strictly after the other, and stops at
// the first failure. Only the first command without an outcome can have been
// sent by an attempt that died: each outcome is recorded before the next is sent.
func (a *Activities) run(ctx context.Context, commands []conversation.Command, s sender) Returned {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := &pulse{began: time.Now()}
	go alive.beat(ctx)

	found, err := a.intend(ctx, commands)
	if err != nil {
		return Returned{Stop: stop(err)}
	}
	out := Returned{Results: make([]conversation.Result, 0, len(commands))}
	doubt := true
	for i := range commands {
		if ctx.Err() != nil || alive.stale() {
			return out // another worker may have it
		}
		if time.Since(alive.began) > enough || stopping(ctx) {
			a.release(ctx, commands[i:], found[i:], doubt)
			return out // what is left is asked for again at once
		}
		c := &commands[i]
		outcome, err := a.do(ctx, c, found[i], doubt, s)
		if errors.Is(err, errUnrecorded) {
			out.Results = append(out.Results, result(c, outcome))
			return out
		}
		// What is not in the ledger says nothing about what comes after it.
		doubt = doubt && (!inLedger(c) || found[i].State == message.Done)
		if err != nil {
			a.release(ctx, commands[i+1:], found[i+1:], doubt)
			out.Stop = stop(err)
			out.Stop.Done = outcome.Parts
			if out.Stop.Class == fault.Uncertain && out.Stop.After == 0 {
				out.Stop.After = a.Grace // from now: the intent may be much older than the send
			}
			return out
		}
		s.sees(c, outcome)
		out.Results = append(out.Results, result(c, outcome))
	}
	return out
}

// intend writes the intents of a batch and returns what is known of each command,
// nothing for those that are not in the ledger.
func (a *Activities) intend(ctx context.Context, commands []conversation.Command) ([]message.Entry, error) {
	entries, err := a.Store.Intend(ctx, ledgered(commands))
	if err != nil {
		return nil, err
	}
	found := make([]message.Entry, len(commands))
	for i, next := 0, 0; i < len(commands); i++ {
		if inLedger(&commands[i]) {
			found[i], next = entries[next], next+1
		}
	}
	return found, nil
}

// release takes back the intents of commands that this batch did not get to. The
// next one may begin with any of them, and would take it for uncertain. doubt says
// that the first of them may have been sent by an attempt that died.
func (a *Activities) release(ctx context.Context, commands []conversation.Command, found []message.Entry, doubt bool) {
	var undone []message.Outcome
	for i := range commands {
		if !inLedger(&commands[i]) || found[i].State == message.Done {
			continue
		}
		if marked(found[i]) != "" {
			doubt = false
			continue
		}
		if !doubt || found[i].State != message.Intended {
			undone = append(undone, message.Outcome{Command: commands[i].ID, State: message.Undone, Sequence: -1})
		}
		doubt = false
	}
	if len(undone) == 0 || ctx.Err() != nil { // given up: another worker may be at it already
		return
	}
	ctx, cancel := context.WithTimeout(ctx, releaseWithin)
	defer cancel()
	if err := persist(ctx, func(ctx context.Context) error { return a.Store.Record(ctx, undone) }); err != nil {
		a.Log.WarnContext(ctx, "the intents of a batch that ended stand: the next may be confirmed first", "err", err)
	}
}

// releaseWithin bounds what is only a courtesy to the next batch.
const releaseWithin = 2 * time.Second

// do does one command, unless it is done already, and records what became of it.
func (a *Activities) do(ctx context.Context, c *conversation.Command, e message.Entry, doubt bool, s sender) (message.Outcome, error) {
	if e.State == message.Done {
		return e.Outcome, nil
	}
	if c.Bury != "" {
		if err := a.Store.Bury(ctx, []message.DeadLetter{s.bury(c)}); err != nil {
			return message.Outcome{}, err
		}
		a.observer().Buried(c.Lane())
		return message.Outcome{Sequence: -1}, nil
	}
	c.Done = max(c.Done, e.Outcome.Parts)
	note := marked(e)
	if e.State == message.Intended && doubt {
		v, err := s.confirm(ctx, c, e)
		switch {
		case err != nil:
			return message.Outcome{}, err
		case v.outcome != nil:
			a.Log.InfoContext(ctx, "uncertain send confirmed by its echo", "message", c.ID)
			if v.outcome.Note = note; note == "" {
				v.outcome.Note = "echo"
			}
			return *v.outcome, a.record(ctx, c, *v.outcome)
		case v.park && !c.Again:
			return message.Outcome{}, &fault.Error{Class: fault.Uncertain, Op: "confirm", Code: conversation.CodePark, Err: errPark}
		case v.wait > 0 && !c.Again:
			return message.Outcome{}, &fault.Error{Class: fault.Uncertain, Op: "confirm", After: v.wait, Err: errEcho}
		case !v.safe:
			if err := a.mark(ctx, c); err != nil {
				return message.Outcome{}, err
			}
			note = again
			a.observer().Uncertain()
			a.Log.WarnContext(ctx, "sending again without a confirmation: possibly doubled", "message", c.ID)
		}
	}
	outcome, err := s.send(ctx, c)
	if err != nil && note == again { // that this attempt had no effect says nothing of the one before
		return outcome, err
	}
	if err != nil {
		return outcome, a.unsent(ctx, c, err)
	}
	outcome.Note = note
	return outcome, a.record(ctx, c, outcome)
}

// again is the note of a command that was sent again without a confirmation.
const again = "again"

// mark writes down that a command is about to be sent again. It is on record
// before the repeat is: an attempt that dies then, or is not answered either, is
// confirmed by the echo of any of them, and that does not tell how many there are.
func (a *Activities) mark(ctx context.Context, c *conversation.Command) error {
	return a.Store.Record(ctx, []message.Outcome{{Command: c.ID, State: message.Intended, Sequence: -1, Note: again}})
}

// marked is the note that stays with a command whatever becomes of it.
func marked(e message.Entry) string {
	if e.Outcome.Note == again {
		return again
	}
	return ""
}

// errUnrecorded ends a batch after a command that was done but could not be
// recorded. Its result stands, the workflow remembers it; the next command must
// not go before the ledger works again.
var errUnrecorded = errors.New("done, but not recorded")

// recordWithin bounds the record of one outcome.
const recordWithin = 5 * time.Second

// record writes the outcome of a command that was done. It is true even if the
// batch was given up meanwhile, and keeps another worker from doing it again.
func (a *Activities) record(ctx context.Context, c *conversation.Command, o message.Outcome) error {
	if !inLedger(c) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	o.Command, o.State = c.ID, message.Done
	err := persist(ctx, func(ctx context.Context) error { return a.Store.Record(ctx, []message.Outcome{o}) })
	if err != nil {
		a.Log.ErrorContext(ctx, "outcome not recorded", "message", c.ID, "err", err)
		return errUnrecorded
	}
	return nil
}

// stopping says that this worker is about to stop.
func stopping(ctx context.Context) bool {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return true
	default:
		return false
	}
}

// unsent takes the intent back when a failure certainly had no effect, so that
// the next attempt need not wait for an echo that cannot come.
func (a *Activities) unsent(ctx context.Context, c *conversation.Command, cause error) error {
	if fault.ClassOf(cause) == fault.Uncertain || !inLedger(c) {
		return cause
	}
	err := persist(ctx, func(ctx context.Context) error {
		return a.Store.Record(ctx, []message.Outcome{{Command: c.ID, State: message.Undone, Sequence: -1}})
	})
	if err != nil {
		a.Log.WarnContext(ctx, "the intent of a failed send stands: it will be confirmed first", "message", c.ID, "err", err)
	}
	return cause
}

// persist tries a short write a few times: its alternative is to wait for an echo.
func persist(ctx context.Context, write func(context.Context) error) error {
	var err error
	for wait := 50 * time.Millisecond; wait < time.Second; wait *= 2 {
		if err = write(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
	return err
}

// inLedger says whether a command must not be done twice. An accept status may.
func inLedger(c *conversation.Command) bool {
	return c.Kind != conversation.Acknowledge && c.Bury == ""
}

func ledgered(commands []conversation.Command) []message.ID {
	ids := make([]message.ID, 0, len(commands))
	for i := range commands {
		if inLedger(&commands[i]) {
			ids = append(ids, commands[i].ID)
		}
	}
	return ids
}

func result(c *conversation.Command, o message.Outcome) conversation.Result {
	return conversation.Result{Command: c.ID, Conversation: o.Conversation, Sequence: o.Sequence, Refs: o.Refs, Note: o.Note}
}
