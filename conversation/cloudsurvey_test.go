package conversation

import (
	"strings"
	"testing"
	"time"

	"parley/fault"
	"parley/message"
)

func byCloud(s *Settings) { s.Survey = SurveyCloud }

const longer = "and now my phone is broken as well"

// asking is a conversation whose agent has closed it and whose survey has begun; the
// bot has greeted, and asked with the given answers.
func asking(t *testing.T, answers ...message.Choice) *script {
	t.Helper()
	x := talking(t, byCloud)
	x.change(message.Change{Survey: "S1", CloseReason: "AGENT"})
	x.stage(Closing)
	x.bot(0, "One moment please")
	x.bot(1, "Solved?", answers...)
	return x
}

// bot is a word of the survey bot, at the phone.
func (x *script) bot(sequence int, text string, answers ...message.Choice) {
	x.t.Helper()
	x.asked = sequence + 1
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "S1", Sequence: sequence, Text: text, Choices: answers})
	x.want("asked", x.carries(ChannelLane), "deliver C1 S1 "+text)
	x.want("accepted there", x.carries(CloudLane), "acknowledge C1 S1 ACCEPT")
}

func answers() []message.Choice {
	return []message.Choice{quick(offer("Y", "Yes", "")), quick(offer("N", "No", ""))}
}

// over is the cloud's word that everything is closed.
func (x *script) over() {
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: int64(x.cloud + 1), CloseReason: "AGENT"}})
}

func TestTheCloudsSurveyIsAnsweredInFull(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	x.writes("1")
	x.want("a click there", x.carries(CloudLane), "acknowledge C1 S1 ACTION "+yesMetadata, "publish C1 S1 Yes "+yesMetadata)
	x.bot(4, "Why?")
	x.writes("Because your agent has found the parcel within a minute, thank you")
	x.want("a question without answers takes anything", x.carries(CloudLane),
		"publish C1 S1 Because your agent has found the parcel within a minute, thank you")
	x.bot(6, "Rate us", offer("5", "Very good", ""))
	x.clicks("5", "Very good")
	x.want("a button", x.carries(CloudLane), `acknowledge C1 S1 ACTION [{"type":"ExternalId","id":"5"}]`, `publish C1 S1 Very good [{"type":"ExternalId","id":"5"}]`)
	solved := true
	x.notify(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 99, CloseReason: "AGENT", CSAT: 4, Resolved: &solved}})
	x.stage(Closed)
	if x.s.Survey.CSAT != 4 || x.s.Survey.Resolved == nil || x.s.Survey.Status != "FILLED" || x.s.Closer != "AGENT" {
		t.Errorf("%+v, closed by %s", x.s.Survey, x.s.Closer)
	}
	x.want("nothing is reported twice", x.carries(CloudLane))
	if !x.s.Over() {
		t.Error("something is left to do")
	}
}

func TestAReplyThatMatchesNoAnswer(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	x.writes("what?")
	x.want("short: the bot will ask again", x.carries(CloudLane), "publish C1 S1 what?")
	x.writes("2")
	x.want("its answers are still open", x.carries(CloudLane), "acknowledge C1 S1 ACTION "+noMetadata, "publish C1 S1 No "+noMetadata)
	x.writes("abcdefghijklmnopqrst")
	x.want("twenty characters", x.carries(CloudLane), "publish C1 S1 abcdefghijklmnopqrst")
	x.writes("abcdefghijklmnopqrstu", "hello?")
	x.want("longer: a new matter", x.carries(CloudLane), "close C1 stage")
	x.stage(Closing)
	x.want("it waits for the end", x.carries(CloudLane))
	x.over()
	x.stage(Closed)
	x.s = x.s.Next(x.at)
	x.want("and goes on", x.carries(CloudLane), "open", "publish abcdefghijklmnopqrstu", "publish hello?")
}

