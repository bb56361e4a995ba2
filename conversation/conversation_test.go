package conversation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/fault"
	"parley/message"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// script drives a state the way the workflow does, with a clock of its own.
type script struct {
	t       *testing.T
	s       State
	at      time.Time
	inbound int64
	cloud   int64
	next    int // the cloud's sequence in the current dialog
	asked   int // the same, in the dialog of its survey
}

func begin(t *testing.T, change ...func(*Settings)) *script {
	t.Helper()
	catalogue, err := LoadCatalogue(nil)
	if err != nil {
		t.Fatal(err)
	}
	settings := Settings{
		Account: "main", Language: "en", Survey: SurveyConnector, SurveyTimeout: time.Hour,
		ReorderWindow: 2 * time.Second, Texts: catalogue["en"], CloseWords: []string{"bye"},
	}
	for _, f := range change {
		f(&settings)
	}
	x := &script{t: t, at: noon, s: New(message.Address{Channel: "sms", Consumer: "c"}, "ext", settings, false)}
	x.s.Rules = LatestRules
	return x
}

func (x *script) event(in message.Inbound) {
	x.inbound++
	in.Address = x.s.Address
	if in.ID == "" {
		in.ID = message.NewID("in", in.Text, string(rune(x.inbound)))
	}
	x.s.Apply(Event{Kind: ConsumerWrote, At: x.at, Stream: message.Stream{Address: x.s.Address}, Sequence: x.inbound, Inbound: &in})
}

func (x *script) writes(texts ...string) {
	for _, text := range texts {
		x.event(message.Inbound{Kind: message.Wrote, Text: text})
	}
}

func (x *script) notify(n message.Notification) {
	x.cloud++
	if n.Conversation == "" {
		n.Conversation = "C1"
	}
	n.ID = message.NewID("cloud", n.Conversation, string(rune(x.cloud)))
	x.s.Apply(Event{
		Kind: CloudNotified, At: x.at, Stream: message.Stream{Account: "main", Conversation: n.Conversation},
		Sequence: x.cloud, Notification: &n,
	})
}

func (x *script) agent(sequence int, text string) {
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "C1", Sequence: sequence, Text: text})
}

func (x *script) closes(reason string) {
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: int64(x.cloud + 1), CloseReason: reason}})
}

// carries takes the batch of a lane, answers every command with success, and
// returns what was carried, in words.
func (x *script) carries(lane LaneName) []string {
	x.t.Helper()
	batch := x.s.Take(lane, x.at)
	var out []string
	var results []Result
	for i := range batch {
		out = append(out, says(&batch[i]))
		results = append(results, x.accept(&batch[i]))
	}
	if batch != nil {
		x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: lane, Results: results})
	}
	return out
}

func (x *script) accept(c *Command) Result {
	r := Result{Command: c.ID, Sequence: -1}
	switch {
	case c.Kind == OpenConversation:
		r.Conversation = "C1"
	case !c.speaks() && c.Kind != Acknowledge:
	case c.surveyed():
		r.Sequence = x.asked
		x.asked++
	default:
		r.Sequence = x.next
		x.next++
	}
	return r
}

// fails takes the batch of a lane and answers its first command with a failure.
func (x *script) fails(lane LaneName, stop Stop) []Command {
	batch := x.s.Take(lane, x.at)
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: lane, Stop: &stop})
	return batch
}

func (x *script) passes(d time.Duration) {
	x.at = x.at.Add(d)
	x.s.Apply(Event{Kind: TimePassed, At: x.at})
}

