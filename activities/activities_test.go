package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"parley/channels"
	"parley/conversation"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

var addr = message.Address{Channel: "sms", Consumer: "+15550100200"}

// ledger keeps in memory what db.Store keeps in Postgres.
type ledger struct {
	entries  map[message.ID]message.Entry
	echoes   map[message.ID]int
	bound    map[string]time.Time
	ended    []string
	dead     []message.DeadLetter
	ratings  []message.Rating
	known    []string
	order    []string      // of writes and effects
	broken   bool          // nothing can be written
	ahead    time.Duration // how far its clock is ahead of this process's
	finished []message.Applied
	files    map[message.ID]message.KeptFile
}

func newLedger() *ledger {
	return &ledger{
		entries: map[message.ID]message.Entry{}, echoes: map[message.ID]int{}, bound: map[string]time.Time{}, files: map[message.ID]message.KeptFile{},
	}
}

var errBroken = errors.New("database down")

func (l *ledger) Intend(_ context.Context, ids []message.ID) ([]message.Entry, error) {
	if l.broken {
		return nil, errBroken
	}
	out := make([]message.Entry, 0, len(ids))
	for _, id := range ids {
		e, there := l.entries[id]
		if !there || e.State == message.Undone {
			l.entries[id] = message.Entry{Command: id, State: message.Intended, Since: time.Now()}
			e = message.Entry{Command: id, Outcome: message.Outcome{Parts: e.Outcome.Parts}}
		}
		e.Age = time.Now().Add(l.ahead).Sub(e.Since)
		out = append(out, e)
	}
	return out, nil
}

