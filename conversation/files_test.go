package conversation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/fault"
	"parley/message"
)

var (
	photo = message.Attachment{Kind: "image", MIME: "image/jpeg", Name: "photo.jpg", URL: "https://example.org/photo"}
	movie = message.Attachment{Kind: "video", MIME: "video/mp4", URL: "https://example.org/movie"}
)

func TestFilesGoAfterTheTextTheyCameWith(t *testing.T) {
	t.Parallel()
	x := talking(t)
	in := message.Inbound{Kind: message.Wrote, ID: "in", Text: "look", Attachments: []message.Attachment{photo, movie}, Ref: "ref"}
	x.event(in)
	batch := x.s.Take(CloudLane, x.at)
	var ids []message.ID
	var kinds []CommandKind
	for _, c := range batch {
		ids, kinds = append(ids, c.ID), append(kinds, c.Kind)
		if c.Conversation != "C1" || c.Dialog != "C1" || c.Number != 2 {
			t.Errorf("%s goes to %s/%s as number %d", c.Kind, c.Conversation, c.Dialog, c.Number)
		}
	}
	if !slices.Equal(kinds, []CommandKind{Publish, PublishFile, PublishFile}) {
		t.Fatalf("got %v", kinds)
	}
	if batch[1].Attachment.URL != photo.URL || batch[1].Text != "photo.jpg" || batch[2].Attachment.URL != movie.URL {
		t.Errorf("got %+v", batch)
	}
	if parts := Parts(in); !slices.Equal(parts, ids) || parts[0] != "in" {
		t.Errorf("Parts says %v, published were %v", parts, ids)
	}
}

func TestPartsAreThoseThatArePublished(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", publishLimit+1)
	for name, in := range map[string]message.Inbound{
		"a text":              {Text: "hello"},
		"a long text":         {Text: long},
		"a file":              {Attachments: []message.Attachment{photo}},
		"two files":           {Attachments: []message.Attachment{photo, movie}},
		"a button":            {Choice: &message.Choice{ID: "Y", Title: "Yes"}},
		"a number":            {Text: "1"},
		"a button and a file": {Choice: &message.Choice{ID: "Y"}, Attachments: []message.Attachment{photo}},
		"all at once":         {Text: long, Attachments: []message.Attachment{photo, movie}},
		"nothing":             {},
	} {
		for rules := 1; rules <= LatestRules; rules++ {
			x := begin(t)
			x.s.Rules = rules
			x.writes("hello")
			x.carries(CloudLane)
			x.offers(1, offer("Y", "Yes", "Yes, please"))
			in.Kind, in.ID = message.Wrote, "in"
			x.event(in)
			var ids []message.ID
			for _, c := range x.s.ToCloud.Queue {
				if c.speaks() {
					ids = append(ids, c.ID)
				}
				if source := c.Source; c.speaks() && (len(PartsUnder(*source, rules)) != len(ids) && PartsUnder(*source, rules)[0] != c.ID) {
					t.Errorf("%s: in another conversation %s would be %v", name, c.ID, PartsUnder(*source, rules))
				}
			}
			if got := PartsUnder(in, rules); !slices.Equal(got, ids) {
				t.Errorf("%s by rules %d: %v, published are %v", name, rules, got, ids)
			}
		}
	}
}

func TestAFileThatCannotGoIsToldToBothSides(t *testing.T) {
	t.Parallel()
	texts := begin(t).s.Settings.Texts
	for code, want := range map[string]struct{ agent, consumer string }{
		CodeTooLarge: {"it is too large", texts.FileTooLarge},
		CodeFileType: {"files of this type are not accepted", texts.FileType},
		CodeFileGone: {"it could not be fetched", texts.FileGone},
	} {
		x := talking(t)
		x.event(message.Inbound{Kind: message.Wrote, ID: "in", Text: "look", Attachments: []message.Attachment{photo}})
		x.writes("do you see it?")
		batch := x.s.Take(CloudLane, x.at)
		x.s.Apply(Event{
			Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0])}, Stop: &Stop{Class: fault.Rejected, Code: code},
		})
		if id := x.s.ToCloud.Queue[0].ID; id != batch[1].ID {
			t.Errorf("%s: the line has the ID %s, not that of the file", code, id)
		}
		x.want("the agent, in its place", x.carries(CloudLane),
			"publish C1 [image photo.jpg image/jpeg could not be passed on: "+want.agent+"]", "publish C1 do you see it?")
		x.want("the consumer", x.carries(ChannelLane), "tell C1 "+want.consumer)
		if len(x.s.Dead) != 0 || want.consumer == "" {
			t.Errorf("%s: dead letters %v", code, x.s.Dead)
		}
	}
}