func says(c *Command) string {
	words := []string{string(c.Kind)}
	dialog := c.Dialog
	if !c.surveyed() {
		dialog = ""
	}
	for _, w := range []string{c.Conversation, dialog, c.Status, c.Way, c.Urgency, c.Text, string(c.Metadata), c.Bury} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func (x *script) want(what string, got []string, want ...string) {
	x.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (x *script) stage(want Stage) {
	x.t.Helper()
	if x.s.Stage != want {
		x.t.Errorf("stage is %s, want %s", x.s.Stage, want)
	}
}

func TestAFirstMessageOpensOneConversation(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello", "are you there?")
	x.want("first batch", x.carries(CloudLane), "open", "publish hello", "publish are you there?")
	x.stage(Open)
	x.writes("still waiting")
	x.want("second batch", x.carries(CloudLane), "publish C1 still waiting")
}

func TestARedeliveredEventChangesNothing(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	in := message.Inbound{Kind: message.Wrote, ID: "again", Text: "hello", Address: x.s.Address}
	x.s.Apply(Event{Kind: ConsumerWrote, At: x.at, Stream: message.Stream{Address: x.s.Address}, Sequence: 1, Inbound: &in})
	x.want("batch", x.carries(CloudLane), "open", "publish hello")
}

func TestAnAgentsMessageIsDeliveredAndAccepted(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "good day")
	x.want("delivered", x.carries(ChannelLane), "deliver C1 good day")
	x.want("accepted", x.carries(CloudLane), "acknowledge C1 ACCEPT")
}

func TestAcceptWaitsForAChannelThatReportsDelivery(t *testing.T) {
	t.Parallel()
	x := begin(t, func(s *Settings) { s.Receipts = true })
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "one")
	x.agent(2, "two")
	one := x.s.ToChannel.Queue[0].ID
	two := x.s.ToChannel.Queue[1].ID
	x.carries(ChannelLane)
	x.want("nothing yet", x.carries(CloudLane))
	receipt := func(id message.ID, state message.ReceiptState) {
		x.event(message.Inbound{Kind: message.Receipts, ID: message.NewID(string(id), string(state)), Receipt: &message.Receipt{Message: id, State: state}})
	}
	receipt(one, message.Delivered)
	receipt(two, message.Delivered)
	receipt(two, message.Failed)
	receipt(one, message.Delivered)
	if c := x.s.ToCloud.Queue; len(c) != 1 || !cmp.Equal(c[0].Sequences, []int{1, 2}) {
		t.Fatalf("want one ACCEPT for 1 and 2, got %+v", c)
	}
	x.want("merged", x.carries(CloudLane), "acknowledge C1 ACCEPT")
	receipt(one, message.Read)
	x.want("read", x.carries(CloudLane), "acknowledge C1 READ")
}

func TestAReceiptMayComeBeforeTheBatchIsBack(t *testing.T) {
	t.Parallel()
	x := begin(t, func(s *Settings) { s.Receipts = true })
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "hi")
	batch := x.s.Take(ChannelLane, x.at)
	x.event(message.Inbound{Kind: message.Receipts, ID: "r", Receipt: &message.Receipt{Message: batch[0].ID, State: message.Delivered}})
	x.want("nothing yet", x.carries(CloudLane))
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: ChannelLane, Results: []Result{x.accept(&batch[0])}})
	x.want("accepted", x.carries(CloudLane), "acknowledge C1 ACCEPT")
	if len(x.s.Early) != 0 {
		t.Errorf("%d receipts are still kept", len(x.s.Early))
	}
}

func TestAgentsMessagesWaitForASmallerSequence(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane) // takes sequence 0
	x.agent(3, "third")
	x.agent(2, "second")
	x.want("too early", x.carries(ChannelLane))
	x.agent(1, "first")
	x.want("in order", x.carries(ChannelLane), "deliver C1 first", "deliver C1 second", "deliver C1 third")
	if x.s.Counts.Gaps != 0 {
		t.Errorf("%d gaps counted, none was there", x.s.Counts.Gaps)
	}
}

func TestAGapIsGivenUpAfterAWhile(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(4, "after the gap")
	x.passes(time.Second)
	x.want("waiting", x.carries(ChannelLane))
	if got, want := x.s.Due(), x.at.Add(time.Second); !got.Equal(want) {
		t.Errorf("due at %s, want %s", got, want)
	}
	x.passes(time.Second)
	x.want("released", x.carries(ChannelLane), "deliver C1 after the gap")
	if x.s.Counts.Gaps != 1 || x.s.Notes[0].What != "gap" {
		t.Errorf("the gap is not on record: %+v", x.s.Notes)
	}
}

func TestSequencesOfOthersFillGaps(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.notify(message.Notification{Kind: message.AgentSaw, Dialog: "C1", Sequence: 1, Status: "READ"})
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "C1", Sequence: 2, Text: "among us", Private: true})
	x.agent(3, "hi")
	x.want("at once, and nothing private", x.carries(ChannelLane), "deliver C1 hi")
}

