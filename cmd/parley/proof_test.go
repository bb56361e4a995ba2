package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/conversation"
	"parley/db"
	"parley/message"
	"parley/workflows"
)

var (
	caller = message.Address{Channel: "sms", Consumer: "+15550100200"}
	nobody = message.Address{}
	key    = workflows.Identity{Key: []byte("0123456789abcdef0123456789abcdef")}
)

// shelf is what Postgres and Temporal know in a test.
type shelf struct {
	evidence []db.Evidence
	fates    []map[message.ID]db.Fate // one after the other; the last stays
	dead     []db.Dead
	running  map[string]bool
	state    conversation.State
	ended    bool // the run of state
	none     bool // there is no run
	down     bool // queries fail
	asked    int
}

func (s *shelf) Examine(_ context.Context, _ db.Accepted, open func(db.Evidence) error) (db.Proven, error) {
	for _, e := range s.evidence {
		if err := open(e); err != nil {
			return db.Proven{}, err
		}
	}
	return db.Proven{Published: 7, Delivered: 5, Applied: 3}, nil
}

func (s *shelf) Fates(ctx context.Context, _ []message.ID) (map[message.ID]db.Fate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(s.fates) == 0 {
		return nil, nil
	}
	f := s.fates[0]
	if len(s.fates) > 1 {
		s.fates = s.fates[1:]
	}
	return f, nil
}

func (s *shelf) DeadLetters(context.Context, db.DeadRange) ([]db.Dead, error) { return s.dead, nil }

func (s *shelf) Running(context.Context) (map[string]bool, error) { return s.running, nil }

func (s *shelf) State(context.Context, string) (conversation.State, bool, bool, error) {
	s.asked++
	if s.down {
		return conversation.State{}, false, false, errors.New("no worker")
	}
	return s.state, !s.ended, !s.none, nil
}

func verified(t *testing.T, s *shelf) *report {
	t.Helper()
	v := &verifier{records: s, runs: s, identity: key, report: &report{Counts: map[verdict]int64{}, most: 10}}
	require.NoError(t, v.verify(t.Context(), db.Accepted{}))
	return v.report
}

func fromChannel(in message.Inbound, change ...func(*db.Evidence)) db.Evidence {
	in.ID, in.Address = "id-"+message.ID(in.EventID), caller
	return stored(in, message.Stream{Address: caller}, change...)
}

func fromCloud(n message.Notification, change ...func(*db.Evidence)) db.Evidence {
	n.ID = "id-" + message.ID(n.EventID)
	return stored(n, message.Stream{Account: "main", Conversation: "C1"}, change...)
}

