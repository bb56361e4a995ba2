package channeltest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

func (s *suite) content(t *testing.T) {
	t.Parallel()
	t.Run("structured content reaches the consumer", s.rich)
	t.Run("a file reaches the consumer", s.media)
	t.Run("a long caption is whole, the file comes once", s.caption)
	t.Run("no file is not sent", s.noFile)
}

// hidden is the cloud's, and goes nowhere.
const hidden = "canary-metadata"

// card is structured content with something of every kind, and all that there is to read in it.
func card() (message.Outbound, []string) {
	choice := func(n int, title string) *message.Choice {
		return &message.Choice{
			ID: fmt.Sprint(message.NewID("card"), "/", n), Title: title, Text: "I take it", Metadata: json.RawMessage(`[{"id":"` + hidden + `"}]`),
		}
	}
	first, second, third := choice(1, "Take the red"), choice(2, "Take the blue"), choice(3, "Take none")
	out := message.Outbound{
		Kind: message.Rich, Text: "in plain words", Choices: []message.Choice{*first, *second, *third},
		Blocks: []message.Block{
			{Kind: message.TextBlock, Text: "Which shoe?"},
			{Kind: message.CarouselBlock, Blocks: []message.Block{
				{Kind: message.CardBlock, Text: "Number one", Blocks: []message.Block{
					{Kind: message.ImageBlock, Text: "A red shoe", URL: "https://img.example.test/red.png"},
					{Kind: message.FactBlock, Text: "Price", Value: "12.50"},
					{Kind: message.ChoiceBlock, Choice: first},
				}},
				{Kind: message.CardBlock, Blocks: []message.Block{
					{Kind: message.LinkBlock, Text: "About blue", URL: "https://shop.example.test/blue"},
					{Kind: message.ChoiceBlock, Choice: second},
				}},
			}},
			{Kind: message.ListBlock, Text: "Where", Blocks: []message.Block{{Kind: message.PlaceBlock, Text: "The shop", Latitude: 47.3769, Longitude: 8.5417}}},
			{Kind: message.ChoiceBlock, Choice: third},
		},
	}
	return out, []string{
		"Which shoe?", "Number one", "A red shoe", "https://img.example.test/red.png", "Price", "12.50", "Take the red",
		"About blue", "https://shop.example.test/blue", "Take the blue", "Where", "The shop", "47.3769", "8.5417", "Take none",
	}
}

func (s *suite) rich(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	out, words := card()
	out.ID, out.To = message.NewID("1"), s.outbound("", "").To
	sent, err := a.Send(t.Context(), out)
	if err != nil || sent.Parts != 1 {
		t.Fatalf("%d parts, %v", sent.Parts, err)
	}
	all, _ := p.taken()
	for _, w := range words {
		if !strings.Contains(all[0].Text, w) {
			t.Errorf("%q did not reach the consumer: %q", w, all[0].Text)
		}
	}
	out.Kind, out.ID, out.Text, out.Blocks = message.Choices, message.NewID("2"), "Which?", nil
	if _, err := a.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.bytes(), hidden) {
		t.Error("metadata of the cloud was sent to the channel")
	}
}

const fileURL = "https://parley.example.test/files/abc-123?x=y&z"

// file is a message with a file of a type and size.
func (s *suite) file(id, mime string, size int64, caption string) message.Outbound {
	out := s.outbound(message.NewID(id), caption)
	out.Kind = message.Media
	out.Attachment = &message.Attachment{Kind: channels.KindOf(mime), MIME: mime, Name: "name.x", Size: size, URL: fileURL}
	return out
}

func (s *suite) media(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	files := []message.Outbound{
		s.file("big", "image/png", 1<<40, "A caption"), s.file("odd", "application/x-odd", 5, "A caption"), s.file("bare", "image/png", 5, ""), s.file("known", "", 0, "x"),
	}
	for i, m := range a.Limits().Media {
		mime := m.MIME
		if strings.HasSuffix(mime, "/") {
			mime += "x"
		}
		files = append(files, s.file(fmt.Sprint("largest ", i), mime, m.Size, "A caption"), s.file(fmt.Sprint("larger ", i), mime, m.Size+1, "A caption"))
	}
	for _, out := range files {
		sent, err := a.Send(t.Context(), out)
		if err != nil || sent.Parts != 1 {
			t.Fatalf("%s of %d bytes: %d parts, %v", out.Attachment.MIME, out.Attachment.Size, sent.Parts, err)
		}
		all, _ := p.taken()
		got := all[len(all)-1]
		if !strings.Contains(got.Text, out.Text) {
			t.Errorf("the caption did not reach the consumer: %q", got.Text)
		}
		shown := got.Media == fileURL
		if !shown && !strings.Contains(got.Text, fileURL) {
			t.Errorf("the file did not reach the consumer: %+v", got)
		}
		if a.Limits().Carries(out.Attachment.MIME, out.Attachment.Size) && !shown {
			t.Errorf("%s of %d bytes went as a link, although it is carried", out.Attachment.MIME, out.Attachment.Size)
		}
	}
}

func (s *suite) caption(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	p.at(2, hangUp)
	out := s.file("1", "image/png", 5, s.long(a, 2))
	if !a.Limits().Carries("image/png", 5) {
		t.Skip("files are links on this channel")
	}
	sent, err := a.Send(t.Context(), out)
	s.fails(t, err, fault.Uncertain)
	out.Done = sent.Parts
	if sent, err = a.Send(t.Context(), out); err != nil || sent.Parts != 2 {
		t.Fatalf("resumed: %d parts, %v", sent.Parts, err)
	}
	all, _ := p.taken()
	s.whole(t, all, out.Text, a.Limits().Text)
	if all[0].Media != fileURL || all[1].Media != "" {
		t.Errorf("the file is with the parts as follows: %q, %q", all[0].Media, all[1].Media)
	}
}

func (s *suite) noFile(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	for _, none := range []*message.Attachment{nil, {MIME: "image/png"}} {
		out := s.outbound(message.NewID("1"), "Hello")
		out.Kind, out.Attachment = message.Media, none
		_, err := a.Send(t.Context(), out)
		s.fails(t, err, fault.Rejected)
	}
	if _, calls := p.taken(); calls > 0 {
		t.Errorf("%d requests", calls)
	}
}
