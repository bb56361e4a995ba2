package conversation

import (
	"strings"
	"testing"
	"time"

	"parley/fault"
	"parley/message"
)

func off(s *Settings) { s.Survey = SurveyOff }

// placed checks that no publish goes before there is a conversation for it.
func (x *script) placed(batch []Command) {
	x.t.Helper()
	opened := false
	for i := range batch {
		opened = opened || batch[i].Kind == OpenConversation
		if batch[i].Kind == Publish && batch[i].Conversation == "" && !opened {
			x.t.Errorf("%q is sent before there is a conversation", batch[i].Text)
		}
	}
}

func TestWhatWaitedForAClosedConversationGoesToTheNextInOrder(t *testing.T) {
	t.Parallel()
	x := begin(t, off)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("first")
	x.fails(CloudLane, Stop{Class: fault.Transient})
	x.closes("AGENT")
	x.writes("second")
	x.s = x.s.Next(x.at)
	x.passes(time.Minute)
	x.fails(CloudLane, Stop{Class: fault.Gone})
	batch := x.s.Take(CloudLane, x.at)
	x.placed(batch)
	x.want("batch", texts(batch), "", "first", "second")
}

func texts(batch []Command) []string {
	var out []string
	for _, c := range batch {
		out = append(out, c.Text)
	}
	return out
}

func TestAnOpeningThatIsRefusedLetsGoWhatCameAfterTheClose(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello", "bye", "one more thing")
	x.fails(CloudLane, Stop{Class: fault.Rejected})
	x.want("again", x.carries(CloudLane),
		"publish hello rejected: ", "publish bye rejected: ", "open", "publish one more thing")
}

func TestARestOfALongTextIsNotLostWhenTheConversationCloses(t *testing.T) {
	t.Parallel()
	x := begin(t, off)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes(strings.Repeat("a", publishLimit) + "the rest")
	batch := x.s.Take(CloudLane, x.at)
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0])}, Stop: &Stop{Class: fault.Gone}})
	id := batch[1].ID
	x.s = x.s.Next(x.at)
	batch = x.s.Take(CloudLane, x.at)
	x.want("batch", texts(batch), "", "the rest")
	if len(batch) == 2 && batch[1].ID != id {
		t.Error("it has another ID")
	}
}

func TestANewMatterDoesNotWaitForASurveyNobodyCaresAbout(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("bye", "oh, and my other order")
	x.want("close", x.carries(CloudLane), "publish C1 bye", "close C1")
	x.stage(Closed)
	x.want("nothing is asked", x.carries(ChannelLane))
	x.s = x.s.Next(x.at)
	x.want("next", x.carries(CloudLane), "rate C1 SKIPPED", "open", "publish oh, and my other order")
}

func TestAfterStopNothingGoesOut(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "hi")
	x.event(message.Inbound{Kind: message.Wrote, Text: "STOP", Consent: message.OptedOut})
	x.want("what was queued", x.carries(ChannelLane), "deliver C1 hi consumer opted out")
}

func TestStopEndsTheSurvey(t *testing.T) {
	t.Parallel()
	for _, kind := range []message.InboundKind{message.Wrote, message.Consent} {
		x := begin(t)
		x.writes("hello")
		x.carries(CloudLane)
		x.closes("AGENT")
		x.carries(ChannelLane)
		x.event(message.Inbound{Kind: kind, Text: "STOP", Consent: message.OptedOut})
		x.stage(Closed)
		x.want("no further question", x.carries(ChannelLane))
		x.want("reported", x.carries(CloudLane), "rate C1 SKIPPED")
	}
}

func TestConsentIsNotTakenTwice(t *testing.T) {
	t.Parallel()
	x := begin(t, off)
	x.writes("hello")
	x.carries(CloudLane)
	x.closes("AGENT")
	x.event(message.Inbound{Kind: message.Wrote, Text: "STOP", Consent: message.OptedOut, Reply: "old"})
	x.event(message.Inbound{Kind: message.Consent, Consent: message.OptedIn, Reply: "new"})
	x.s = x.s.Next(x.at)
	if x.s.OptedOut || x.s.Reply != "new" {
		t.Errorf("opted out: %v, answers go to %q", x.s.OptedOut, x.s.Reply)
	}
}

func TestAQuestionThatIsNotAskedHoldsUpNothing(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.closes("AGENT")
	x.fails(ChannelLane, Stop{Class: fault.Uncertain, Code: CodePark})
	x.passes(2 * time.Hour)
	x.stage(Closed)
	if x.s.Attention() != "" {
		t.Errorf("attention: %s", x.s.Attention())
	}
	x.agent(1, "one last word")
	x.want("at once", x.carries(ChannelLane), "deliver C1 one last word")
}

func TestAConversationThatWasLeftIsNotGoneBackTo(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	open := &message.Change{Version: 5, Open: true, MainOpen: true}
	x.notify(message.Notification{Kind: message.Conversation, Conversation: "C2", Change: open})
	x.notify(message.Notification{Kind: message.Conversation, Conversation: "C1", Change: open})
	if x.s.Cloud.Conversation != "C2" {
		t.Errorf("conversation is %s", x.s.Cloud.Conversation)
	}
}

