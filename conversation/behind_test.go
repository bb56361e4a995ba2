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

// largest is what a state may take in a hand-over: 2 MB, less something for what
// else is in it.
const largest = 1900 << 10

func (x *script) bytes() int {
	x.t.Helper()
	body, err := json.Marshal(x.s)
	if err != nil {
		x.t.Fatal(err)
	}
	return len(body)
}

// outage lets n messages of a consumer come while the cloud is down, and returns
// them as they are in the inbox.
func (x *script) outage(n int, text func(i int) string) (inbox []Event) {
	for i := range n {
		x.inbound++
		e := Event{Kind: ConsumerWrote, At: x.at, Stream: message.Stream{Address: x.s.Address}, Sequence: x.inbound, Inbound: &message.Inbound{
			Kind: message.Wrote, ID: message.NewID("m", fmt.Sprint(i)), Text: text(i), Address: x.s.Address,
		}}
		inbox = append(inbox, e)
		x.s.Apply(e)
		if i%500 == 0 {
			x.s.Apply(e) // the relay delivers some of it again
		}
	}
	return inbox
}

// catchUp does what the workflow does until nothing waits, and returns what was
// published.
func (x *script) catchUp(inbox []Event) (published []string) {
	x.t.Helper()
	for range 10_000 {
		for _, c := range x.carries(CloudLane) {
			if text, ok := strings.CutPrefix(c, "publish C1 "); ok {
				published = append(published, text)
			} else if text, ok := strings.CutPrefix(c, "publish "); ok {
				published = append(published, text)
			}
		}
		b, ok := x.s.Fetches()
		if !ok && len(x.s.ToCloud.Queue) == 0 {
			return published
		}
		for i, e := range inbox {
			if ok && e.Sequence > b.After && e.Sequence <= b.Last && e.Sequence <= b.After+batchCommands {
				e.Fetched, e.At = true, x.at
				x.s.Apply(e)
				if i%700 == 0 {
					e.Fetched = false
					x.s.Apply(e) // and once more
				}
			}
		}
		if size := x.bytes(); size > largest {
			x.t.Fatalf("the state takes %d bytes", size)
		}
	}
	x.t.Fatal("no end")
	return nil
}

func TestAnOutageDoesNotOutgrowAHandOver(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]func(int) string{
		"short": func(i int) string { return fmt.Sprintf("message %04d", i) },
		"long":  func(i int) string { return fmt.Sprintf("%04d", i) + strings.Repeat("<", 7000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := begin(t)
			inbox := x.outage(map[string]int{"short": 8000, "long": 300}[name], text)
			if size := x.bytes(); size > largest {
				t.Fatalf("the state takes %d bytes", size)
			}
			if x.s.Over() {
				t.Fatal("it takes itself for over")
			}
			published := x.catchUp(inbox)
			if len(published) != len(inbox) {
				t.Fatalf("%d of %d published", len(published), len(inbox))
			}
			for i := range inbox {
				if published[i] != inbox[i].Inbound.Text {
					t.Fatalf("the message at %d is %.20q", i, published[i])
				}
			}
			if len(x.s.Behind) != 0 {
				t.Errorf("still behind: %v", x.s.Behind)
			}
		})
	}
}

func TestWhatIsLeftInTheInboxGoesAlongToTheNextConversation(t *testing.T) {
	t.Parallel()
	x := begin(t, off)
	x.writes("hello")
	x.carries(CloudLane)
	inbox := x.outage(3000, func(i int) string { return fmt.Sprintf("message %04d", i) })
	x.fails(CloudLane, Stop{Class: fault.Gone})
	x.s = x.s.Next(x.at)
	published := x.catchUp(inbox)
	if len(published) != len(inbox) || !slices.IsSorted(published) {
		t.Errorf("%d of %d published, in order: %v", len(published), len(inbox), slices.IsSorted(published))
	}
}

func TestADeafChannelHoldsUpNoConsumer(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	for i := range 2000 {
		x.agent(i+1, strings.Repeat("a", 500))
	}
	if len(x.s.Behind) != 1 || x.bytes() > largest {
		t.Fatalf("%d streams behind, %d bytes", len(x.s.Behind), x.bytes())
	}
	x.writes("are you there?")
	x.want("the consumer is heard", x.carries(CloudLane), "publish C1 are you there?")
}

func TestStopIsNotLeftInTheInbox(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.outage(3000, func(int) string { return "hello" })
	x.event(message.Inbound{Kind: message.Wrote, Text: "STOP", Consent: message.OptedOut})
	if !x.s.OptedOut {
		t.Error("not opted out")
	}
}

func TestDeadLettersAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	for i := range 2 * keepDead {
		x.writes(fmt.Sprint(i) + strings.Repeat("<", 7900))
		x.fails(CloudLane, Stop{Class: fault.Rejected})
		x.carries(CloudLane)
		x.passes(time.Second)
	}
	if n := len(x.s.Dead); n == 0 || x.bytes() > 2*mostDead {
		t.Errorf("%d dead letters, %d bytes", n, x.bytes())
	}
}

func TestWhatIsLeftInTheInboxIsShown(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.outage(3000, func(int) string { return "hello" })
	left := fmt.Sprintf("%d more are left in the inbox", x.s.Behind[0].Last-x.s.Behind[0].After)
	if !strings.Contains(x.s.Details(), left) {
		t.Errorf("details do not say %q", left)
	}
}
