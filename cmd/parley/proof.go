package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/conversation"
	"parley/db"
	"parley/message"
	"parley/workflows"
)

// verdict says where an accepted event is.
type verdict string

// The verdicts, in the order of the table. The first five are at their effect. The
// sixth was sent, but nobody knows whether it arrived once: that is no proof.
const (
	published  verdict = "published"   // consumer → cloud, with its outcome in the ledger
	delivered  verdict = "delivered"   // agent → consumer, likewise
	answered   verdict = "answered"    // it was an answer to the survey
	skipped    verdict = "skipped"     // a person dropped it
	applied    verdict = "applied"     // a receipt, a snapshot, a consent: the conversation knows, nothing else follows
	uncertain  verdict = "uncertain"   // sent, and nobody has confirmed that it arrived, or arrived once
	inInbox    verdict = "inbox"       // not handed to its conversation yet
	unbound    verdict = "unbound"     // of a cloud conversation of nobody we know
	inLane     verdict = "lane"        // waits in its conversation
	parked     verdict = "parked"      // waits there for credentials, or for a person
	deadLetter verdict = "dead letter" // will not be tried again by itself
	missing    verdict = "missing"     // nowhere: this must not happen
)

var verdicts = [...]verdict{published, delivered, answered, skipped, applied, uncertain, inInbox, unbound, inLane, parked, deadLetter, missing}

// proven says whether an event of this verdict is at its effect.
func (v verdict) proven() bool {
	return slices.Index(verdicts[:], v) < slices.Index(verdicts[:], uncertain)
}

// finding is one event that is not proven to be at its effect, once. It holds
// nothing that anybody wrote and no number.
type finding struct {
	Verdict      verdict    `json:"verdict"`
	Message      message.ID `json:"message"`
	Workflow     string     `json:"workflow,omitempty"`
	Conversation string     `json:"conversation,omitempty"`
	Stored       time.Time  `json:"stored"`
	Detail       string     `json:"detail,omitempty"`
}

// report is what a verification found.
type report struct {
	Counts   map[verdict]int64 `json:"counts"`
	Findings []finding         `json:"findings"` // at most as many as were asked for
	most     int
	allowed  []verdict // do not count for the exit status
}

func (r *report) add(f finding) {
	r.Counts[f.Verdict]++
	if !f.Verdict.proven() && len(r.Findings) < r.most {
		r.Findings = append(r.Findings, f)
	}
}

// status is 0 when everything is at its effect, exitMissing when something is
// nowhere, exitWaiting when something is still somewhere else, exitUncertain when
// the only doubt left is whether something sent has arrived once: waiting longer
// does not help then.
func (r *report) status() exitStatus {
	s := exitStatus(0)
	for _, v := range verdicts {
		switch {
		case r.Counts[v] == 0 || v.proven() || slices.Contains(r.allowed, v):
		case v == missing:
			return exitMissing
		case v == uncertain:
			s = exitUncertain
		default:
			s = exitWaiting // worse than uncertain, which comes before
		}
	}
	return s
}

// allowances reads a list of verdicts that a script is content with. What is missing
// or proven is not one of them.
func allowances(list string) ([]verdict, error) {
	var allowed []verdict
	for name := range strings.SplitSeq(list, ",") {
		v := verdict(strings.TrimSpace(name))
		if v == "" {
			continue
		}
		if !slices.Contains(verdicts[:], v) || v.proven() || v == missing {
			return nil, fmt.Errorf("-allow: %q is not one of uncertain, inbox, unbound, lane, parked, dead letter", v)
		}
		allowed = append(allowed, v)
	}
	return allowed, nil
}

// records is what verification reads in Postgres; *db.Store is one.
type records interface {
	Examine(ctx context.Context, a db.Accepted, open func(db.Evidence) error) (db.Proven, error)
	Fates(context.Context, []message.ID) (map[message.ID]db.Fate, error)
	DeadLetters(context.Context, db.DeadRange) ([]db.Dead, error)
}

// runs is what it asks Temporal.
type runs interface {
	// Running returns the workflow IDs of the conversations that are going on.
	Running(context.Context) (map[string]bool, error)
	// State returns what the newest run at a workflow ID knows. running is false for
	// one that has ended; found is false where there is none.
	State(ctx context.Context, workflowID string) (s conversation.State, running, found bool, err error)
}

// subject is an event that these records do not prove, as far as it concerns us.
type subject struct {
	finding
	stream   message.Stream
	sequence int64
	parts    []message.ID // what must have been sent for it; empty when nothing follows from it
	before   []message.ID // what that is by the rules before the newest, where it differs
	discard  message.ID   // its name as a dead letter of the relay's
	closes   bool         // the consumer ends the conversation
	cloud    bool
	waits    bool // it is in the inbox
	settled  bool
	again    bool
	byBefore bool // all that the rules before wanted sent was sent, and nothing else
}

// verifier looks for the place of every event, first in Postgres, and in Temporal
// only for what Postgres does not prove.
type verifier struct {
	records  records
	runs     runs
	identity workflows.Identity
	report   *report

	chunk   []subject
	running map[string]bool // nil until somebody has asked
	left    map[string][]subject
	buried  map[message.ID]bool // dead letters that are events
}

// chunkSize is how many messages are looked up at a time.
const chunkSize = 1000

