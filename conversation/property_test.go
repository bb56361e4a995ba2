package conversation

import (
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

// world is the far sides of one conversation as they really are: what the cloud
// and the phone have got, whatever the rules believe.
type world struct {
	t  *rapid.T
	s  State
	at time.Time

	wrote, published []string
	inbound          int64
	conversation     int // the newest in the cloud
	open             bool
	sequence         int            // the next in it
	spoke            []string       // agents' messages, in order
	pool             []notification // on their way to us
	streams          map[string]int64
	delivered        []string
	told             []Event // for redelivery
	far              func(c *Command, opened *string) (Result, *Stop)
}

type notification struct {
	conversation string
	message.Notification
}

func (w *world) name() string { return fmt.Sprintf("C%d", w.conversation) }

func (w *world) apply(e Event) {
	w.told = append(w.told, e)
	w.s.Apply(e)
}

// write is a consumer's message, too long for an answer to a survey.
func (w *world) write() {
	w.inbound++
	text := fmt.Sprintf("message %04d of this consumer, not an answer", w.inbound)
	w.wrote = append(w.wrote, text)
	w.apply(Event{
		Kind: ConsumerWrote, At: w.at, Stream: message.Stream{Address: w.s.Address}, Sequence: w.inbound,
		Inbound: &message.Inbound{Kind: message.Wrote, ID: message.NewID(text), Text: text, Address: w.s.Address},
	})
}

func (w *world) speak() {
	if !w.open {
		return
	}
	text := fmt.Sprintf("%s agent %04d", w.name(), len(w.spoke))
	w.spoke = append(w.spoke, text)
	w.pool = append(w.pool, notification{w.name(), message.Notification{
		Kind: message.AgentWrote, Dialog: w.name(), Sequence: w.sequence, Text: text, ID: message.NewID(text),
	}})
	w.sequence++
}

// see is an agent's receipt: it takes a sequence too.
func (w *world) see() {
	if w.open {
		w.pool = append(w.pool, notification{w.name(), message.Notification{Kind: message.AgentSaw, Dialog: w.name(), Sequence: w.sequence}})
		w.sequence++
	}
}

func (w *world) hangUp(reason string) {
	if w.open {
		w.open = false
		w.pool = append(w.pool, notification{w.name(), message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 2, CloseReason: reason}}})
	}
}

// arrive hands over one of the notifications that are on their way, any of them.
func (w *world) arrive(i int) {
	n := w.pool[i]
	w.pool = slices.Delete(w.pool, i, i+1)
	w.streams[n.conversation]++
	n.Notification.Conversation = n.conversation
	w.apply(Event{
		Kind: CloudNotified, At: w.at, Stream: message.Stream{Account: "main", Conversation: n.conversation},
		Sequence: w.streams[n.conversation], Notification: &n.Notification,
	})
}

// carry takes the batch of a lane, lets the far side do some of it, and reports
// success up to there and then, perhaps, a failure.
func (w *world) carry(lane LaneName, most int, class fault.Class) {
	batch := w.s.Take(lane, w.at)
	if batch == nil {
		return
	}
	e := Event{Kind: BatchReturned, At: w.at, Lane: lane}
	opened := ""
	for i := range batch {
		if i == most {
			if class != "" {
				e.Stop = &Stop{Class: class, Text: "made up"}
			}
			break
		}
		r, stop := w.far(&batch[i], &opened)
		if stop != nil {
			e.Stop = stop
			break
		}
		e.Results = append(e.Results, r)
	}
	w.s.Apply(e)
}

