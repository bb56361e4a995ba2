package conversation

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley/message"
)

// Offer is an agent's message that offered answers. It is remembered until newer
// ones push it out, so that an answer can be given back as the click it stands for.
type Offer struct {
	Command      message.ID       `json:"command"`
	Conversation string           `json:"conversation,omitempty"`
	Dialog       string           `json:"dialog,omitempty"`
	Sequence     int              `json:"sequence"`
	Choices      []message.Choice `json:"choices"`
	Spoken       bool             `json:"spoken,omitempty"` // the consumer has said something: its quick replies are gone
	Aside        bool             `json:"aside,omitempty"`  // the consumer has said something else since
	Passed       bool             `json:"passed,omitempty"` // and the agent has answered that: a number may mean anything now
}

// Bounds on the offers that are remembered.
const (
	keepOffers  = 5
	keepChoices = 64
	offerBytes  = 32 << 10
)

// show remembers what an agent's message offers when it goes to the channel: before
// that the consumer cannot have seen it. A message that is sent again is known.
func (s *State) show(c *Command) {
	if s.Rules < 2 || c.Kind != Deliver || c.Bury != "" || slices.ContainsFunc(s.Offers, func(o Offer) bool { return o.Command == c.ID }) {
		return
	}
	if s.Survey.Dialog != "" && c.Dialog == s.Survey.Dialog {
		s.Survey.Free = len(c.Choices) == 0
	}
	if len(c.Choices) == 0 {
		if o := s.newest(c.Dialog); o != nil {
			o.Passed = o.Passed || o.Aside
		}
		return
	}
	o := Offer{Command: c.ID, Conversation: c.Conversation, Dialog: c.Dialog, Sequence: c.Sequence}
	for room := offerBytes; len(o.Choices) < min(len(c.Choices), keepChoices); {
		next := c.Choices[len(o.Choices)]
		if room -= choicesSize([]message.Choice{next}); room < 0 {
			break
		}
		o.Choices = append(o.Choices, next)
	}
	if len(o.Choices) > 0 {
		s.Offers = append(s.Offers, o)
	}
	s.boundOffers()
}

func (s *State) boundOffers() {
	size := 0
	for i := len(s.Offers) - 1; i >= 0; i-- {
		size += choicesSize(s.Offers[i].Choices)
		if len(s.Offers)-i > keepOffers || size > offerBytes {
			s.Offers = slices.Clone(s.Offers[i+1:])
			return
		}
	}
}

// unshow forgets the offer of a message that the channel cannot take after all.
func (s *State) unshow(id message.ID) {
	s.Offers = slices.DeleteFunc(s.Offers, func(o Offer) bool { return o.Command == id })
}

// newest returns the newest offer in a dialog; nil when there is none.
func (s *State) newest(dialog string) *Offer {
	for i := len(s.Offers) - 1; i >= 0; i-- {
		if s.Offers[i].Dialog == dialog {
			return &s.Offers[i]
		}
	}
	return nil
}

// spoken is a consumer's message in a dialog, the click on an offer or not. Quick
// replies are gone after it; in a survey they stay until one is taken, since its
// question is still to be answered. An offer of which nothing stands stays all the
// same: what is typed is not meant for an older one.
func (s *State) spoken(dialog string, clicked *Offer) {
	for i := range s.Offers {
		o := &s.Offers[i]
		if o.Dialog != dialog {
			continue
		}
		o.Spoken = o.Spoken || clicked != nil || dialog == o.Conversation
		o.Aside = o.Aside || clicked == nil || clicked.Command != o.Command
	}
}

// stands says whether a choice can still be taken.
func (o *Offer) stands(c message.Choice) bool { return !c.Quick || !o.Spoken }

// click is a consumer's message that stands for answers that were offered.
type click struct {
	offer    Offer
	text     string          // what the consumer says by it
	metadata json.RawMessage // of what was clicked, as it came
	live     bool            // the offer is of the dialog in which it is said; else it is a text like any other
}