func (l *ledger) Record(ctx context.Context, outcomes []message.Outcome) error {
	if l.broken {
		return errBroken
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, o := range outcomes {
		l.entries[o.Command] = message.Entry{Command: o.Command, State: o.State, Since: l.entries[o.Command].Since, Outcome: o}
		l.order = append(l.order, "record "+string(o.Command))
	}
	return nil
}

func (l *ledger) Echo(_ context.Context, _ string, id message.ID, _ string, _ []byte, _ time.Time) (int, bool, error) {
	sequence, ok := l.echoes[id]
	return sequence, ok, nil
}

func (l *ledger) Claim(_ context.Context, id message.ID) (int, bool, error) {
	if l.broken {
		return 0, false, errBroken
	}
	e := l.entries[id]
	e.Attempts++
	ok := e.State == message.Intended
	if ok {
		l.entries[id] = e
	}
	return e.Attempts, ok, nil
}

func (l *ledger) Proceed(_ context.Context, id message.ID, number, parts int) (bool, error) {
	e := l.entries[id]
	if l.broken || e.State != message.Intended || e.Attempts != number {
		return false, nil
	}
	e.Since, e.Outcome.Parts = time.Now(), max(parts, e.Outcome.Parts)
	l.entries[id] = e
	l.order = append(l.order, "proceed "+string(id))
	return true, nil
}

func (l *ledger) FileOf(_ context.Context, id message.ID) (message.KeptFile, bool, error) {
	f, ok := l.files[id]
	return f, ok, nil
}

func (l *ledger) SaveFile(_ context.Context, f message.KeptFile, body io.Reader) (message.KeptFile, error) {
	if l.broken {
		return f, errBroken
	}
	n, err := io.Copy(io.Discard, body)
	if err != nil || n != f.Size {
		return f, errors.Join(err, errBroken)
	}
	f.Token = "TOKEN-" + string(f.Command)
	l.files[f.Command] = f
	return f, nil
}

func (l *ledger) Known(_ context.Context, _, id string, _ message.Address) error {
	l.known = append(l.known, id)
	return nil
}

func (l *ledger) Bind(_ context.Context, _, conversation string, _ message.Address) (bool, error) {
	_, there := l.bound[conversation]
	l.bound[conversation] = time.Now()
	return !there, nil
}

func (l *ledger) Ended(_ context.Context, _, conversation string) error {
	l.ended = append(l.ended, conversation)
	return nil
}

func (l *ledger) OpenConversation(context.Context, string, message.Address) (string, time.Time, bool, error) {
	for c, at := range l.bound {
		return c, at, true, nil
	}
	return "", time.Time{}, false, nil
}

func (l *ledger) Note(context.Context, []message.Note) error { return nil }

func (l *ledger) Bury(_ context.Context, d []message.DeadLetter) error {
	l.dead = append(l.dead, d...)
	return nil
}

func (l *ledger) Rate(_ context.Context, r message.Rating) error {
	l.ratings = append(l.ratings, r)
	return nil
}

func (l *ledger) Finish(_ context.Context, _ message.Address, applied []message.Applied, _ bool) error {
	l.finished = applied
	return nil
}

// cloud records what arrives, and fails as told: the first error of a text's list
// for its first attempt, and so on.
type cloud struct {
	l        *ledger
	got      []string
	ids      []string
	sequence int
	fails    map[string][]error
	after    func(text string) // the effect happened, the caller does not know yet
	store
}

func (c *cloud) next(text string) error {
	if errs := c.fails[text]; len(errs) > 0 {
		c.fails[text] = errs[1:]
		return errs[0]
	}
	return nil
}

func (c *cloud) ConsumerID(context.Context, string) (string, error) { return "lp-consumer", nil }

func (c *cloud) Open(_ context.Context, o liveperson.Open) (liveperson.Opened, error) {
	c.opens = append(c.opens, o)
	if err := c.next("open"); err != nil {
		return liveperson.Opened{}, err
	}
	c.got = append(c.got, "open")
	return liveperson.Opened{Conversation: "C1"}, nil
}

func (c *cloud) Publish(_ context.Context, p liveperson.Publish) (liveperson.Published, error) {
	if err := c.next(p.Text); err != nil {
		return liveperson.Published{Sequence: -1}, err
	}
	c.got, c.ids = append(c.got, p.Conversation+" "+p.Text), append(c.ids, p.ExternalID)
	c.publishes = append(c.publishes, p)
	c.l.order = append(c.l.order, "publish "+p.ExternalID)
	c.sequence++
	if c.after != nil {
		c.after(p.Text)
	}
	return liveperson.Published{Sequence: c.sequence - 1}, nil
}

func (c *cloud) Accept(_ context.Context, a liveperson.Accept) (liveperson.Published, error) {
	c.got, c.accepts = append(c.got, fmt.Sprint(a.Status, a.Sequences)), append(c.accepts, a)
	return liveperson.Published{Sequence: c.sequence}, nil
}

func (c *cloud) Close(_ context.Context, cl liveperson.Close) error {
	c.closes = append(c.closes, cl)
	return c.next("close")
}

func (c *cloud) Rate(_ context.Context, r liveperson.Rate) error {
	c.got = append(c.got, fmt.Sprint(r.Status, r.CSAT))
	return nil
}

// phone is a channel that says how far it got.
type phone struct {
	limits channels.Limits
	got    []message.Outbound
	fails  []error
	parts  int
}

func (p *phone) Receive(channels.Webhook) (channels.Received, error) {
	return channels.Received{}, nil
}

func (p *phone) Limits() channels.Limits { return p.limits }

func (p *phone) Send(_ context.Context, o message.Outbound) (channels.Sent, error) {
	p.got = append(p.got, o)
	if len(p.fails) > 0 {
		err := p.fails[0]
		p.fails = p.fails[1:]
		return channels.Sent{Parts: p.parts}, err
	}
	return channels.Sent{Refs: []string{"SM1"}, Parts: 1}, nil
}

// desk joins them to activities that run in a real activity environment.
type desk struct {
	*testsuite.TestActivityEnvironment
	*Activities
	l     *ledger
	cloud *cloud
	phone *phone
	log   *bytes.Buffer
}

func newDesk(t *testing.T, policy Policy, limits channels.Limits) *desk {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	l, log := newLedger(), new(bytes.Buffer)
	c, p := &cloud{l: l, fails: map[string][]error{}}, &phone{limits: limits}
	a := &Activities{
		Clouds: map[string]Cloud{"main": c}, Channels: map[string]Channel{"sms": {p, policy}}, Store: l,
		Grace: 5 * time.Second, Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	d := &desk{suite.NewTestActivityEnvironment(), a, l, c, p, log}
	d.RegisterActivity(a)
	return d
}

func (d *desk) carry(t *testing.T, activity any, commands ...conversation.Command) Returned {
	t.Helper()
	value, err := d.ExecuteActivity(activity, Batch{Account: "main", Address: addr, Consumer: "ext", Commands: commands})
	require.NoError(t, err)
	var got Returned
	require.NoError(t, value.Get(&got))
	return got
}

func publish(text string) conversation.Command {
	return conversation.Command{ID: message.ID("id-" + text), Kind: conversation.Publish, Conversation: "C1", Dialog: "C1", Text: text}
}

func deliver(text string) conversation.Command {
	return conversation.Command{ID: message.ID("id-" + text), Kind: conversation.Deliver, Conversation: "C1", Dialog: "C1", Sequence: 3, Text: text}
}

func failed(class fault.Class) error { return fault.New(class, "publish", "made up") }

func TestABatchIsSentInOrderAndEachOutcomeIsRecordedBeforeTheNext(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	opening := conversation.Command{ID: "open", Kind: conversation.OpenConversation}
	first, second := publish("one"), publish("two")
	first.Conversation, first.Dialog, second.Conversation, second.Dialog = "", "", "", ""
	got := d.carry(t, d.ToCloud, opening, first, second)
	require.Nil(t, got.Stop)
	require.Equal(t, []string{"open", "C1 one", "C1 two"}, d.cloud.got)
	require.Equal(t, []string{"record open", "publish id-one", "record id-one", "publish id-two", "record id-two"}, d.l.order)
	require.Equal(t, "C1", got.Results[0].Conversation)
	require.Equal(t, []int{0, 1}, []int{got.Results[1].Sequence, got.Results[2].Sequence})
	require.Contains(t, d.l.bound, "C1")
	require.Equal(t, []string{"lp-consumer"}, d.l.known, "the consumer is known before the answer can be lost")
}

func TestWhatHasAnOutcomeIsAnsweredFromTheLedger(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	opening := conversation.Command{ID: "open", Kind: conversation.OpenConversation}
	first := publish("one")
	first.Conversation, first.Dialog = "", ""
	before := d.carry(t, d.ToCloud, opening, first)
	second := publish("two")
	second.Conversation, second.Dialog = "", ""
	after := d.carry(t, d.ToCloud, opening, first, second) // as after a reset
	require.Equal(t, before.Results, after.Results[:2])
	require.Equal(t, []string{"open", "C1 one", "C1 two"}, d.cloud.got)
}

func TestAnUncertainPublishIsConfirmedByItsEcho(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Intended, Since: time.Now()}
	d.l.echoes["id-one"] = 17
	got := d.carry(t, d.ToCloud, publish("one"), publish("two"))
	require.Equal(t, []string{"C1 two"}, d.cloud.got)
	require.Equal(t, 17, got.Results[0].Sequence)
	require.Equal(t, "echo", got.Results[0].Note)
	require.Equal(t, message.Done, d.l.entries["id-one"].State)
}

func TestAnUncertainPublishWaitsForItsEchoAndIsThenSentAgainAndMarked(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Intended, Since: time.Now()}
	got := d.carry(t, d.ToCloud, publish("one"))
	require.Empty(t, d.cloud.got)
	require.Equal(t, fault.Uncertain, got.Stop.Class)
	require.InDelta(t, 5, got.Stop.After.Seconds(), 1)

	d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Intended, Since: time.Now().Add(-time.Minute)}
	got = d.carry(t, d.ToCloud, publish("one"))
	require.Equal(t, []string{"C1 one"}, d.cloud.got)
	require.Equal(t, "again", got.Results[0].Note)
}

