package conversation

import (
	"testing"

	"parley/message"
)

// snapshot is one of a conversation other than the script's own.
func (x *script) snapshot(conversation string, sequence int64, c message.Change) {
	x.s.Apply(Event{
		Kind: CloudNotified, At: x.at, Stream: message.Stream{Account: "main", Conversation: conversation}, Sequence: sequence,
		Notification: &message.Notification{Kind: message.Conversation, Conversation: conversation, Sequence: -1, Change: &c},
	})
}

func TestAnOlderConversationDoesNotTakeOverThatIsFoundLate(t *testing.T) {
	t.Parallel()
	open := func(version int64) message.Change {
		return message.Change{Version: version, Open: true, MainOpen: true}
	}
	for name, late := range map[string]bool{"before the newer one is shown": false, "after it": true} {
		x := begin(t)
		x.writes("hello") // C0 was opened for it, and closed; the answer was lost, so it was opened again
		x.carries(CloudLane)
		current := x.s.Cloud.Conversation
		if late {
			x.snapshot(current, 1, open(30))
		}
		x.snapshot("C0", 1, open(10))
		x.snapshot("C0", 2, message.Change{Version: 20, CloseReason: "AGENT"})
		if !late {
			x.snapshot(current, 1, open(30))
		}
		if x.s.Cloud.Conversation != current || x.s.Stage != Open || x.s.known(current) {
			t.Errorf("%s: %s in %s, known: %v", name, x.s.Stage, x.s.Cloud.Conversation, x.s.Past)
		}
	}
}

func TestANewerConversationTakesOverOnceItIsKnownToBeNewer(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	current := x.s.Cloud.Conversation
	x.snapshot("C9", 1, message.Change{Version: 40, Open: true, MainOpen: true})
	if x.s.Cloud.Conversation != current {
		t.Fatal("nobody could know")
	}
	x.snapshot(current, 1, message.Change{Version: 30, Open: true, MainOpen: true})
	if x.s.Cloud.Conversation != "C9" || x.s.Stage != Open || x.s.Cloud.Version != 40 {
		t.Errorf("%s in %+v", x.s.Stage, x.s.Cloud)
	}
}

func TestAgentsMessagesKeepTheirOrderBeforeTheAnswerToTheOpening(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	batch := x.s.Take(CloudLane, x.at)
	x.agent(2, "second")
	x.agent(1, "first")
	x.want("too early", x.carries(ChannelLane))
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0]), x.accept(&batch[1])}})
	x.want("delivered", x.carries(ChannelLane), "deliver C1 first", "deliver C1 second")
}

func TestAMessageWaitsNoLongerWhenAnEarlierOneComesToWaitToo(t *testing.T) {
	t.Parallel()
	x := begin(t, off)
	x.writes("hello")
	x.carries(CloudLane) // takes sequence 0
	x.agent(3, "third")
	x.passes(x.s.Settings.ReorderWindow / 2)
	x.agent(2, "second")
	x.passes(x.s.Settings.ReorderWindow / 2)
	if due := x.s.Due(); !due.IsZero() && !due.After(x.at) {
		t.Fatal("time is due at once, again and again")
	}
	x.want("delivered", x.carries(ChannelLane), "deliver C1 second", "deliver C1 third")
}