func stored(v any, stream message.Stream, change ...func(*db.Evidence)) db.Evidence {
	body, _ := json.Marshal(v)
	e := db.Evidence{
		Stream: stream, Address: caller, Sequence: 4, At: time.Now(), Source: "channel/sms", EventID: "e", Starts: true, Dispatched: true, Body: body,
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

func TestWhereEventsAre(t *testing.T) {
	t.Parallel()
	text := message.Inbound{Kind: message.Wrote, EventID: "m", Text: "hello"}
	long := message.Inbound{Kind: message.Wrote, EventID: "m", Text: strings.Repeat("word ", 3000)}
	receipt := message.Inbound{Kind: message.Receipts, EventID: "m"}
	picture := message.Inbound{Kind: message.Wrote, EventID: "m", Text: "see", Attachments: []message.Attachment{{Name: "a.png"}}}
	file := message.NewID("id-m", "1")
	old := conversation.State{Rules: 1, Applied: []message.Applied{{Stream: message.Stream{Address: caller}, Sequence: 4}}}
	recent := old
	recent.Rules = conversation.LatestRules
	sending := conversation.State{ToCloud: conversation.Lane{Queue: []conversation.Command{{ID: file, Kind: conversation.PublishFile}}}}
	leaves := message.Inbound{Kind: message.Closed, EventID: "m"}
	reply := message.Notification{Kind: message.AgentWrote, EventID: "m"}
	change := message.Notification{Kind: message.Conversation, EventID: "m"}
	waits := func(e *db.Evidence) { e.Dispatched = false }
	settled := func(e *db.Evidence) { e.Settled = true }
	queued := conversation.State{ToCloud: conversation.Lane{Queue: []conversation.Command{{ID: "id-m", Kind: conversation.Publish}}}}
	stuck := queued
	stuck.ToCloud.Parked = "denied"
	took := func(stream message.Stream) conversation.State {
		return conversation.State{Applied: []message.Applied{{Stream: stream, Sequence: 4}}}
	}
	fate := func(f db.Fate) []map[message.ID]db.Fate { return []map[message.ID]db.Fate{{"id-m": f}} }
	cloud := message.Stream{Account: "main", Conversation: "C1"}

	for name, tt := range map[string]struct {
		s    shelf
		e    db.Evidence
		want verdict
	}{
		"sent under another name in the inbox":       {shelf{fates: fate(db.FateDone)}, fromChannel(text), published},
		"an agent's, delivered":                      {shelf{fates: fate(db.FateDone)}, fromCloud(reply), delivered},
		"sent again without a confirmation":          {shelf{}, fromChannel(text, func(e *db.Evidence) { e.Again = true }), uncertain},
		"an answer to the survey":                    {shelf{fates: fate(db.FateAnswered)}, fromChannel(text, settled), answered},
		"dropped by a person":                        {shelf{fates: fate(db.FateSkipped)}, fromChannel(text), skipped},
		"a dead letter":                              {shelf{fates: fate(db.FateDead)}, fromChannel(text), deadLetter},
		"a dead letter of the relay's":               {shelf{fates: []map[message.ID]db.Fate{{message.NewID("channel/sms", "e"): db.FateDead}}}, fromChannel(text), deadLetter},
		"put back":                                   {shelf{fates: fate(db.FateRedriven)}, fromChannel(text, settled), inLane},
		"a long text of which a part is missing":     {shelf{fates: fate(db.FateDone), state: took(message.Stream{Address: caller})}, fromChannel(long), missing},
		"not dispatched":                             {shelf{}, fromChannel(text, waits), inInbox},
		"of nobody we know":                          {shelf{}, fromCloud(reply, waits, func(e *db.Evidence) { e.Address = nobody }), unbound},
		"taken by a run that is over, and lost":      {shelf{}, fromChannel(text, settled), missing},
		"in a lane":                                  {shelf{state: queued}, fromChannel(text), inLane},
		"parked":                                     {shelf{state: stuck}, fromChannel(text), parked},
		"in a lane of a run that was terminated":     {shelf{state: queued, ended: true}, fromChannel(text), missing},
		"for the next conversation":                  {shelf{state: conversation.State{Pending: []message.Inbound{{ID: "id-m"}}}}, fromChannel(text), inLane},
		"held for an earlier one":                    {shelf{state: conversation.State{Dialogs: []conversation.Dialog{{Held: []conversation.Held{{Notification: message.Notification{ID: "id-m"}}}}}}}, fromCloud(reply), inLane},
		"left in the inbox for want of room":         {shelf{state: conversation.State{Behind: []conversation.Behind{{Stream: cloud, After: 3, Last: 9}}}}, fromCloud(reply), inLane},
		"signalled and not taken":                    {shelf{}, fromChannel(text), inLane},
		"taken, and nowhere":                         {shelf{state: took(message.Stream{Address: caller})}, fromChannel(text), missing},
		"sent, and the outcome was not recorded":     {shelf{fates: fate(db.FateIntended), state: took(cloud)}, fromCloud(reply), uncertain},
		"a long text of which a part was not sent":   {shelf{fates: fate(db.FateIntended), state: took(message.Stream{Address: caller})}, fromChannel(long), missing},
		"about to be sent":                           {shelf{fates: fate(db.FateIntended), state: queued}, fromChannel(text), inLane},
		"sent while we looked":                       {shelf{fates: []map[message.ID]db.Fate{{}, {"id-m": db.FateDone}}, state: took(cloud)}, fromCloud(reply), delivered},
		"a text and its file":                        {shelf{fates: []map[message.ID]db.Fate{{"id-m": db.FateDone, file: db.FateDone}}}, fromChannel(picture, settled), published},
		"a text without its file":                    {shelf{fates: fate(db.FateDone), state: recent}, fromChannel(picture, settled), missing},
		"a file as a line of the text, as it was":    {shelf{fates: fate(db.FateDone), state: old, ended: true}, fromChannel(picture, settled), published},
		"a file on its way":                          {shelf{fates: fate(db.FateDone), state: sending}, fromChannel(picture), inLane},
		"a file that is a dead letter":               {shelf{fates: []map[message.ID]db.Fate{{"id-m": db.FateDone, file: db.FateDead}}}, fromChannel(picture, settled), deadLetter},
		"a click, published under its own name":      {shelf{fates: fate(db.FateDone)}, fromChannel(message.Inbound{Kind: message.Wrote, EventID: "m", Choice: &message.Choice{ID: "x/1", Title: "Yes"}}), published},
		"an agent's file, delivered":                 {shelf{fates: fate(db.FateDone)}, fromCloud(message.Notification{Kind: message.AgentWrote, EventID: "m", File: &message.File{Path: "/p"}}), delivered},
		"a profile that was written back":            {shelf{down: true}, fromChannel(message.Inbound{Kind: message.Known, EventID: "m"}, settled), applied},
		"without a conversation":                     {shelf{none: true}, fromChannel(text), missing},
		"nobody answers":                             {shelf{down: true}, fromChannel(text), inLane},
		"a snapshot of a conversation that goes on":  {shelf{running: map[string]bool{key.Workflow(caller): true}, down: true}, fromCloud(change), applied},
		"a snapshot that a run has taken":            {shelf{state: took(cloud)}, fromCloud(change), applied},
		"a receipt after the end":                    {shelf{none: true}, fromChannel(receipt), applied},
		"a receipt that was written back":            {shelf{down: true}, fromChannel(receipt, settled), applied},
		"the consumer's close, after the end":        {shelf{ended: true}, fromChannel(leaves), missing},
		"what cannot be read, and was never counted": {shelf{none: true}, db.Evidence{Dispatched: true, Body: []byte("?")}, missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.s.evidence = []db.Evidence{tt.e}
			r := verified(t, &tt.s)
			n := int64(1)
			switch tt.want {
			case published:
				n += 7
			case delivered:
				n += 5
			case applied:
				n += 3
			}
			assert.Equal(t, n, r.Counts[tt.want], "%+v", r)
			if len(r.Findings) > 0 {
				assert.Equal(t, tt.want, r.Findings[0].Verdict)
				out, err := json.Marshal(r)
				require.NoError(t, err)
				assert.NotContains(t, string(out), caller.Consumer)
				assert.NotContains(t, string(out), "hello")
			}
		})
	}
}

func TestAConversationIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	for range 2500 {
		s.evidence = append(s.evidence, fromChannel(message.Inbound{Kind: message.Wrote, EventID: "m"}))
	}
	r := verified(t, s)
	assert.Equal(t, 1, s.asked)
	assert.EqualValues(t, 2500, r.Counts[inLane])
	assert.Len(t, r.Findings, 10, "no more than were asked for")
	assert.Equal(t, exitStatus(exitWaiting), r.status())
}

