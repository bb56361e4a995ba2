package conversation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/fault"
	"parley/message"
)

// offer is an answer that an agent offers.
func offer(id, title, text string) message.Choice {
	c := message.Choice{ID: id, Title: title, Text: text}
	if id != "" {
		c.Metadata = json.RawMessage(`[{"type":"ExternalId","id":"` + id + `"}]`)
	}
	return c
}

func quick(c message.Choice) message.Choice { c.Quick = true; return c }
func many(c message.Choice) message.Choice  { c.Many = true; return c }

// offers is an agent's message with answers below it, at the phone.
func (x *script) offers(sequence int, choices ...message.Choice) {
	x.t.Helper()
	x.next = sequence + 1
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: x.s.Cloud.Conversation, Sequence: sequence, Text: "choose", Choices: choices})
	x.passes(x.s.Settings.ReorderWindow)
	x.carries(ChannelLane)
	x.carries(CloudLane) // ACCEPT
}

func (x *script) clicks(id, title string) {
	x.event(message.Inbound{Kind: message.Wrote, Choice: &message.Choice{ID: id, Title: title}})
}

// talking is an open conversation, in which the next sequence is 1.
func talking(t *testing.T, change ...func(*Settings)) *script {
	t.Helper()
	x := begin(t, change...)
	x.writes("hello")
	x.carries(CloudLane)
	return x
}

const yesMetadata, noMetadata = `[{"type":"ExternalId","id":"Y"}]`, `[{"type":"ExternalId","id":"N"}]`

func TestAClickIsAnActionAndThenWhatItSays(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, offer("Y", "Yes", "Yes, please"), offer("N", "No", ""))
	x.clicks("Y", "Yes")
	if c := x.s.ToCloud.Queue[0]; len(c.Sequences) != 1 || c.Sequences[0] != 1 || c.Dialog != "C1" {
		t.Errorf("the action is about %v in %s", c.Sequences, c.Dialog)
	}
	if c := x.s.ToCloud.Queue[1]; c.Source.Text != "Yes, please" || c.Source.Choice != nil {
		t.Errorf("in another conversation it would say %+v", c.Source)
	}
	x.want("both, in this order", x.carries(CloudLane), "acknowledge C1 ACTION "+yesMetadata, "publish C1 Yes, please "+yesMetadata)
}

func TestWhatCountsAsAClick(t *testing.T) {
	t.Parallel()
	choices := []message.Choice{offer("Y", "Yes", "Yes, please"), offer("N", "No", "No, thanks"), offer("5", "5", "Five stars"), offer("L", "Call me later", "")}
	for text, want := range map[string]string{
		"1": "Yes, please", " 2 ": "No, thanks", "2.": "No, thanks", "2)": "No, thanks", "(2)": "No, thanks", "2️⃣": "No, thanks", "２": "No, thanks",
		"yes": "Yes, please", "YES!": "Yes, please", "no": "No, thanks", "no, thanks.": "No, thanks", "  call  me\nlater ": "Call me later",
		"5": "Five stars", // a title is stronger than a number
		"0": "", "6": "", "-1": "", "+1": "", "02": "", "1 2": "", "1,2": "", "nr 2": "", "#2": "", "2nd": "", "2.5": "", "1 please": "",
		"yes no": "", "yess": "", "": "", "?": "", "10": "", "1e0": "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			x := talking(t)
			x.offers(1, choices...)
			x.writes(text)
			got := x.carries(CloudLane)
			if want == "" {
				x.want("a text", got, strings.TrimRight("publish C1 "+first(text, nothingSaid), ""))
				return
			}
			if len(got) != 2 || !strings.HasPrefix(got[0], "acknowledge C1 ACTION") || !strings.HasPrefix(got[1], "publish C1 "+want) {
				t.Errorf("got %q, want a click that says %q", got, want)
			}
		})
	}
}

func TestSeveralBoxesMayBeTickedAtOnce(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, many(offer("A", "Apples", "")), many(offer("B", "Bread", "")), many(offer("", "Cheese", "")), offer("D", "Done", ""))
	x.writes("1, 2 3")
	metadata := `[{"type":"ExternalId","id":"A"},{"type":"ExternalId","id":"B"}]`
	x.want("one click", x.carries(CloudLane), "acknowledge C1 ACTION "+metadata, "publish C1 Apples, Bread, Cheese "+metadata)
	for _, text := range []string{"1 4", "1 1", "1 5"} {
		x.writes(text)
		x.want("no click", x.carries(CloudLane), "publish C1 "+text)
	}
}