func TestHowOldAnIntentIsDoesNotDependOnThisProcessesClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute, 30 * time.Hour} {
		for _, age := range []time.Duration{time.Second, time.Minute} {
			t.Run(fmt.Sprint("the database is ", ahead, " ahead, the intent ", age, " old"), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, Confirm, channels.Limits{Correlated: true})
				d.l.ahead = ahead
				since := time.Now().Add(ahead - age)
				d.l.entries["id-up"] = message.Entry{Command: "id-up", State: message.Intended, Since: since}
				d.l.entries["id-down"] = message.Entry{Command: "id-down", State: message.Intended, Since: since}
				for _, got := range []Returned{d.carry(t, d.ToCloud, publish("up")), d.carry(t, d.ToChannel, deliver("down"))} {
					if age > d.Grace {
						require.Nil(t, got.Stop)
						require.Equal(t, "again", got.Results[0].Note)
						continue
					}
					require.Empty(t, got.Results)
					require.Equal(t, fault.Uncertain, got.Stop.Class)
					require.InDelta(t, 4, got.Stop.After.Seconds(), 1)
				}
			})
		}
	}
}

func TestARepeatIsMarkedBeforeItIsSentAndStaysMarked(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]error{
		"refused": failed(fault.Transient), "not answered": failed(fault.Uncertain), "conversation closed": failed(fault.Gone),
	} {
		for _, echoed := range []bool{false, true} {
			d := newDesk(t, Confirm, channels.Limits{})
			long := time.Now().Add(-time.Minute)
			d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Intended, Since: long}
			d.cloud.fails["one"] = []error{second}
			got := d.carry(t, d.ToCloud, publish("one"))
			require.NotNil(t, got.Stop, name)
			require.Equal(t, message.Intended, d.l.entries["id-one"].State, name+": the attempt before may have had an effect")
			require.Equal(t, "again", d.l.entries["id-one"].Outcome.Note, name)
			if echoed {
				d.l.echoes["id-one"] = 4
			}
			got = d.carry(t, d.ToCloud, publish("one"))
			require.Nil(t, got.Stop, name)
			require.Equal(t, "again", got.Results[0].Note, name+": one echo does not tell how many there are")
		}
	}
}