// clicked says whether a message stands for answers that were offered: a button's
// ID of any offer that is remembered, or a number, a title or a text of the newest
// in the dialog.
func (s *State) clicked(in message.Inbound, dialog string) (click, bool) {
	if s.Rules < 2 || len(in.Attachments) > 0 || utf8.RuneCountInString(said(in)) > publishLimit {
		return click{}, false
	}
	if in.Choice != nil && in.Choice.ID != "" {
		return s.button(in.Choice.ID, dialog)
	}
	o := s.newest(dialog)
	if o == nil || o.Conversation != s.Cloud.Conversation {
		return click{}, false
	}
	taken := o.typed(said(in))
	if len(taken) == 0 {
		return click{}, false
	}
	return click{offer: *o, text: sayAll(taken), metadata: metadataOf(taken), live: true}, true
}

func (s *State) button(id, dialog string) (click, bool) {
	for i := len(s.Offers) - 1; i >= 0; i-- {
		o := s.Offers[i]
		for _, c := range o.Choices {
			switch {
			case c.ID != id:
			case !o.stands(c):
				return click{text: c.Title}, c.Title != ""
			default:
				return click{
					offer: o, text: c.Says(), metadata: c.Metadata, live: o.Dialog == dialog && o.Conversation == s.Cloud.Conversation,
				}, c.Says() != ""
			}
		}
	}
	return click{}, false
}

// typed returns the choices that a text stands for: one by its title or text, if no
// other is called the same; one by its number; several of those that may be taken
// together, by their numbers. A title is stronger than a number: "5" means the
// answer "5", also where that is the first of five.
func (o *Offer) typed(text string) []message.Choice {
	plain := plainly(text)
	if plain == "" {
		return nil
	}
	var named []message.Choice
	for _, c := range o.Choices {
		if o.stands(c) && (plainly(c.Title) == plain || plainly(c.Text) == plain) {
			named = append(named, c)
		}
	}
	switch {
	case len(named) == 1:
		return named
	case len(named) > 1, o.Passed:
		return nil
	}
	return o.numbered(text)
}

// numbered returns the choices of the numbers that a text consists of.
func (o *Offer) numbered(text string) []message.Choice {
	fields := strings.FieldsFunc(strings.Map(digits, text), func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	var taken []message.Choice
	var before []int
	for _, field := range fields {
		field = simplify(field)
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || n > len(o.Choices) || strconv.Itoa(n) != field || slices.Contains(before, n) {
			return nil // "+1" and "02" are no numbers of answers
		}
		c := o.Choices[n-1]
		if !o.stands(c) || (len(fields) > 1 && !c.Many) {
			return nil
		}
		before, taken = append(before, n), append(taken, c)
	}
	return taken
}

// plainly drops case, punctuation at both ends, and differences in white space.
func plainly(text string) string { return strings.Join(strings.Fields(simplify(text)), " ") }

func sayAll(taken []message.Choice) string {
	words := make([]string, len(taken))
	for i := range taken {
		words[i] = taken[i].Says()
	}
	return strings.Join(words, ", ")
}

// metadataOf is the metadata of what was clicked, as it came; that of several is
// put one behind the other. Each is a list (liveperson.md §5.9).
func metadataOf(taken []message.Choice) json.RawMessage {
	if len(taken) == 1 {
		return taken[0].Metadata
	}
	var all []json.RawMessage
	for _, c := range taken {
		var some []json.RawMessage
		if json.Unmarshal(c.Metadata, &some) == nil {
			all = append(all, some...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	joined, err := json.Marshal(all)
	if err != nil { // they have been read from JSON
		return nil
	}
	return joined
}

// act tells the cloud that something was clicked, before what is said by it.
func (s *State) act(cause message.ID, k click) {
	if k.offer.Sequence < 0 {
		return
	}
	s.ToCloud.push(Command{
		ID: message.NewID("action", string(cause)), Kind: Acknowledge, Status: statusAction, Conversation: k.offer.Conversation,
		Dialog: k.offer.Dialog, Sequences: []int{k.offer.Sequence}, Metadata: k.metadata,
	})
}

// statusAction is the accept status of something clicked.
const statusAction = "ACTION"