func TestWhatEndsTheCloudsSurvey(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*script){
		"a file": func(x *script) {
			x.event(message.Inbound{Kind: message.Wrote, Attachments: []message.Attachment{photo}})
		},
		"a closing word":  func(x *script) { x.writes("bye") },
		"a closing event": func(x *script) { x.event(message.Inbound{Kind: message.Closed, ID: "closes"}) },
		"a consent":       func(x *script) { x.event(message.Inbound{Kind: message.Consent, Consent: message.OptedOut}) },
		"too late a word": func(x *script) { x.passes(time.Hour); x.writes("1") },
		"an old button":   func(x *script) { x.clicks("unknown", "I would like to know what this costs") },
	} {
		x := asking(t, answers()...)
		leave(x)
		x.want(name, x.carries(CloudLane), "close C1 stage")
		pending := len(x.s.Pending)
		x.passes(surveyWait)
		x.stage(Closed) // the cloud's word was lost
		if want := name != "a closing word" && name != "a closing event" && name != "a consent"; (pending == 1) != want || x.s.Succeeded() != want {
			t.Errorf("%s: %d messages go on", name, pending)
		}
		x.want(name+": no rating of ours", x.carries(CloudLane))
	}
}

func TestALateSurveyWaitsForTheCloudToEndIt(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	x.passes(time.Hour)
	x.stage(Closing)
	if !x.s.Due().IsZero() {
		t.Error("time is due again and again")
	}
	x.want("nothing is done", x.carries(CloudLane))
	x.over()
	x.stage(Closed)
}

func TestAConsumersCloseLeavesTheRestToTheSurvey(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*script){
		"word":   func(x *script) { x.writes("bye") },
		"button": func(x *script) { x.clicks("x", "Bye") },
		"event":  func(x *script) { x.event(message.Inbound{Kind: message.Closed, ID: "closes"}) },
	} {
		x := talking(t, byCloud)
		leave(x)
		got := x.carries(CloudLane)
		x.want(name, got[len(got)-1:], "close C1 dialog")
		x.stage(Open)
		x.change(message.Change{MainOpen: true, Agent: true}) // from before
		x.stage(Open)
		x.change(message.Change{CloseReason: "CONSUMER", Survey: "S1"})
		x.stage(Closing)
		if x.s.Survey.Dialog != "S1" || x.s.Closer != "CONSUMER" {
			t.Errorf("%s: %+v, closed by %s", name, x.s.Survey, x.s.Closer)
		}
	}
}

func TestAButtonClosesByItsIDOrTitle(t *testing.T) {
	t.Parallel()
	for _, c := range []message.Choice{{ID: "bye"}, {ID: "7", Title: " BYE "}} {
		x := talking(t, off)
		x.event(message.Inbound{Kind: message.Wrote, Choice: &c})
		got := x.carries(CloudLane)
		x.want("everything at once", got[1:], "close C1")
		x.stage(Closed)
	}
}

func TestAClosingWithoutASurvey(t *testing.T) {
	t.Parallel()
	x := talking(t, byCloud)
	x.writes("bye")
	x.carries(CloudLane)
	x.over()
	x.stage(Closed)
	if !x.s.Over() {
		t.Error("something is left to do")
	}
	y := talking(t, byCloud)
	y.over() // an agent without a survey
	y.stage(Closed)
}

func TestASurveyThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	x := talking(t, byCloud)
	x.change(message.Change{CloseReason: "AGENT"})
	x.stage(Closing)
	x.writes("thanks")
	x.want("may be for the bot", x.carries(CloudLane))
	x.change(message.Change{CloseReason: "AGENT", Survey: "S1"})
	x.want("is for the bot", x.carries(CloudLane), "publish C1 S1 thanks")

	y := talking(t, byCloud)
	y.change(message.Change{CloseReason: "AGENT"})
	y.writes("hello?")
	y.passes(surveyWait)
	y.want("nobody came to ask", y.carries(CloudLane), "close C1 stage")
	y.over()
	y.s = y.s.Next(y.at)
	y.want("a new matter", y.carries(CloudLane), "open", "publish hello?")

	z := talking(t, byCloud)
	z.change(message.Change{CloseReason: "AGENT"})
	z.passes(time.Hour)
	z.want("closed at last", z.carries(CloudLane), "close C1 stage")
	z.over()
	z.stage(Closed)

	w := talking(t, byCloud)
	w.change(message.Change{CloseReason: "AGENT"})
	w.writes(longer)
	w.want("a new matter at once", w.carries(CloudLane), "close C1 stage")
}