func TestLeftoversAreCountedOnce(t *testing.T) {
	t.Parallel()
	s := &shelf{
		evidence: []db.Evidence{fromChannel(message.Inbound{Kind: message.Wrote, EventID: "m"})},
		fates:    []map[message.ID]db.Fate{{"id-m": db.FateDead}},
		dead: []db.Dead{
			{DeadLetter: message.DeadLetter{ID: "id-m"}},
			{DeadLetter: message.DeadLetter{ID: "other", Address: caller, Body: []byte(`{"id":"other","kind":"deliver"}`)}},
			{DeadLetter: message.DeadLetter{ID: "webhook"}},
		},
	}
	assert.EqualValues(t, 2, verified(t, s).Counts[deadLetter], "the event, and what never became one; not what came before")
}

func TestExitStatusOfVerify(t *testing.T) {
	t.Parallel()
	for want, counts := range map[exitStatus]map[verdict]int64{
		0: {published: 3, missing: 0}, exitUncertain: {published: 3, uncertain: 1}, exitWaiting: {published: 3, inInbox: 1, uncertain: 1},
		exitMissing: {inInbox: 1, uncertain: 1, missing: 1},
	} {
		assert.Equal(t, want, (&report{Counts: counts}).status())
	}
	allowed, err := allowances("uncertain, dead letter,")
	require.NoError(t, err)
	for want, counts := range map[exitStatus]map[verdict]int64{
		0: {uncertain: 2, deadLetter: 1}, exitWaiting: {uncertain: 1, parked: 1}, exitMissing: {deadLetter: 1, missing: 1},
	} {
		assert.Equal(t, want, (&report{Counts: counts, allowed: allowed}).status())
	}
	for _, wrong := range []string{"missing", "published", "uncertian"} {
		_, err := allowances(wrong)
		assert.ErrorContains(t, err, wrong)
	}
	var out, errs strings.Builder
	assert.Equal(t, 3, explain(&errs, "verify", exitStatus(3)))
	assert.Empty(t, errs.String())
	r := &report{Counts: map[verdict]int64{missing: 2}, Findings: []finding{{Verdict: missing, Message: "id"}}}
	require.NoError(t, r.write(&out, time.Second))
	assert.Contains(t, out.String(), "and 1 more")
}