func TestFailuresByClass(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		stop   Stop
		wait   time.Duration
		parked string
	}{
		{"a server error waits as the vendor asks", Stop{Class: fault.Uncertain}, 5 * time.Second, ""},
		{"a refused connection is tried soon", Stop{Class: fault.Transient}, time.Second, ""},
		{"throttling waits at least a second", Stop{Class: fault.Throttled}, time.Second, ""},
		{"throttling waits as long as it is told", Stop{Class: fault.Throttled, After: 20 * time.Second}, 20 * time.Second, ""},
		{"nobody is waited for longer than five minutes", Stop{Class: fault.Throttled, After: 10 * time.Hour}, 5 * time.Minute, ""},
		{"wrong credentials park the lane", Stop{Class: fault.Denied}, 15 * time.Second, "denied"},
		{"an uncertain send can be left to a person", Stop{Class: fault.Uncertain, Code: CodePark}, 7 * 24 * time.Hour, "uncertain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := begin(t)
			x.writes("hello")
			x.carries(CloudLane)
			x.writes("more")
			x.fails(CloudLane, tt.stop)
			x.want("waits", x.carries(CloudLane))
			if got := x.s.Due().Sub(x.at); got != tt.wait {
				t.Errorf("waits %s, want %s", got, tt.wait)
			}
			if x.s.ToCloud.Parked != tt.parked {
				t.Errorf("parked %q, want %q", x.s.ToCloud.Parked, tt.parked)
			}
			x.passes(tt.wait)
			x.want("goes on", x.carries(CloudLane), "publish C1 more")
			if x.s.ToCloud.Attempts != 0 || x.s.ToCloud.Parked != "" {
				t.Errorf("the failure is not forgotten: %+v", x.s.ToCloud)
			}
		})
	}
}

// While an account answers nobody, lanes look again and again without trying: what
// fails after that waits no longer than after a few failures.
func TestWhatIsNotTriedMakesNoWaitLonger(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("more")
	for range 20 {
		x.fails(CloudLane, Stop{Class: fault.Transient, Code: CodeNotTried, After: 20 * time.Second})
		if got := x.s.Due().Sub(x.at); got != 20*time.Second {
			t.Fatalf("waits %s, want as long as it is told", got)
		}
		x.passes(20 * time.Second)
	}
	if x.s.Attention() != "waiting" {
		t.Errorf("attention %q: an operator should see that it waits", x.s.Attention())
	}
	x.fails(CloudLane, Stop{Class: fault.Uncertain})
	if got := x.s.Due().Sub(x.at); got != time.Minute {
		t.Errorf("waits %s after the first failure that was tried, want a minute", got)
	}
	x.passes(time.Minute)
	x.want("goes on", x.carries(CloudLane), "publish C1 more")
}

func TestServerErrorsWaitLonger(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("more")
	var got []time.Duration
	for range 8 {
		x.fails(CloudLane, Stop{Class: fault.Uncertain})
		got = append(got, x.s.Due().Sub(x.at))
		x.passes(x.s.Due().Sub(x.at))
	}
	s, m := time.Second, time.Minute
	if diff := cmp.Diff([]time.Duration{5 * s, 10 * s, 15 * s, m, 2 * m, 4 * m, 5 * m, 5 * m}, got); diff != "" {
		t.Error(diff)
	}
	if x.s.Attention() != "waiting" {
		t.Errorf("attention is %q", x.s.Attention())
	}
}

func TestARejectedMessageIsBuriedAndTheLaneGoesOn(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("bad", "good")
	x.fails(CloudLane, Stop{Class: fault.Rejected, Code: "400", Text: "publish: rejected"})
	x.want("recorded, and on", x.carries(CloudLane), "publish C1 bad rejected: publish: rejected", "publish C1 good")
	if x.s.Attention() != "dead-letter" || len(x.s.Dead) != 1 {
		t.Errorf("attention %q, %d dead", x.s.Attention(), len(x.s.Dead))
	}
	dead := x.s.Dead[0].ID
	x.person(Operation{Kind: Redrive, Command: dead, By: "me"})
	if x.s.ToCloud.Queue[0].ID != dead {
		t.Error("the message did not keep its ID")
	}
	x.want("redriven", x.carries(CloudLane), "publish C1 bad")
	if x.s.Attention() != "" {
		t.Errorf("attention is still %q", x.s.Attention())
	}
}

func (x *script) person(o Operation) {
	x.t.Helper()
	if err := x.s.Allows(o); err != nil {
		x.t.Fatal(err)
	}
	x.s.Apply(Event{Kind: PersonActed, At: x.at, Operation: &o})
}

func TestARejectedAgentMessageIsReported(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "too long for the channel")
	x.fails(ChannelLane, Stop{Class: fault.Rejected, Text: "sms: send: rejected"})
	x.carries(ChannelLane)
	x.want("the agent is told", x.carries(CloudLane), "acknowledge C1 NACK")
}