func TestACloseOfOursThatTheCloudSaysNothingOf(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*script){
		"done":   func(x *script) { x.carries(CloudLane) },
		"closed": func(x *script) { x.fails(CloudLane, Stop{Class: fault.Gone}) },
	} {
		x := talking(t, byCloud)
		x.event(message.Inbound{Kind: message.Closed, ID: "closes"})
		answer(x)
		x.stage(Open)
		x.passes(surveyWait)
		x.stage(Closing)
		x.writes(longer)
		x.want(name, x.carries(CloudLane), "close C1 stage")
		x.passes(surveyWait)
		x.s = x.s.Next(x.at)
		x.want(name, x.carries(CloudLane), "open", "publish "+longer)
	}
}

func TestWhatWasWrittenAfterTheClosingWordIsANewMatter(t *testing.T) {
	t.Parallel()
	x := talking(t, byCloud)
	x.writes("bye", "oh wait")
	x.want("said, then closed", x.carries(CloudLane), "publish C1 bye", "close C1 dialog")
	x.change(message.Change{CloseReason: "CONSUMER", Survey: "S1"})
	x.want("no survey then", x.carries(CloudLane), "close C1 stage")
	x.over()
	x.s = x.s.Next(x.at)
	x.want("next", x.carries(CloudLane), "open", "publish oh wait")
}

func TestAMessageThatCrossesTheAgentsCloseGoesToANewConversationOnce(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"the snapshot comes first": true, "the snapshot comes later": false} {
		x := talking(t, byCloud)
		x.writes("ok", longer)
		id := x.s.ToCloud.Queue[0].ID
		batch := x.s.Take(CloudLane, x.at)
		snapshot := func() { x.change(message.Change{CloseReason: "AGENT", Survey: "S1"}) }
		if before {
			snapshot()
		}
		x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Stop: &Stop{Class: fault.Gone}})
		if !before {
			snapshot()
		}
		x.stage(Closing)
		x.want(name, x.carries(CloudLane), "close C1 stage")
		x.over()
		x.s = x.s.Next(x.at)
		if x.s.ToCloud.Queue[1].ID != id || len(batch) != 2 {
			t.Errorf("%s: it has another ID", name)
		}
		x.want(name, x.carries(CloudLane), "open", "publish ok", "publish "+longer)
	}
}

func TestAnAnswerThatMeetsAClosedSurveyOpensNothing(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	x.s.Notes = nil
	x.writes("1", "hm")
	x.fails(CloudLane, Stop{Class: fault.Gone}) // the action
	x.fails(CloudLane, Stop{Class: fault.Gone})
	x.stage(Closing)
	x.want("dropped", x.carries(CloudLane))
	if len(x.s.Notes) != 2 || x.s.Notes[0].What != "answered" || x.s.Notes[0].Command == "" {
		t.Errorf("notes %+v", x.s.Notes)
	}
	x.writes("5")
	x.want("the survey is over", x.carries(CloudLane), "close C1 stage")

	y := asking(t)
	y.s.Survey.Free = true
	y.writes(longer)
	y.fails(CloudLane, Stop{Class: fault.Gone})
	y.want("more than an answer is kept", y.carries(CloudLane), "close C1 stage")
	y.over()
	y.s = y.s.Next(y.at)
	y.want("for an agent", y.carries(CloudLane), "open", "publish "+longer)
}

