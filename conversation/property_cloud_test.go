package conversation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/fault"
	"parley/message"
)

// bureau is a world with all that the cloud can do: answers offered and clicked,
// files, and a survey of its own after a close.
type bureau struct {
	*world
	main     bool // the MAIN dialog is open; world.open says that of the conversation
	survey   bool // the survey's is
	asked    int  // the next sequence in it
	version  int64
	seen     []Offer         // what the phone shows
	action   json.RawMessage // of the latest ACTION
	keys     []string        // what the consumer has done, by a word that is in what must follow from it
	dropped  map[string]bool // answers that may be too late
	ids      map[message.ID]string
	answered map[string]bool // answers of which the rules say that they came too late
}

func (b *bureau) dialog() string { return "S" + b.name()[1:] }

// done is something of the consumer's, which the cloud must get once, in order. An
// answer may come too late for a survey.
func (b *bureau) done(key string, answer bool, in message.Inbound) {
	b.inbound++
	b.keys = append(b.keys, key)
	b.dropped[key] = answer
	in.Kind, in.ID, in.Address = message.Wrote, message.NewID(key), b.s.Address
	b.ids[in.ID] = key
	b.apply(Event{
		Kind: ConsumerWrote, At: b.at, Stream: message.Stream{Address: b.s.Address}, Sequence: b.inbound, Inbound: &in,
	})
}

func (b *bureau) key() string { return fmt.Sprintf("#%04d", b.inbound+1) }

func (b *bureau) writes() {
	key := b.key()
	b.done(key, false, message.Inbound{Text: key + " is too long for an answer"})
}

func (b *bureau) sends() {
	key := b.key()
	b.done(key, false, message.Inbound{Attachments: []message.Attachment{{Kind: "image", Name: key}}})
}

// clicks takes one of the newest answers on the phone. Some buttons bear no ID that the
// channel gives back; what they say is written instead.
func (b *bureau) clicks(newest int) {
	if len(b.seen) == 0 {
		return
	}
	o := b.seen[max(0, len(b.seen)-rapid.IntRange(1, newest).Draw(b.t, "ago"))]
	c := rapid.SampledFrom(o.Choices).Draw(b.t, "choice")
	key := b.key()
	if rapid.Bool().Draw(b.t, "button") {
		b.done(key, true, message.Inbound{Choice: &message.Choice{ID: c.ID, Title: key}})
		b.keys[len(b.keys)-1] = key + "|" + c.Title + "|" + c.Says()
		return
	}
	b.done(key, true, message.Inbound{Text: c.Title})
	b.keys[len(b.keys)-1] = c.Title + "|" + c.Says()
}

func (b *bureau) speaks(choices bool) {
	dialog, sequence := b.name(), &b.sequence
	if !b.main {
		dialog, sequence = b.dialog(), &b.asked
	}
	if !b.open || (!b.main && !b.survey) {
		return
	}
	text := fmt.Sprintf("%s agent %04d", dialog, len(b.spoke))
	b.spoke = append(b.spoke, text)
	n := message.Notification{Kind: message.AgentWrote, Dialog: dialog, Sequence: *sequence, Text: text, ID: message.NewID(text)}
	*sequence++
	for i := range 3 * map[bool]int{true: 1}[choices] {
		id := fmt.Sprintf("%s-%d", text, i)
		n.Choices = append(n.Choices, message.Choice{
			ID: id, Title: "T" + id, Text: "says " + id, Metadata: json.RawMessage(`["` + id + `"]`), Quick: i > 0,
		})
	}
	b.pool = append(b.pool, notification{b.name(), n})
}

// snapshot is what the cloud says of the conversation now.
func (b *bureau) snapshot(reason string) {
	b.version++
	c := message.Change{Version: b.version, Open: b.open, MainOpen: b.main, CloseReason: reason}
	if b.survey {
		c.Survey = b.dialog()
	}
	b.pool = append(b.pool, notification{b.name(), message.Notification{Kind: message.Conversation, Change: &c}})
}