func TestAMessageThatMeetsAClosedConversationGoesToANewOneOnce(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("are you there", "?")
	id := x.s.ToCloud.Queue[0].ID
	x.fails(CloudLane, Stop{Class: fault.Gone, Code: "closed"})
	x.stage(Closed)
	if !x.s.Succeeded() || x.s.Over() {
		t.Fatal("the next conversation is not prepared")
	}
	x.s = x.s.Next(x.at)
	if open := x.s.ToCloud.Queue[0].ID; open == message.NewID("open", string(id), "") {
		t.Error("the second opening has the ID of the first")
	}
	batch := x.s.Take(CloudLane, x.at)
	if len(batch) != 3 || batch[0].Kind != OpenConversation || batch[1].ID != id {
		t.Fatalf("want an opening and both messages under their old IDs, got %+v", batch)
	}
}

func TestAnOpeningThatIsRefusedBuriesWhatItWasFor(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello", "anybody?")
	x.fails(CloudLane, Stop{Class: fault.Rejected, Text: "open: rejected"})
	x.want("recorded", x.carries(CloudLane), "publish hello rejected: open: rejected", "publish anybody? rejected: open: rejected")
	x.writes("third")
	x.want("the next tries again", x.carries(CloudLane), "open", "publish third")
}

func TestANotificationBeforeTheAnswerIsAdopted(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.fails(CloudLane, Stop{Class: fault.Uncertain})
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 1, Open: true, MainOpen: true}})
	x.stage(Open)
	x.want("no second opening, at once", x.carries(CloudLane), "publish C1 hello")
}

func TestOptedOutConsumersAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.event(message.Inbound{Kind: message.Wrote, Text: "STOP", Consent: message.OptedOut})
	x.want("the agent sees it", x.carries(CloudLane), "publish C1 STOP")
	x.agent(2, "but")
	x.want("buried", x.carries(ChannelLane), "deliver C1 but consumer opted out")
	x.want("reported", x.carries(CloudLane), "acknowledge C1 NACK")
	x.event(message.Inbound{Kind: message.Wrote, Text: "START", Consent: message.OptedIn})
	x.carries(CloudLane)
	x.agent(4, "welcome back")
	x.want("lifted", x.carries(ChannelLane), "deliver C1 welcome back")
}

func TestLanesAreIndependent(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "hi")
	x.fails(ChannelLane, Stop{Class: fault.Transient})
	x.writes("more")
	x.want("the consumer is heard", x.carries(CloudLane), "publish C1 more")
	x.want("the channel waits", x.carries(ChannelLane))
}

func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	x := begin(t)
	for range 120 {
		x.writes("x")
	}
	if n := len(x.carries(CloudLane)); n != batchCommands {
		t.Errorf("batch of %d commands", n)
	}
	y := begin(t)
	for range 10 {
		y.writes(strings.Repeat("y", 40<<10))
	}
	size := 0
	for _, c := range y.s.Take(CloudLane, y.at) {
		size += c.size()
	}
	if size > batchBytes {
		t.Errorf("batch of %d bytes", size)
	}
}

func TestAReopenedConversationGoesOn(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.closes("AGENT")
	x.stage(Closing)
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 99, Open: true, MainOpen: true}})
	x.stage(Open)
	x.carries(ChannelLane)
	x.writes("I have one more thing to ask you")
	x.want("the same conversation", x.carries(CloudLane), "publish C1 I have one more thing to ask you")
}

func TestAnOlderSnapshotDoesNotOverwriteANewerOne(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 50, Open: true, MainOpen: true, Skill: "new"}})
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 40, CloseReason: "AGENT", Skill: "old"}})
	x.stage(Open)
	if x.s.Cloud.Skill != "new" {
		t.Errorf("skill is %q", x.s.Cloud.Skill)
	}
}

func TestACloseThatComesBeforeTheAnswerToTheOpeningCounts(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	batch := x.s.Take(CloudLane, x.at)
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 2, CloseReason: "AGENT"}})
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 1, Open: true, MainOpen: true}})
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0]), x.accept(&batch[1])}})
	x.stage(Closing)
}

func TestALateSnapshotOfAnEarlierConversationIsNotAdopted(t *testing.T) {
	t.Parallel()
	x := begin(t, func(s *Settings) { s.Survey = SurveyOff })
	x.writes("hello")
	x.carries(CloudLane)
	x.closes("AGENT")
	x.writes("and another thing")
	x.s = x.s.Next(x.at)
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 1, Open: true, MainOpen: true}})
	if x.s.Cloud.Conversation != "" {
		t.Errorf("adopted %s", x.s.Cloud.Conversation)
	}
}