func TestAFileTheCloudRefusesIsADeadLetter(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.event(message.Inbound{Kind: message.Wrote, ID: "in", Attachments: []message.Attachment{photo}})
	x.fails(CloudLane, Stop{Class: fault.Rejected, Code: "400", Text: "upload: rejected"})
	x.want("recorded", x.carries(CloudLane), "file C1 photo.jpg rejected: upload: rejected")
	x.person(Operation{Kind: Redrive, Command: "in", By: "me"})
	x.want("again", x.carries(CloudLane), "file C1 photo.jpg")
}

func TestNobodyIsToldWhoHasOptedOutOrForWhomThereAreNoWords(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*script){
		"opted out": func(x *script) { x.event(message.Inbound{Kind: message.Consent, Consent: message.OptedOut}) },
		"no words":  func(x *script) { x.s.Settings.Texts.FileTooLarge = "" },
	} {
		x := talking(t)
		change(x)
		x.event(message.Inbound{Kind: message.Wrote, Attachments: []message.Attachment{photo}})
		x.fails(CloudLane, Stop{Class: fault.Rejected, Code: CodeTooLarge})
		if got := x.carries(ChannelLane); len(got) != 0 {
			t.Errorf("%s: told %q", name, got)
		}
	}
}

func TestAFileThatIsNotHandedOutIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	x := talking(t)
	began := x.at
	x.event(message.Inbound{Kind: message.Wrote, Attachments: []message.Attachment{photo}})
	x.writes("hello?")
	for range fileAttempts {
		x.fails(CloudLane, Stop{Class: fault.Transient, Code: CodeFileGone})
		x.passes(time.Minute)
	}
	if got := x.carries(CloudLane); len(got) != 2 || !strings.Contains(got[0], "could not be passed on") {
		t.Errorf("got %q", got)
	}
	if waited := x.at.Sub(began); waited > 20*time.Minute {
		t.Errorf("waited %s", waited)
	}
}

func TestAFileThatIsGoneClosesNoConversation(t *testing.T) {
	t.Parallel()
	x := talking(t)
	x.event(message.Inbound{Kind: message.Wrote, Attachments: []message.Attachment{photo}})
	x.fails(CloudLane, Stop{Class: fault.Gone, Code: CodeFileGone})
	x.stage(Open)
	if got := x.carries(CloudLane); len(got) != 1 || !strings.Contains(got[0], "could not be passed on") {
		t.Errorf("got %q", got)
	}
}

func TestFilesFindTheirWayToTheNextConversation(t *testing.T) {
	t.Parallel()
	x := talking(t, off)
	x.event(message.Inbound{Kind: message.Wrote, ID: "in", Text: "look", Attachments: []message.Attachment{photo}})
	batch := x.s.Take(CloudLane, x.at)
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0])}, Stop: &Stop{Class: fault.Gone}})
	x.s = x.s.Next(x.at)
	if id := x.s.ToCloud.Queue[1].ID; id != batch[1].ID {
		t.Error("it has another ID")
	}
	x.want("the file alone", x.carries(CloudLane), "open", "file photo.jpg")
}

func TestAnAgentsFileIsDelivered(t *testing.T) {
	t.Parallel()
	x := talking(t)
	file := &message.File{Path: "/v1/invoice.PDF", Type: "PDF", Caption: "invoice"}
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "C1", Sequence: 1, Text: "invoice", File: file})
	batch := x.s.Take(ChannelLane, x.at)
	if len(batch) != 1 || batch[0].File == nil || *batch[0].File != *file {
		t.Fatalf("got %+v", batch)
	}
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: ChannelLane, Stop: &Stop{Class: fault.Rejected, Code: CodeTooLarge}})
	x.carries(ChannelLane)
	x.want("the agent is told", x.carries(CloudLane), "acknowledge C1 NACK")
	x.event(message.Inbound{Kind: message.Consent, Consent: message.OptedOut})
	x.notify(message.Notification{Kind: message.AgentWrote, Dialog: "C1", Sequence: 2, Text: "invoice", File: file})
	x.want("as for texts", x.carries(ChannelLane), "deliver C1 invoice consumer opted out")
}

func TestAFileThatWasOpenedIsAccessed(t *testing.T) {
	t.Parallel()
	x := talking(t, func(s *Settings) { s.Receipts = true })
	x.agent(1, "invoice")
	id := x.s.ToChannel.Queue[0].ID
	x.carries(ChannelLane)
	for _, state := range []message.ReceiptState{message.Read, message.Opened, message.Read, message.Opened, message.Delivered, message.Failed} {
		x.event(message.Inbound{Kind: message.Receipts, Receipt: &message.Receipt{Message: id, State: state}})
	}
	x.want("it only grows", x.carries(CloudLane), "acknowledge C1 READ", "acknowledge C1 ACCESS")
}

func TestByTheFirstRulesAFileIsALineOfText(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.s.Rules = 1
	x.event(message.Inbound{Kind: message.Wrote, Text: "look", Attachments: []message.Attachment{photo, movie}})
	x.want("one message", x.carries(CloudLane), "open", "publish look\n[image photo.jpg image/jpeg]\n[video video/mp4]")
}