func (w *world) do(c *Command, opened *string) (Result, *Stop) {
	r := Result{Command: c.ID, Sequence: -1}
	to := c.Conversation
	if to == "" {
		to = *opened
	}
	live := w.open && to == w.name()
	switch c.Kind {
	case OpenConversation:
		if !w.open {
			w.conversation++
			w.open, w.sequence = true, 0
		}
		*opened, r.Conversation = w.name(), w.name()
	case Publish:
		if to == "" {
			w.t.Fatalf("%q has nowhere to go", c.Text) // the activity would make a dead letter of it
		}
		if !live {
			return r, &Stop{Class: fault.Gone, Code: "closed"}
		}
		w.published = append(w.published, c.Text)
		r.Sequence = w.sequence
		w.sequence++
	case Acknowledge:
		if !live {
			return r, &Stop{Class: fault.Gone, Code: "closed"}
		}
		r.Sequence = w.sequence
		w.sequence++
	case Close:
		if live {
			w.hangUp("CONSUMER")
		}
	case Deliver:
		w.delivered = append(w.delivered, c.Text)
	case Ask, Rate:
	}
	return r, nil
}

// turn is what the workflow does between events.
func (w *world) turn() {
	if w.s.Succeeded() {
		w.s = w.s.Next(w.at)
	}
	if w.s.Idle() { // a hand-over is possible at any such moment, and must change nothing
		body, err := json.Marshal(w.s)
		if err != nil {
			w.t.Fatal(err)
		}
		var copied State
		if err := json.Unmarshal(body, &copied); err != nil {
			w.t.Fatal(err)
		}
		w.s = copied
	}
}

// settleAll lets everything succeed until nothing is left to do.
func (w *world) settleAll() {
	for range 10_000 {
		for len(w.pool) > 0 {
			w.arrive(0)
		}
		w.turn()
		w.carry(CloudLane, batchCommands, "")
		w.carry(ChannelLane, batchCommands, "")
		w.turn()
		if len(w.pool) > 0 {
			continue
		}
		due := w.s.Due()
		if w.s.ToCloud.Queue == nil && w.s.ToChannel.Queue == nil && len(w.s.Pending) == 0 && !w.s.holding() {
			return
		}
		if due.After(w.at) {
			w.at = due
			w.s.Apply(Event{Kind: TimePassed, At: w.at})
		}
	}
	w.t.Fatalf("no end: %+v", w.s)
}

func TestNothingIsLostDoubledOrReordered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := begin(&testing.T{})
		w := &world{t: t, s: x.s, at: noon, streams: map[string]int64{}}
		w.s.Rules = rapid.IntRange(1, LatestRules).Draw(t, "rules")
		w.far = w.do
		classes := []fault.Class{"", fault.Transient, fault.Throttled, fault.Uncertain, fault.Denied}
		lanes := []LaneName{CloudLane, ChannelLane}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2:
				w.write()
			case 3:
				w.speak()
			case 4:
				w.see()
			case 5:
				if len(w.pool) > 0 {
					w.arrive(rapid.IntRange(0, len(w.pool)-1).Draw(t, "which"))
				}
			case 6, 7:
				w.carry(rapid.SampledFrom(lanes).Draw(t, "lane"), rapid.IntRange(0, 5).Draw(t, "most"),
					rapid.SampledFrom(classes).Draw(t, "class"))
			case 8:
				if len(w.told) > 0 {
					w.s.Apply(w.told[rapid.IntRange(0, len(w.told)-1).Draw(t, "again")])
				}
			case 9:
				for len(w.pool) > 0 { // what is on its way arrives before time passes: the window is for that
					w.arrive(0)
				}
				w.hangUp(rapid.SampledFrom([]string{"AGENT", "SYSTEM", "CONSUMER"}).Draw(t, "reason"))
				w.at = w.at.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second)
				w.s.Apply(Event{Kind: TimePassed, At: w.at})
			}
			w.turn()
		}
		w.settleAll()
		if !slices.Equal(w.wrote, w.published) {
			t.Fatalf("the consumer wrote\n%q\nand the cloud got\n%q", w.wrote, w.published)
		}
		for c := range w.conversation {
			in := func(text string) bool { return !strings.HasPrefix(text, fmt.Sprintf("C%d ", c+1)) }
			spoke := slices.DeleteFunc(slices.Clone(w.spoke), in)
			if got := slices.DeleteFunc(slices.Clone(w.delivered), in); !slices.Equal(spoke, got) {
				t.Fatalf("agents wrote\n%q\nand the phone got\n%q", spoke, got)
			}
		}
	})
}