func TestTwoAnswersOfOneNameAreToldApartByNumberOnly(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, offer("A", "Choose", "Plan A"), offer("B", "Choose", "Plan B"))
	x.writes("choose")
	x.want("nobody knows which", x.carries(CloudLane), "publish C1 choose")
	x.writes("2")
	if got := x.carries(CloudLane); len(got) != 2 || !strings.HasPrefix(got[1], "publish C1 Plan B") {
		t.Errorf("got %q", got)
	}
}

func TestQuickRepliesAreGoneOnceAnythingWasSaid(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, offer("Y", "Yes", ""), quick(offer("N", "No", "")))
	x.writes("let me think")
	x.carries(CloudLane)
	x.clicks("N", "")
	x.want("its title is left", x.carries(CloudLane), "publish C1 No")
	x.writes("2")
	x.want("nor is its number known", x.carries(CloudLane), "publish C1 2")
	x.writes("1")
	x.want("a button stays", x.carries(CloudLane), "acknowledge C1 ACTION "+yesMetadata, "publish C1 Yes "+yesMetadata)
}

func TestWhatIsTypedIsNotMeantForAnOlderOffer(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, offer("A", "Apples", ""), offer("B", "Bread", ""))
	x.offers(3, quick(offer("Y", "Yes", "")), quick(offer("N", "No", "")))
	x.writes("1")
	x.want("the newest", x.carries(CloudLane), "acknowledge C1 ACTION "+yesMetadata, "publish C1 Yes "+yesMetadata)
	x.writes("2", "bread")
	x.want("is gone", x.carries(CloudLane), "publish C1 2", "publish C1 bread")
	x.clicks("B", "Bread")
	if got := x.carries(CloudLane); len(got) != 2 {
		t.Errorf("a button says which offer it is of: %q", got)
	}
}

func TestAnOldNumberMayMeanAnythingOnceTheTalkHasMovedOn(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, offer("Y", "Yes", ""), offer("N", "No", ""))
	x.agent(2, "please choose one")
	x.passes(time.Minute)
	x.carries(ChannelLane)
	x.carries(CloudLane)
	x.writes("2")
	x.want("a second line of the agent changes nothing", x.carries(CloudLane), "acknowledge C1 ACTION "+noMetadata, "publish C1 No "+noMetadata)
	x.writes("wait, something else")
	x.agent(9, "of course, how many tickets?")
	x.passes(time.Minute)
	x.carries(ChannelLane)
	x.carries(CloudLane)
	x.writes("2")
	x.want("a number of tickets", x.carries(CloudLane), "publish C1 2")
	x.writes("yes")
	x.want("a word is still that word", x.carries(CloudLane), "acknowledge C1 ACTION "+yesMetadata, "publish C1 Yes "+yesMetadata)
}

func TestAnOfferNobodyHasSeenIsNotAnswered(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "C1", Sequence: 1, Text: "choose", Choices: []message.Choice{offer("Y", "Yes", "")}})
	x.writes("yes")
	x.want("said to something else", x.carries(CloudLane), "publish C1 yes")
	x.fails(ChannelLane, Stop{Class: fault.Uncertain})
	x.writes("1")
	x.want("it may be there", x.carries(CloudLane), "acknowledge C1 ACTION "+yesMetadata, "publish C1 Yes "+yesMetadata)
	x.passes(time.Minute)
	x.fails(ChannelLane, Stop{Class: fault.Rejected})
	x.writes("1")
	x.want("it is not", x.carries(CloudLane), "publish C1 1")
}

func TestAClickOnAnOfferThatIsForgottenIsItsTitle(t *testing.T) {
	t.Parallel()
	x := talking(t)
	for i := range keepOffers + 1 {
		x.offers(i+1, offer(fmt.Sprint("id-", i), fmt.Sprint("title ", i), fmt.Sprint("text ", i)))
	}
	x.clicks("id-0", "title 0")
	x.want("forgotten", x.carries(CloudLane), "publish C1 title 0")
	x.clicks("id-1", "title 1")
	if got := x.carries(CloudLane); len(got) != 2 || !strings.HasPrefix(got[1], "publish C1 text 1") {
		t.Errorf("an older one is known by its button: %q", got)
	}
	x.writes("2")
	x.want("the numbers are those of the newest", x.carries(CloudLane), "publish C1 2")
}

func TestAClickOnAnOfferOfAnEarlierConversationIsAText(t *testing.T) {
	t.Parallel()
	x := talking(t, off)
	x.offers(1, offer("Y", "Yes", "Yes, please"))
	x.closes("AGENT")
	x.clicks("Y", "Yes")
	x.s = x.s.Next(x.at)
	x.want("said in a new one", x.carries(CloudLane), "open", "publish Yes, please")
}