func TestWhatWasRedrivenDuringTheSurveyGoesToTheReopenedConversation(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("odd")
	x.fails(CloudLane, Stop{Class: fault.Rejected})
	x.carries(CloudLane)
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 3, CloseReason: "AGENT"}})
	x.s.Apply(Event{Kind: PersonActed, At: x.at, Operation: &Operation{Kind: Redrive, Command: x.s.Dead[0].ID, By: "me"}})
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 9, Open: true, MainOpen: true}})
	x.want("publishes", x.carries(CloudLane), "publish C1 odd")
}

func TestAReceiptForAnUncertainDeliveryIsKept(t *testing.T) {
	t.Parallel()
	x := begin(t, func(s *Settings) { s.Receipts = true })
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "hi")
	batch := x.fails(ChannelLane, Stop{Class: fault.Uncertain})
	x.event(message.Inbound{Kind: message.Receipts, ID: "r", Receipt: &message.Receipt{Message: batch[0].ID, State: message.Delivered}})
	x.passes(time.Minute)
	x.carries(ChannelLane)
	x.want("accepted", x.carries(CloudLane), "acknowledge C1 ACCEPT")
}

func TestDeadLettersCanBeRedrivenInTheNextConversation(t *testing.T) {
	t.Parallel()
	x := begin(t, off)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("odd")
	x.fails(CloudLane, Stop{Class: fault.Rejected})
	x.carries(CloudLane)
	x.closes("AGENT")
	x.writes("another matter")
	x.s = x.s.Next(x.at)
	if len(x.s.Dead) != 1 || x.s.Attention() != "dead-letter" {
		t.Errorf("%d dead letters, attention %q", len(x.s.Dead), x.s.Attention())
	}
}

func TestTheChannelsOwnNumberIsNeverForgotten(t *testing.T) {
	t.Parallel()
	x := begin(t)
	for i := range 2 * keepAhead {
		x.s.fresh(message.Stream{Account: "main", Conversation: string(rune('A' + i))}, 1)
		x.s.fresh(message.Stream{Address: x.s.Address}, int64(i+1))
	}
	if x.s.fresh(message.Stream{Address: x.s.Address}, 2*keepAhead) {
		t.Error("a redelivered event was taken for a new one")
	}
	if len(x.s.Applied) > keepAhead {
		t.Errorf("%d streams are remembered", len(x.s.Applied))
	}
}

func TestAReceiptTheCloudCannotTakeHoldsUpNoMessage(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.agent(1, "hi")
	x.carries(ChannelLane)
	x.writes("are you there?")
	for range waitingAfter {
		x.fails(CloudLane, Stop{Class: fault.Transient})
		x.passes(time.Minute)
	}
	x.want("order", x.carries(CloudLane), "publish C1 are you there?", "acknowledge C1 ACCEPT")
}

func TestADeadLetterIsNotRedrivenToAConsumerWhoOptedOut(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.event(message.Inbound{Kind: message.Wrote, Text: "STOP", Consent: message.OptedOut})
	x.agent(2, "hi")
	x.passes(time.Minute)
	x.carries(ChannelLane)
	redrive := Operation{Kind: Redrive, Command: x.s.Dead[0].ID, By: "me"}
	if err := x.s.Allows(redrive); err == nil {
		t.Error("it may be redriven")
	}
	x.event(message.Inbound{Kind: message.Wrote, Text: "START", Consent: message.OptedIn})
	if err := x.s.Allows(redrive); err != nil {
		t.Error(err)
	}
	x.s.Apply(Event{Kind: PersonActed, At: x.at, Operation: &redrive})
	x.want("delivers", x.carries(ChannelLane), "deliver C1 hi")
}

func TestAnAgentMayReopenWhatTheConsumerIsAboutToFollowUp(t *testing.T) {
	t.Parallel()
	x := begin(t, off)
	x.writes("hello")
	x.carries(CloudLane)
	x.closes("AGENT")
	x.writes("and another thing")
	x.s = x.s.Next(x.at)
	x.fails(CloudLane, Stop{Class: fault.Gone, Code: CodeAlreadyOpen})
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 99, Open: true, MainOpen: true}})
	x.want("goes there", x.carries(CloudLane), "publish C1 and another thing")
}

func TestWhatWasSentAgainIsMarkedAndInTheJournal(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	batch := x.s.Take(CloudLane, x.at)
	results := []Result{x.accept(&batch[0]), x.accept(&batch[1])}
	results[1].Note = "again"
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: results})
	x.want("attention", []string{x.s.Attention()}, "uncertain")
	if n := len(x.s.Notes); n != 1 || x.s.Notes[0].What != "again" || x.s.Notes[0].Command != batch[1].ID {
		t.Errorf("notes: %+v", x.s.Notes)
	}
}
