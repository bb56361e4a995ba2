package conversation

import (
	"strings"
	"testing"
	"time"

	"parley/fault"
	"parley/message"
)

func routed(s *Settings) {
	s.Survey = SurveyOff
	s.Routes = []Route{
		{Words: []string{"Sport", "スポーツ"}, Skill: "7", Engagement: true, Entry: []string{"sec://sport"}},
		{Words: []string{"stolen", "lost my card"}, Skill: "9", Urgency: "URGENT"},
		{Words: []string{"press"}, Urgency: "NORMAL"},
		{Skill: "1"},
	}
}

func TestTheFirstMessageChoosesTheRoute(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ skill, urgency string }{
		"Any SPORT today?":           {"7", ""},
		"sport":                      {"7", ""},
		"sports":                     {"1", ""}, // another word
		"transport and sport":        {"7", ""},
		"transport":                  {"1", ""},
		"今日のスポーツは":                   {"7", ""}, // no spaces between words there
		"Help: I lost my card!":      {"9", "URGENT"},
		"I lost, my card":            {"1", ""},
		"my sport card was stolen":   {"7", ""}, // the first that fits
		"hello":                      {"1", ""},
		"I am of the press, listen!": {"", "NORMAL"},
	} {
		x := begin(t, routed)
		x.writes(text)
		open := x.s.ToCloud.Queue[0]
		if open.Kind != OpenConversation || open.Route == nil || open.Route.Skill != want.skill || open.Route.Urgency != want.urgency || open.Route.Words != nil {
			t.Errorf("%q: %+v", text, open.Route)
		}
	}
	x := begin(t)
	x.writes("hello")
	if x.s.ToCloud.Queue[0].Route != nil {
		t.Error("a route without settings")
	}
}

func TestAWordMayMakeAConversationUrgentLater(t *testing.T) {
	t.Parallel()
	x := begin(t, routed)
	x.writes("hello", "my card was stolen")
	x.want("with the opening", x.carries(CloudLane), "open", "publish hello", "publish my card was stolen", "urgency URGENT")
	x.writes("stolen, I say", "I talk to the press")
	x.want("once, and not taken back", x.carries(CloudLane), "publish C1 stolen, I say", "publish C1 I talk to the press")
	x.closes("AGENT")
	x.writes("stolen again")
	x.s = x.s.Next(x.at)
	x.want("the next is opened so", x.carries(CloudLane), "open", "publish stolen again")
}

func TestUrgencyIsAskedForOnceWhileItWaits(t *testing.T) {
	t.Parallel()
	x := begin(t, routed, func(s *Settings) { s.Routes = append(s.Routes, Route{Words: []string{"vip"}, Urgency: "PRIORITIZED"}) })
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("stolen", "vip")
	if c := x.s.ToCloud.Queue[1]; c.Kind != Urge || c.Urgency != "PRIORITIZED" || c.Conversation != "C1" || len(x.s.ToCloud.Queue) != 3 {
		t.Errorf("got %+v", x.s.ToCloud.Queue)
	}
}

func TestARouteIsFoundForWhatMetAClosedConversation(t *testing.T) {
	t.Parallel()
	x := begin(t, routed)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes("and what about sport?")
	x.fails(CloudLane, Stop{Class: fault.Gone})
	x.s = x.s.Next(x.at)
	if open := x.s.ToCloud.Queue[0]; open.Route == nil || open.Route.Skill != "7" {
		t.Errorf("got %+v", open.Route)
	}
	y := begin(t, routed) // the same where the closing was known before, and a new opening was queued
	y.writes("hello")
	y.carries(CloudLane)
	y.writes("and what about sport?")
	y.fails(CloudLane, Stop{Class: fault.Transient})
	y.closes("AGENT")
	y.writes("hm")
	y.s = y.s.Next(y.at)
	y.passes(time.Minute)
	y.fails(CloudLane, Stop{Class: fault.Gone})
	if got := y.carries(CloudLane); strings.Join(got, "|") != "open|publish and what about sport?|publish hm" {
		t.Errorf("got %q", got)
	}
}

func TestTheProfileIsToldWhenItChanges(t *testing.T) {
	t.Parallel()
	x := begin(t)
	known := func(p message.Profile) { x.event(message.Inbound{Kind: message.Known, Profile: p}) }
	x.event(message.Inbound{Kind: message.Wrote, Text: "hello", Profile: message.Profile{Name: "Mira"}})
	batch := x.s.Take(CloudLane, x.at)
	known(message.Profile{Email: "mira@example.org"})
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0]), x.accept(&batch[1])}})
	x.want("news since the opening", x.carries(CloudLane), "profile C1")
	if want := (message.Profile{Name: "Mira", Email: "mira@example.org"}); !x.s.Told.Same(want) {
		t.Errorf("told %+v", x.s.Told)
	}
	x.event(message.Inbound{Kind: message.Wrote, Text: "again", Profile: message.Profile{Name: "Mira"}})
	x.want("nothing new", x.carries(CloudLane), "publish C1 again")
	known(message.Profile{Name: "Mira K."})
	known(message.Profile{Company: "Acme"})
	x.want("in one", x.carries(CloudLane), "profile C1")
	known(message.Profile{Gender: "FEMALE"})
	x.fails(CloudLane, Stop{Class: fault.Transient})
	known(message.Profile{Language: "de"})
	x.passes(time.Minute)
	x.want("the newest, once", x.carries(CloudLane), "profile C1")
	known(message.Profile{Language: "fr"})
	x.fails(CloudLane, Stop{Class: fault.Rejected})
	known(message.Profile{Language: "fr"})
	x.want("what is refused is not repeated", x.carries(CloudLane))
	x.closes("SYSTEM")
	known(message.Profile{Name: "M."})
	x.want("nobody to tell", x.carries(CloudLane))
	if !x.s.Over() {
		t.Error("something is left to do")
	}
}

func TestAProfileAloneOpensNothing(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.event(message.Inbound{Kind: message.Known, Profile: message.Profile{Name: "Mira"}})
	if got := x.carries(CloudLane); len(got) != 0 || !x.s.Over() {
		t.Errorf("got %q", got)
	}
}