func (v *verifier) verify(ctx context.Context, a db.Accepted) error {
	v.left, v.buried = map[string][]subject{}, map[message.ID]bool{}
	p, err := v.records.Examine(ctx, a, func(e db.Evidence) error {
		if v.chunk = append(v.chunk, v.subject(e)); len(v.chunk) < chunkSize {
			return nil
		}
		return v.judge(ctx)
	})
	if err == nil {
		err = v.judge(ctx)
	}
	if err == nil {
		err = v.ask(ctx)
	}
	if err != nil {
		return err
	}
	v.report.Counts[published] += p.Published
	v.report.Counts[delivered] += p.Delivered
	v.report.Counts[applied] += p.Applied
	if len(a.Streams) > 0 {
		return nil
	}
	return v.leftovers(ctx, a)
}

// subject reads as much of an event as is needed to know what must follow from it.
func (v *verifier) subject(e db.Evidence) subject {
	s := subject{
		finding:  finding{Stored: e.At, Conversation: e.Stream.Conversation},
		stream:   e.Stream,
		sequence: e.Sequence,
		discard:  message.NewID(e.Source, e.EventID),
		cloud:    e.Stream.Cloud(),
		waits:    !e.Dispatched, settled: e.Settled, again: e.Again,
	}
	if e.Address != (message.Address{}) {
		s.Workflow = v.identity.Workflow(e.Address)
	}
	if s.cloud {
		var n message.Notification
		if s.unreadable(json.Unmarshal(e.Body, &n)); n.Kind == message.AgentWrote && !n.Private {
			s.parts = []message.ID{n.ID}
		}
		s.Message = n.ID
		return s
	}
	var in message.Inbound
	if s.unreadable(json.Unmarshal(e.Body, &in)); in.Kind == message.Wrote {
		s.parts = conversation.Parts(in)
		if before := conversation.PartsUnder(in, conversation.LatestRules-1); len(before) != len(s.parts) {
			s.before = before
		}
	}
	s.Message, s.closes = in.ID, in.Kind == message.Closed
	return s
}

func (s *subject) unreadable(err error) {
	if err != nil {
		s.Detail = "what is stored cannot be read"
		s.parts = []message.ID{s.discard}
	}
}

// judge finds the place of the events of a chunk as far as Postgres knows it.
func (v *verifier) judge(ctx context.Context) error {
	chunk := v.chunk
	v.chunk = nil
	fates, err := v.fates(ctx, chunk)
	if err != nil {
		return err
	}
	for _, s := range chunk {
		place, known := s.place(fates)
		if !known && len(s.parts) == 0 && s.Workflow != "" && !s.closes {
			if v.running == nil {
				if v.running, err = v.runs.Running(ctx); err != nil {
					return fmt.Errorf("list running conversations: %w", err)
				}
			}
			place, known = applied, v.running[s.Workflow]
		}
		if !known {
			v.left[s.Workflow] = append(v.left[s.Workflow], s)
			continue
		}
		v.found(s, place)
	}
	return nil
}

func (v *verifier) found(s subject, place verdict) {
	s.Verdict = place
	if place == deadLetter {
		v.buried[s.Message], v.buried[s.discard] = true, true
	}
	v.report.add(s.finding)
}

// fates looks up what is on record of the messages of some events.
func (v *verifier) fates(ctx context.Context, all []subject) (map[message.ID]db.Fate, error) {
	var ids []message.ID
	for _, s := range all {
		if ids = append(ids, s.parts...); len(s.parts) > 0 {
			ids = append(ids, s.discard)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return v.records.Fates(ctx, ids)
}

// place is where an event is by the records of Postgres alone; known is false when
// only its conversation can tell.
func (s *subject) place(fates map[message.ID]db.Fate) (place verdict, known bool) {
	count := map[db.Fate]int{}
	for _, id := range s.parts {
		count[fates[id]]++
	}
	done := count[db.FateDone] + count[db.FateAgain]
	s.byBefore = s.before != nil && done == len(s.before) && count[""] == len(s.parts)-done
	switch {
	case s.again, len(s.parts) > 0 && done == len(s.parts) && count[db.FateAgain] > 0:
		s.Detail = "sent again without a confirmation: perhaps twice"
		return uncertain, true
	case len(s.parts) > 0 && done == len(s.parts) && s.cloud:
		return delivered, true
	case len(s.parts) > 0 && done == len(s.parts):
		return published, true
	case count[db.FateAnswered] > 0:
		return answered, true
	case count[db.FateDead] > 0, fates[s.discard] == db.FateDead:
		return deadLetter, true
	case count[db.FateSkipped] > 0:
		return skipped, true
	case count[db.FateRedriven] > 0, fates[s.discard] == db.FateRedriven:
		s.Detail = "a dead letter that was put back"
		return inLane, true
	case s.waits && s.Workflow == "":
		return unbound, true
	case s.waits:
		return inInbox, true
	case s.settled && len(s.parts) == 0:
		return applied, true
	case s.byBefore: // whose rules they were only its conversation can tell
		return missing, false
	case s.settled:
		s.Detail = "its conversation is over"
		return missing, true
	}
	return missing, false
}

// leftovers adds the dead letters that never became an event.
func (v *verifier) leftovers(ctx context.Context, a db.Accepted) error {
	page := db.DeadRange{From: a.From, To: a.To, Limit: chunkSize}
	for {
		dead, err := v.records.DeadLetters(ctx, page)
		if err != nil {
			return err
		}
		for _, d := range dead {
			if v.buried[d.ID] || commandOf(d) != nil {
				continue
			}
			v.report.add(finding{Verdict: deadLetter, Message: d.ID, Stored: d.BuriedAt, Detail: "it never became an event"})
		}
		if len(dead) < page.Limit {
			return nil
		}
		page.After = dead[len(dead)-1]
	}
}