func TestAMarkOutlivesABatchThatDidNotGetToIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	d.l.entries["id-two"] = message.Entry{Command: "id-two", State: message.Intended, Outcome: message.Outcome{Note: "again"}}
	d.cloud.fails["one"] = []error{failed(fault.Transient)}
	d.carry(t, d.ToCloud, publish("one"), publish("two"))
	got := d.carry(t, d.ToCloud, publish("one"), publish("two"))
	require.Nil(t, got.Stop)
	require.Equal(t, []string{"", "again"}, []string{got.Results[0].Note, got.Results[1].Note})
}

func TestOnlyTheFirstWithoutAnOutcomeIsDoubted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	long := time.Now().Add(-time.Minute)
	d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Done, Outcome: message.Outcome{Command: "id-one", State: message.Done}}
	d.l.entries["id-two"] = message.Entry{Command: "id-two", State: message.Intended, Since: long}
	d.l.entries["id-three"] = message.Entry{Command: "id-three", State: message.Intended, Since: time.Now()}
	got := d.carry(t, d.ToCloud, publish("one"), publish("two"), publish("three"))
	require.Nil(t, got.Stop)
	require.Equal(t, []string{"C1 two", "C1 three"}, d.cloud.got)
	require.Equal(t, []string{"", "again", ""}, []string{got.Results[0].Note, got.Results[1].Note, got.Results[2].Note})
}

func TestAReceiptInFrontTakesNoDoubtAway(t *testing.T) {
	t.Parallel()
	receipt := conversation.Command{ID: "receipt", Kind: conversation.Acknowledge, Conversation: "C1", Dialog: "C1", Status: "ACCEPT", Sequences: []int{1}}
	d := newDesk(t, Confirm, channels.Limits{})
	d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Intended, Since: time.Now()}
	got := d.carry(t, d.ToCloud, receipt, publish("one"), publish("two"))
	require.Equal(t, fault.Uncertain, got.Stop.Class, "an attempt that died may have sent it")
	require.Len(t, got.Results, 1)
	require.Equal(t, message.Intended, d.l.entries["id-one"].State)
}

func TestWhatABatchDidNotGetToIsNotDoubted(t *testing.T) {
	t.Parallel()
	for _, class := range []fault.Class{fault.Uncertain, fault.Rejected} {
		d := newDesk(t, Confirm, channels.Limits{})
		d.cloud.fails["one"] = []error{failed(class)}
		d.carry(t, d.ToCloud, publish("one"), publish("two"), publish("three"))
		require.Equal(t, message.Undone, d.l.entries["id-two"].State)
		require.Equal(t, message.Undone, d.l.entries["id-three"].State)
		got := d.carry(t, d.ToCloud, publish("two")) // the first was taken out of the lane meanwhile
		require.Nil(t, got.Stop, "it waits for no echo")
		require.Empty(t, got.Results[0].Note)
	}
}

