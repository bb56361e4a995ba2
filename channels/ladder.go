package channels

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"parley/message"
)

// Ladder returns what of a message a channel is given: all that the message says,
// in the highest form that the channel can carry.
//
//   - Rich: the blocks as they are; text and choices stay with them for whoever
//     wants them.
//   - Choices: the words of the blocks without the answers offered, which become
//     buttons.
//   - Text: the words with the answers numbered, "1) Yes". The number of an answer
//     is its place in choices, from 1.
//
// Without blocks the text is taken as it is; answers that it does not list already
// are added to it where there are no buttons. Answers are not made buttons when a
// button could not stand for them: two bear the same title, several may be taken
// at once, or there is nothing else to say that the buttons could stand with.
func Ladder(limits Limits, text string, choices []message.Choice, blocks []message.Block) (
	message.OutboundKind, string, []message.Choice, []message.Block,
) {
	if limits.Rich && len(blocks) > 0 {
		return message.Rich, text, choices, blocks
	}
	if len(choices) > 0 && len(choices) <= limits.Choices && pressable(choices) {
		if above := aboveButtons(text, choices, blocks); strings.TrimSpace(above) != "" {
			return message.Choices, above, choices, nil
		}
	}
	if words := inWords(blocks, choices, true); words != "" {
		return message.Text, words, nil, nil
	}
	return message.Text, Written(text, choices), nil, nil
}

// pressable says whether each choice can have a button of its own.
func pressable(choices []message.Choice) bool {
	seen := make(map[string]bool, len(choices))
	for _, c := range choices {
		if title := label(c); c.Many || seen[title] || title == "" {
			return false
		}
		seen[label(c)] = true
	}
	return true
}

// aboveButtons is what is said besides the choices.
func aboveButtons(text string, choices []message.Choice, blocks []message.Block) string {
	if len(blocks) > 0 {
		return inWords(blocks, choices, false)
	}
	return unnumbered(text, choices)
}

// unnumbered returns text without the lines "1) Yes" that list the choices, if it
// lists them all. Such a text was made of blocks that are not with it any more.
func unnumbered(text string, choices []message.Choice) string {
	lines := strings.Split(text, "\n")
	for i, c := range choices {
		at := slices.Index(lines, numbered(i+1, c))
		if at < 0 {
			return text
		}
		lines = slices.Delete(lines, at, at+1)
	}
	return strings.Join(lines, "\n")
}

func numbered(n int, c message.Choice) string {
	return strings.TrimRightFunc(strconv.Itoa(n)+") "+label(c), unicode.IsSpace)
}

// inWords is what blocks say in plain text, in the order in which they are read;
// with the choices numbered, or without those that are among choices.
func inWords(blocks []message.Block, choices []message.Choice, number bool) string {
	if len(blocks) == 0 {
		return ""
	}
	w := words{choices: choices, shown: make([]bool, len(choices)), number: number}
	w.blocks(blocks)
	for i, c := range choices {
		if number && !w.shown[i] {
			w.say(numbered(i+1, c))
		}
	}
	return strings.TrimRightFunc(strings.Join(w.lines, "\n"), unicode.IsSpace)
}

// words collects the lines of a text.
type words struct {
	choices []message.Choice
	shown   []bool // which of choices a block has shown
	next    int    // the choice that a block is likely to show next
	number  bool
	lines   []string
}

func (w *words) blocks(all []message.Block) {
	for _, b := range all {
		w.block(b)
	}
}

func (w *words) block(b message.Block) {
	switch b.Kind {
	case message.TextBlock:
		w.say(b.Text)
	case message.ImageBlock:
		w.image(b)
	case message.LinkBlock:
		w.pair(b.Text, b.URL)
	case message.PlaceBlock:
		w.pair(b.Text, onMap(b.Latitude, b.Longitude))
	case message.FactBlock:
		w.pair(b.Text, b.Value)
	case message.ChoiceBlock:
		w.choice(b)
	case message.CarouselBlock:
		w.carousel(b)
	default: // cards, lists, and what a later version knows
		w.say(b.Text)
		w.say(b.Value)
		w.say(b.URL)
		w.blocks(b.Blocks)
	}
}

// image is its caption and where it is to be seen. An address that is the picture
// itself, such as a data URI, is nothing to read.
func (w *words) image(b message.Block) {
	if !webLink(b.URL) {
		w.say(b.Text)
		return
	}
	w.pair(b.Text, b.URL)
}

// carousel keeps its cards apart by an empty line: nothing else tells which card a
// line belongs to.
func (w *words) carousel(b message.Block) {
	w.say(b.Text)
	for _, card := range b.Blocks {
		w.gap()
		w.block(card)
	}
	w.gap()
}

func (w *words) choice(b message.Block) {
	if b.Choice == nil {
		w.say(b.Text)
		return
	}
	switch i := w.find(*b.Choice); {
	case i < 0:
		w.say("- " + label(*b.Choice))
	case w.number:
		w.say(numbered(i+1, *b.Choice))
	}
}

// find returns which of the choices a block shows, -1 if none of them. Choices that
// are alike are shown one after the other.
func (w *words) find(c message.Choice) int {
	for n := range w.choices {
		i := (w.next + n) % len(w.choices)
		if !w.shown[i] && w.choices[i].ID == c.ID && w.choices[i].Title == c.Title {
			w.shown[i], w.next = true, i+1
			return i
		}
	}
	return -1
}

func (w *words) say(s string) {
	if s = strings.TrimRightFunc(s, unicode.IsSpace); s != "" {
		w.lines = append(w.lines, s)
	}
}

func (w *words) gap() {
	if len(w.lines) > 0 && w.lines[len(w.lines)-1] != "" {
		w.lines = append(w.lines, "")
	}
}

func (w *words) pair(name, value string) { w.say(Link(name, value)) }

// Link is a name with what stands for it, an address or a value, in one line; only
// one of them where the other is empty or the same.
func Link(name, value string) string {
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case name == "" || value == "" || name == value:
		return cmp.Or(name, value)
	case strings.HasSuffix(name, ":"):
		return name + " " + value
	}
	return name + ": " + value
}

func webLink(link string) bool {
	return strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://")
}

func onMap(latitude, longitude float64) string {
	return "https://maps.google.com/?q=" + degrees(latitude) + "," + degrees(longitude)
}

func degrees(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