func TestAnAnswerThatWasStillWaitingWhenTheNextConversationBeganIsDropped(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	x.writes("1")
	x.fails(CloudLane, Stop{Class: fault.Transient})
	x.over()
	x.writes(longer)
	x.s = x.s.Next(x.at)
	x.passes(time.Minute)
	x.fails(CloudLane, Stop{Class: fault.Gone})
	x.fails(CloudLane, Stop{Class: fault.Gone})
	x.want("what is left", x.carries(CloudLane), "open", "publish "+longer)
}

func TestAClosedConversationIsReopenedInstead(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	x.writes(longer) // a new matter, not closed yet
	x.change(message.Change{MainOpen: true, Agent: true})
	x.stage(Open)
	x.want("said there", x.carries(CloudLane), "publish C1 "+longer)
	y := asking(t, answers()...)
	y.over()
	y.change(message.Change{MainOpen: true})
	y.stage(Open)
	y.writes("back again")
	y.want("said there", y.carries(CloudLane), "publish C1 back again")
	z := asking(t, answers()...)
	z.notify(message.Notification{Kind: message.Conversation, Conversation: "C2", Change: &message.Change{Version: 999, Open: true, MainOpen: true}})
	z.stage(Open)
	z.writes("1")
	z.want("in a new one", z.carries(CloudLane), "publish C2 1")
}

func TestNobodyAsksAConsumerWhoHasOptedOut(t *testing.T) {
	t.Parallel()
	x := talking(t, byCloud)
	x.event(message.Inbound{Kind: message.Consent, Consent: message.OptedOut})
	x.change(message.Change{CloseReason: "AGENT", Survey: "S1"})
	x.want("no survey", x.carries(CloudLane), "close C1 stage")
	x.over()
	if !x.s.Over() {
		t.Error("something is left to do")
	}
}

func TestASurveyNobodyWantsIsClosed(t *testing.T) {
	t.Parallel()
	for _, mode := range []SurveyMode{SurveyOff, SurveyConnector} {
		x := talking(t, func(s *Settings) { s.Survey = mode })
		x.change(message.Change{CloseReason: "AGENT", Survey: "S1"})
		x.want("everything", x.carries(CloudLane), "close C1 stage")
		if mode == SurveyOff {
			x.stage(Closed)
		} else {
			x.stage(Closing)
			x.want("ours instead", x.carries(ChannelLane), "ask C1 "+x.s.Settings.Texts.Rating)
		}
		if x.s.Closer != "AGENT" {
			t.Errorf("closed by %s", x.s.Closer)
		}
	}
}

func TestACloseThatIsRefusedDoesNotGoRoundInCircles(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	x.writes(longer)
	x.fails(CloudLane, Stop{Class: fault.Rejected})
	x.stage(Closed)
	x.s = x.s.Next(x.at)
	x.want("tried in a new one", x.carries(CloudLane), "open", "publish "+longer)
}

func TestTheSurveysWordsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	x := talking(t, byCloud)
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "S1", Sequence: 1, Text: "Solved?"})
	x.want("not before the greeting", x.carries(ChannelLane))
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "S1", Sequence: 0, Text: "One moment"})
	x.want("in order", x.carries(ChannelLane), "deliver C1 S1 One moment", "deliver C1 S1 Solved?")
}

func TestTheCloudsSurveyIsShown(t *testing.T) {
	t.Parallel()
	x := asking(t, answers()...)
	if d := x.s.Details(); !strings.Contains(d, "the cloud is asking") {
		t.Error(d)
	}
	x.writes(longer)
	if d := x.s.Details(); !strings.Contains(d, "being closed") {
		t.Error(d)
	}
}

func TestByTheFirstRulesACloudSurveyIsNone(t *testing.T) {
	t.Parallel()
	x := begin(t, byCloud)
	x.s.Rules = 1
	x.writes("hello")
	x.carries(CloudLane)
	x.change(message.Change{CloseReason: "AGENT", Survey: "S1"})
	x.stage(Open)
	x.over()
	x.stage(Closed)
}