func TestACertainFailureTakesTheIntentBack(t *testing.T) {
	t.Parallel()
	for _, class := range []fault.Class{fault.Transient, fault.Throttled, fault.Denied, fault.Rejected, fault.Gone} {
		d := newDesk(t, Confirm, channels.Limits{})
		d.cloud.fails["one"] = []error{&fault.Error{Class: class, Op: "publish", After: 3 * time.Second}}
		got := d.carry(t, d.ToCloud, publish("one"), publish("two"))
		require.Equal(t, class, got.Stop.Class)
		require.Equal(t, 3*time.Second, got.Stop.After)
		require.Empty(t, d.cloud.got, "nothing overtakes what failed")
		got = d.carry(t, d.ToCloud, publish("one"))
		require.Nil(t, got.Stop, "the next attempt waits for no echo")
		require.Empty(t, got.Results[0].Note)
	}
}

func TestAnUncertainFailureLeavesTheIntent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	d.cloud.fails["one"] = []error{failed(fault.Uncertain)}
	d.carry(t, d.ToCloud, publish("one"))
	require.Equal(t, message.Intended, d.l.entries["id-one"].State)
}

func TestAnOutcomeThatCannotBeRecordedStandsAndEndsTheBatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	d.cloud.after = func(string) { d.l.broken = true }
	got := d.carry(t, d.ToCloud, publish("one"), publish("two"))
	require.Nil(t, got.Stop)
	require.Len(t, got.Results, 1)
	require.Equal(t, []string{"C1 one"}, d.cloud.got)
	require.Equal(t, fault.Transient, d.carry(t, d.ToCloud, publish("two")).Stop.Class)
}

func TestALostAnswerToAnOpeningIsFoundInTheBindings(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	opening := conversation.Command{ID: "open", Kind: conversation.OpenConversation}
	d.cloud.fails["open"] = []error{failed(fault.Uncertain)}
	d.carry(t, d.ToCloud, opening)
	d.l.bound["C9"] = time.Now() // its first notification has bound it
	got := d.carry(t, d.ToCloud, opening)
	require.Equal(t, "C9", got.Results[0].Conversation)
	require.Empty(t, d.cloud.got)
}

func TestAConversationThatIsOpenAlreadyIsAdopted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	opening := conversation.Command{ID: "open", Kind: conversation.OpenConversation}
	refused := &fault.Error{Class: fault.Gone, Op: "open", Code: liveperson.CodeAlreadyOpen}
	d.cloud.fails["open"] = []error{refused, refused}
	got := d.carry(t, d.ToCloud, opening)
	require.Equal(t, conversation.CodeAlreadyOpen, got.Stop.Code, "not known here yet")
	d.l.bound["C9"] = time.Now()
	require.Equal(t, "C9", d.carry(t, d.ToCloud, opening).Results[0].Conversation)
}

func TestUncertainDeliveriesByPolicy(t *testing.T) {
	t.Parallel()
	correlated := channels.Limits{Correlated: true}
	tests := []struct {
		name   string
		policy Policy
		limits channels.Limits
		age    time.Duration
		echo   bool
		sent   int
		note   string
		code   string
		class  fault.Class
	}{
		{"a channel that drops repeats gets it again", Confirm, channels.Limits{Idempotent: true}, 0, false, 1, "", "", ""},
		{"a receipt proves it", Confirm, correlated, 0, true, 0, "echo", "", ""},
		{"a receipt may still come", Confirm, correlated, time.Second, false, 0, "", "", fault.Uncertain},
		{"none came: again, and marked", Confirm, correlated, time.Minute, false, 1, "again", "", ""},
		{"resend does not wait", Resend, correlated, 0, false, 1, "again", "", ""},
		{"park leaves it to a person", Park, correlated, time.Minute, false, 0, "", conversation.CodePark, fault.Uncertain},
		{"park is content with proof", Park, correlated, 0, true, 0, "echo", "", ""},
		{"without a correlator there is nothing to wait for", Confirm, channels.Limits{}, 0, false, 1, "again", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, tt.policy, tt.limits)
			d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Intended, Since: time.Now().Add(-tt.age)}
			if tt.echo {
				d.l.echoes["id-one"] = -1
			}
			got := d.carry(t, d.ToChannel, deliver("one"))
			require.Len(t, d.phone.got, tt.sent)
			if tt.class != "" {
				require.Equal(t, tt.class, got.Stop.Class)
				require.Equal(t, tt.code, got.Stop.Code)
				return
			}
			require.Nil(t, got.Stop)
			require.Equal(t, tt.note, got.Results[0].Note)
		})
	}
}