// hangsUp closes the MAIN dialog. A survey may follow, at once or a little later.
func (b *bureau) hangsUp(reason string) {
	if !b.main {
		return
	}
	b.main = false
	way := 0
	if b.s.cloudAsks() {
		way = rapid.IntRange(0, 2).Draw(b.t, "survey")
	}
	switch way {
	case 0:
		b.open = false
	case 1:
		b.survey, b.asked = true, 0
	case 2:
		b.snapshot(reason)
		b.survey, b.asked = true, 0
	}
	b.snapshot(reason)
}

func (b *bureau) ends(reason string) {
	if b.open {
		b.open, b.main, b.survey = false, false, false
		b.snapshot(reason)
	}
}

// does is what a command does to the far sides.
func (b *bureau) does(c *Command, opened *string) (Result, *Stop) {
	r := Result{Command: c.ID, Sequence: -1}
	to := first(c.Conversation, *opened)
	gone := &Stop{Class: fault.Gone, Code: "closed"}
	here := b.open && to == b.name()
	main := c.Kind == OpenConversation || c.Dialog == "" || c.Dialog == to
	switch c.Kind {
	case OpenConversation:
		if b.open && !b.main {
			return r, &Stop{Class: fault.Gone, Code: CodeAlreadyOpen}
		}
		if !b.open {
			b.conversation++
			b.open, b.main, b.survey, b.sequence = true, true, false, 0
			b.snapshot("")
		}
		*opened, r.Conversation = b.name(), b.name()
	case Publish, PublishFile, Acknowledge:
		if !here || (main && !b.main) || (!main && !b.survey) {
			return r, gone
		}
		if c.Kind == PublishFile && rapid.IntRange(0, 3).Draw(b.t, "too large") == 0 {
			return r, &Stop{Class: fault.Rejected, Code: CodeTooLarge}
		}
		b.got(c)
		if r.Sequence = b.sequence; main {
			b.sequence++
		} else {
			r.Sequence = b.asked
			b.asked++
		}
	case Close:
		switch {
		case !here, c.Way == WayDialog && !b.main:
			return r, gone
		case c.Way == WayDialog:
			b.hangsUp("CONSUMER")
		default:
			b.ends("CONSUMER")
		}
	case Deliver:
		b.delivered = append(b.delivered, c.Text)
		if len(c.Choices) > 0 {
			b.seen = append(b.seen, Offer{Choices: c.Choices})
		}
	}
	return r, nil
}

// got is something of the consumer's in the cloud. A click is told of before what is
// said by it.
func (b *bureau) got(c *Command) {
	switch {
	case c.Kind == Acknowledge && c.Status == "ACTION":
		b.action = c.Metadata
	case c.Kind == Acknowledge:
	case c.Metadata != nil && !bytes.Equal(c.Metadata, b.action):
		b.t.Fatalf("%q is said before it is clicked", c.Text)
	default:
		b.published = append(b.published, c.Text)
	}
}

// journals takes the lines for the journal, as the next batch would.
func (b *bureau) journals() {
	for _, n := range b.s.Notes {
		b.answered[b.ids[n.Command]] = b.answered[b.ids[n.Command]] || n.What == "answered"
	}
	b.s.Notes = nil
}

// arrives hands over one of the notifications that are on their way. A snapshot may be
// lost: the next one tells as much, or what we do then finds out.
func (b *bureau) arrives(i int) {
	if b.pool[i].Kind == message.Conversation && rapid.IntRange(0, 2).Draw(b.t, "lost") == 0 {
		b.pool = slices.Delete(b.pool, i, i+1)
		return
	}
	b.arrive(i)
}

// calm is a moment in which nothing goes wrong.
func (b *bureau) calm() {
	for len(b.pool) > 0 {
		b.arrive(0)
	}
	b.carry(CloudLane, batchCommands, "")
	b.carry(ChannelLane, batchCommands, "")
	b.journals()
	b.turn()
}

