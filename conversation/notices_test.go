package conversation

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/message"
)

func (x *script) change(c message.Change) {
	c.Open = true
	c.Version = int64(x.cloud + 1)
	x.notify(message.Notification{Kind: message.Conversation, Sequence: -1, Change: &c})
}

// noted returns the lines of the journal, and forgets them.
func (x *script) noted() []string {
	var out []string
	for _, n := range x.s.Notes {
		out = append(out, strings.TrimSpace(n.What+" "+n.Detail))
	}
	x.s.Notes = nil
	return out
}

func TestWhoTakesPartIsNoted(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.change(message.Change{MainOpen: true, Skill: "-1"})
	x.change(message.Change{MainOpen: true, Skill: "12", AnswerBy: noon.Add(time.Minute)})
	x.want("waits", x.noted(), "waits an answer is expected by 2026-11-22T12:01:00Z")
	joined := message.Change{MainOpen: true, Skill: "12", Agent: true, AgentID: "a-1"}
	x.change(joined)
	x.change(joined)
	x.want("joined, once", x.noted(), "joined agent a-1")
	x.change(message.Change{MainOpen: true, Skill: "13"})
	x.want("transferred", x.noted(), "transferred from skill 12 to 13", "left no agent is assigned")
	x.change(message.Change{MainOpen: true, Skill: "13", Agent: true, AgentID: "a-2", Manager: true, Delay: "NIGHT", DelayTo: noon.Add(8 * time.Hour)})
	x.want("away", x.noted(), "joined agent a-2", "joined a manager", "away NIGHT 2026-11-22 20:00 UTC")
	details := x.s.Details()
	for _, want := range []string{"skill 13", "an agent is assigned", "Agent `a-2`", "A manager takes part", "Nobody answers now (night), until 2026-11-22 20:00 UTC"} {
		if !strings.Contains(details, want) {
			t.Errorf("details do not say %q:\n%s", want, details)
		}
	}
	x.want("nothing is said", x.carries(ChannelLane))
}

func TestNoticesAreSaidWhereThereAreWordsForThem(t *testing.T) {
	t.Parallel()
	x := talking(t, func(s *Settings) {
		s.Texts.Joined, s.Texts.Transferred, s.Texts.Away = "An agent is here.", "One moment.", "We are back at {until}."
	})
	x.change(message.Change{MainOpen: true, Skill: "12"})
	x.want("a first skill is no transfer", x.carries(ChannelLane))
	joined := message.Change{MainOpen: true, Skill: "12", Agent: true, AgentID: "a-1"}
	x.change(joined)
	x.change(joined)
	x.want("once", x.carries(ChannelLane), "tell C1 An agent is here.")
	x.change(message.Change{MainOpen: true, Skill: "13", Delay: "NIGHT", DelayTo: noon})
	x.want("both", x.carries(ChannelLane), "tell C1 One moment.", "tell C1 We are back at 2026-11-22 12:00 UTC.")
	x.want("nothing is acknowledged", x.carries(CloudLane))
}

func TestMetadataIsKeptInTheJournal(t *testing.T) {
	t.Parallel()
	x := talking(t)
	metadata := func(size int) json.RawMessage {
		return json.RawMessage(`[{"type":"ExternalId","id":"` + strings.Repeat("ü", size) + `"}]`)
	}
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "C1", Sequence: 1, Text: "hi", Metadata: metadata(3)})
	x.want("as it came", x.noted(), "metadata "+string(metadata(3)))
	for i := range 2 * keepNotes {
		x.notify(message.Notification{Kind: message.AgentSaw, Dialog: "C1", Sequence: i + 2, Metadata: metadata(mostMetadata)})
	}
	size := 0
	for _, n := range x.s.Notes {
		size += len(n.Detail)
		if len(n.Detail) > mostMetadata || !strings.HasSuffix(n.Detail, "…") {
			t.Fatalf("%d bytes of one", len(n.Detail))
		}
	}
	if size < mostNoted/2 || size > mostNoted+mostMetadata {
		t.Errorf("%d bytes wait to be written", size)
	}
}