func TestAPersonMayDecideAnUncertainDelivery(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Park, channels.Limits{Correlated: true})
	d.l.entries["id-one"] = message.Entry{Command: "id-one", State: message.Intended, Since: time.Now()}
	c := deliver("one")
	c.Again = true
	got := d.carry(t, d.ToChannel, c)
	require.Len(t, d.phone.got, 1)
	require.Equal(t, "again", got.Results[0].Note)
}

func TestALongTextResumesAtThePartThatFailed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	d.phone.fails, d.phone.parts = []error{failed(fault.Throttled)}, 2
	got := d.carry(t, d.ToChannel, deliver("long"))
	require.Equal(t, 2, got.Stop.Done)
	c := deliver("long")
	c.Done = got.Stop.Done
	d.carry(t, d.ToChannel, c)
	require.Equal(t, 2, d.phone.got[1].Done)
}

func TestADeadLetterIsKeptWithAllThatIsNeededToSendIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	c := deliver("never")
	c.Bury, c.Code, c.Attempts = "rejected", "21211", 1
	got := d.carry(t, d.ToChannel, c, deliver("next"))
	require.Len(t, got.Results, 2)
	require.Len(t, d.phone.got, 1)
	require.Len(t, d.l.dead, 1)
	require.Equal(t, "21211", d.l.dead[0].Code)
	require.True(t, bytes.Contains(d.l.dead[0].Body, []byte("never")))
}

func TestARatingIsReportedAndKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	yes := true
	d.carry(t, d.ToCloud, conversation.Command{ID: "rate", Kind: conversation.Rate, Conversation: "C1", CSAT: 5, Resolved: &yes, Status: "FILLED"})
	require.Equal(t, []string{"FILLED5"}, d.cloud.got)
	require.Equal(t, 5, d.l.ratings[0].CSAT)
	require.Equal(t, []string{"C1"}, d.l.ended)
}

func TestWhatIsNotConfiguredHereIsParkedNotLost(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	delete(d.Clouds, "main")
	delete(d.Channels, "sms")
	require.Equal(t, fault.Denied, d.carry(t, d.ToCloud, publish("one")).Stop.Class)
	require.Equal(t, fault.Denied, d.carry(t, d.ToChannel, deliver("one")).Stop.Class)
}

func TestNothingOfAConsumerIsLogged(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Resend, channels.Limits{})
	d.l.entries["id-1"] = message.Entry{Command: "id-1", State: message.Intended, Since: time.Now().Add(-time.Minute)}
	c := deliver("a consumer's words")
	c.ID = "id-1"
	d.carry(t, d.ToChannel, c)
	d.cloud.after = func(string) { d.l.broken = true }
	p := publish("a consumer's words")
	p.ID = "id-2"
	d.carry(t, d.ToCloud, p)
	require.NotEmpty(t, d.log.String())
	for _, secret := range []string{"words", "+1555", "ext"} {
		require.False(t, slices.ContainsFunc(strings.Split(d.log.String(), "\n"), func(line string) bool { return strings.Contains(line, secret) }))
	}
}

func TestWhatWasDoneIsRecordedEvenIfTheBatchWasGivenUpMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the worker's time to stop is over, or Temporal gave the batch to another
	c := publish("one")
	require.NoError(t, d.record(ctx, &c, message.Outcome{Sequence: 3}))
	require.Equal(t, message.Done, d.l.entries["id-one"].State)
}

func TestAnUncertainSendIsLeftAloneForTheGracePeriod(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	d.Grace = time.Minute
	d.cloud.fails["one"] = []error{failed(fault.Uncertain)}
	require.Equal(t, d.Grace, d.carry(t, d.ToCloud, publish("one")).Stop.After, "its intent may be much older than the send")
}
