package liveperson

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// Choice is an answer that was offered: a quick reply, a checkbox, or a button
// that says something.
type Choice struct {
	Title    string
	Text     string          // what the consumer says by choosing it
	Metadata json.RawMessage // to be given back, unchanged, by who chooses it; may be nil
	Quick    bool            // a quick reply: gone once it, or anything else, was said
	Many     bool            // a checkbox: several may be chosen at once
}

// BlockKind says what a Block shows.
type BlockKind string

// The kinds of Block. The last three hold other blocks.
const (
	BlockText     BlockKind = "text"   // Text
	BlockImage    BlockKind = "image"  // URL, Text is its caption
	BlockLink     BlockKind = "link"   // URL, Text is its name
	BlockPlace    BlockKind = "place"  // Latitude, Longitude, Text is its name
	BlockFact     BlockKind = "fact"   // Text is the key, Value
	BlockChoice   BlockKind = "choice" // Choice
	BlockCard     BlockKind = "card"
	BlockCarousel BlockKind = "carousel" // of cards, to be looked at one after the other
	BlockList     BlockKind = "list"     // Text is its title
)

// Block is one element of structured content, in the order in which it is read.
// What is only layout is left out.
type Block struct {
	Kind      BlockKind
	Text      string  `json:",omitempty"`
	Value     string  `json:",omitempty"`
	URL       string  `json:",omitempty"`
	Latitude  float64 `json:",omitempty"`
	Longitude float64 `json:",omitempty"`
	Choice    int     `json:",omitempty"` // which of the event's Choices, from 1: the number it has in the event's Text
	Blocks    []Block `json:",omitempty"`
}

// inWords is what blocks say in plain text: texts in the order of the document,
// captions, options as "1) title", links as "name: address".
//
// Source: rich-messaging-structured-content-*; the rule is ours.
func inWords(blocks []Block, choices []Choice) string {
	w := words{choices: choices}
	w.blocks(blocks)
	return strings.Join(w.lines, "\n")
}

type words struct {
	choices []Choice
	lines   []string
}

func (w *words) blocks(all []Block) {
	for _, b := range all {
		switch b.Kind {
		case BlockImage:
			if b.Text != "" {
				w.say(b.Text)
			} else {
				w.say(b.URL)
			}
		case BlockLink:
			w.pair(b.Text, b.URL)
		case BlockPlace:
			w.pair(b.Text, onMap(b.Latitude, b.Longitude))
		case BlockFact:
			w.pair(b.Text, b.Value)
		case BlockChoice:
			w.say(strconv.Itoa(b.Choice) + ") " + w.choices[b.Choice-1].Title)
		default:
			w.say(b.Text)
			w.blocks(b.Blocks)
		}
	}
}

func (w *words) say(s string) {
	if s = trimmed(s); s != "" {
		w.lines = append(w.lines, s)
	}
}

func (w *words) pair(name, value string) {
	switch {
	case value == "":
		w.say(name)
	case name == "" || name == value:
		w.say(value)
	default:
		w.say(strings.TrimSpace(name) + ": " + value)
	}
}

// trimmed is a text without the line end that the agents' desk tends to leave.
func trimmed(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }

func onMap(latitude, longitude float64) string {
	return "https://maps.google.com/?q=" + degrees(latitude) + "," + degrees(longitude)
}

func degrees(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