func TestAClickThatMeetsAClosedConversationGoesToANewOneAsAText(t *testing.T) {
	t.Parallel()
	x := talking(t, off)
	x.offers(1, offer("Y", "Yes", "Yes, please"))
	x.writes("1")
	id := x.s.ToCloud.Queue[1].ID
	x.fails(CloudLane, Stop{Class: fault.Gone}) // the action
	x.fails(CloudLane, Stop{Class: fault.Gone}) // what it says
	x.s = x.s.Next(x.at)
	if x.s.ToCloud.Queue[1].ID != id {
		t.Error("it has another ID")
	}
	x.want("once", x.carries(CloudLane), "open", "publish Yes, please")
}

func TestADeadClickIsRedrivenAsAClick(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, offer("Y", "Yes", "Yes, please"))
	x.writes("1")
	batch := x.s.Take(CloudLane, x.at)
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0])}, Stop: &Stop{Class: fault.Rejected}})
	x.carries(CloudLane)
	x.person(Operation{Kind: Redrive, Command: batch[1].ID, By: "me"})
	x.want("with its metadata", x.carries(CloudLane), "publish C1 Yes, please "+yesMetadata)
}

func TestAnActionIsNotOvertakenByWhatIsSaidByIt(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.offers(1, offer("Y", "Yes", ""))
	x.writes("1")
	for range 2 * waitingAfter {
		x.fails(CloudLane, Stop{Class: fault.Transient})
		x.passes(longest)
	}
	x.want("in order", x.carries(CloudLane), "acknowledge C1 ACTION "+yesMetadata, "publish C1 Yes "+yesMetadata)
}

func TestOffersAreBounded(t *testing.T) {
	t.Parallel()
	x := talking(t)
	var all []message.Choice
	for i := range 2 * keepChoices {
		all = append(all, offer(fmt.Sprint("id", i), fmt.Sprint("title", i), strings.Repeat("x", 200)))
	}
	for i := range 2 * keepOffers {
		x.offers(i+1, all...)
	}
	size := 0
	for _, o := range x.s.Offers {
		size += choicesSize(o.Choices)
	}
	if len(x.s.Offers) == 0 || len(x.s.Offers) > keepOffers || size > offerBytes || len(x.s.Offers[0].Choices) > keepChoices {
		t.Errorf("%d offers of %d bytes", len(x.s.Offers), size)
	}
	x.offers(99, message.Choice{ID: "huge", Title: strings.Repeat("x", offerBytes)})
	x.clicks("huge", "huge")
	x.want("what is too large is not kept", x.carries(CloudLane), "publish C1 huge")
}

func TestByTheFirstRulesAClickIsItsTitle(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.s.Rules = 1
	x.writes("hello")
	x.carries(CloudLane)
	x.offers(1, offer("Y", "Yes", "Yes, please"))
	x.clicks("Y", "Yes")
	x.writes("1")
	x.want("texts", x.carries(CloudLane), "publish C1 Yes", "publish C1 1")
}

func TestStructuredContentThatIsTooLargeIsItsText(t *testing.T) {
	t.Parallel()
	x := talking(t)
	block := message.Block{Kind: message.TextBlock, Text: strings.Repeat("x", 5000)}
	x.notify(message.Notification{
		Kind: message.AgentWrote, Dialog: "C1", Sequence: 1, Text: "x", Blocks: []message.Block{{Kind: message.CardBlock, Blocks: slices.Repeat([]message.Block{block}, 20)}},
	})
	if c := x.s.ToChannel.Queue[0]; c.Blocks != nil || c.Text != "x" {
		t.Errorf("%d bytes", c.size())
	}
}

func TestStructuredContentIsCarriedOn(t *testing.T) {
	t.Parallel()
	x := talking(t)
	yes := offer("Y", "Yes", "")
	x.notify(message.Notification{
		Kind: message.AgentWrote, Dialog: "C1", Sequence: 1, Text: "Keep it?\n1) Yes", Choices: []message.Choice{yes},
		Blocks: []message.Block{{Kind: message.TextBlock, Text: "Keep it?"}, {Kind: message.ChoiceBlock, Choice: &yes}},
	})
	batch := x.s.Take(ChannelLane, x.at)
	if len(batch) != 1 || len(batch[0].Blocks) != 2 || batch[0].Blocks[1].Choice.ID != "Y" || batch[0].Text == "" {
		t.Errorf("got %+v", batch)
	}
}