func (b *bureau) step() {
	lanes := []LaneName{CloudLane, ChannelLane}
	classes := []fault.Class{"", fault.Transient, fault.Throttled, fault.Uncertain, fault.Denied}
	switch rapid.IntRange(0, 15).Draw(b.t, "step") {
	case 0, 1:
		b.writes()
	case 2:
		b.sends()
	case 3:
		b.clicks(3)
	case 4: // asked and answered
		b.calm()
		b.speaks(true)
		b.calm()
		b.clicks(1)
	case 5, 6:
		b.speaks(rapid.Bool().Draw(b.t, "choices"))
	case 7:
		if len(b.pool) > 0 {
			b.arrives(rapid.IntRange(0, len(b.pool)-1).Draw(b.t, "which"))
		}
	case 8, 9:
		b.carry(rapid.SampledFrom(lanes).Draw(b.t, "lane"), rapid.IntRange(0, 5).Draw(b.t, "most"), rapid.SampledFrom(classes).Draw(b.t, "class"))
	case 10:
		if len(b.told) > 0 {
			b.s.Apply(b.told[rapid.IntRange(0, len(b.told)-1).Draw(b.t, "again")])
		}
	case 11, 12, 13:
		b.calm()
	case 14:
		b.inbound++
		b.apply(Event{
			Kind: ConsumerWrote, At: b.at, Stream: message.Stream{Address: b.s.Address}, Sequence: b.inbound,
			Inbound: &message.Inbound{Kind: message.Closed, ID: message.NewID("close", b.key()), Address: b.s.Address},
		})
		b.keys = append(b.keys, "")
	case 15:
		for len(b.pool) > 0 {
			b.arrive(0)
		}
		if b.main {
			b.hangsUp(rapid.SampledFrom([]string{"AGENT", "CONSUMER"}).Draw(b.t, "reason"))
		} else {
			b.ends("AGENT")
		}
		b.at = b.at.Add(time.Duration(rapid.IntRange(1, 100).Draw(b.t, "seconds")) * time.Second)
		b.s.Apply(Event{Kind: TimePassed, At: b.at})
	}
}

func TestNothingIsLostWithClicksFilesAndSurveys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom([]SurveyMode{SurveyCloud, SurveyCloud, SurveyConnector, SurveyOff}).Draw(t, "mode")
		x := begin(&testing.T{}, func(s *Settings) { s.Survey = mode })
		b := &bureau{world: &world{t: t, s: x.s, at: noon, streams: map[string]int64{}}, dropped: map[string]bool{}, ids: map[message.ID]string{}, answered: map[string]bool{}}
		b.far = b.does
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			b.step()
			b.journals()
			b.turn()
		}
		b.settleAll()
		b.journals()
		b.complete()
	})
}

// complete checks that everything has arrived once, in order.
func (b *bureau) complete() {
	left := slices.Clone(b.published)
	for i, key := range b.keys {
		if key == "" {
			continue
		}
		name := fmt.Sprintf("#%04d", i+1)
		fits := func(text string) bool {
			return slices.ContainsFunc(strings.Split(key, "|"), func(k string) bool { return strings.Contains(text, k) })
		}
		switch {
		case b.dropped[name] && b.answered[name]:
		case len(left) > 0 && fits(left[0]):
			left = left[1:]
		default:
			b.t.Fatalf("%s (%s) is missing or out of order: left are\n%q\nof\n%q\nkeys %q", name, key, left, b.published, b.keys)
		}
	}
	if len(left) > 0 {
		b.t.Fatalf("too much: %q of %q, keys %q", left, b.published, b.keys)
	}
	for c := range b.conversation {
		for _, kind := range "CS" {
			in := func(text string) bool { return !strings.HasPrefix(text, fmt.Sprintf("%c%d ", kind, c+1)) }
			spoke := slices.DeleteFunc(slices.Clone(b.spoke), in)
			if got := slices.DeleteFunc(slices.Clone(b.delivered), in); !slices.Equal(spoke, got) {
				b.t.Fatalf("agents wrote\n%q\nand the phone got\n%q", spoke, got)
			}
		}
	}
}
