package channels

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Split cuts text into parts of at most limit characters, whose concatenation is
// text again. It cuts at the end of a line where that leaves a part at least half
// full, else between words, else between graphemes; only a grapheme longer than
// limit is torn. Characters are counted as UTF-16 units, the strictest of the
// counts in use: an emoji is two or more. An empty text has no parts; a limit
// below 2 is taken as 2, which is what the largest character needs.
func Split(text string, limit int) []string {
	limit = max(limit, 2)
	if text != "" && units(text) <= limit {
		return []string{text} // nearly always
	}
	var parts []string
	s := splitter{limit: limit}
	for _, g := range graphemes(text, limit) {
		for s.part.units+g.units > limit {
			cut := s.cut()
			parts, text = append(parts, text[:cut]), text[cut:]
		}
		s.add(g)
	}
	if text != "" {
		parts = append(parts, text)
	}
	return parts
}

// grapheme is what is not torn: bytes and units long, and which break is possible after it.
type grapheme struct {
	bytes, units int
	after        int
}

// graphemes cuts text into what is not to be torn; a cluster above the limit
// becomes one grapheme per rune.
func graphemes(text string, limit int) []grapheme {
	var all []grapheme
	state := -1
	for text != "" {
		cluster, rest, boundaries, next := uniseg.StepString(text, state)
		g := grapheme{bytes: len(cluster), units: units(cluster), after: boundaries & uniseg.MaskLine}
		if g.units <= limit {
			all = append(all, g)
		} else {
			all = append(all, runes(cluster)...)
		}
		text, state = rest, next
	}
	return all
}

func runes(cluster string) []grapheme {
	var all []grapheme
	for start := 0; start < len(cluster); {
		_, size := utf8.DecodeRuneInString(cluster[start:])
		all = append(all, grapheme{bytes: size, units: units(cluster[start : start+size]), after: uniseg.LineDontBreak})
		start += size
	}
	return all
}

func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r)) // a byte that is not UTF-8 counts as one
	}
	return n
}

// splitter fills one part after the other.
type splitter struct {
	limit int
	part  place // what is in the part so far
	word  place // the last place between words
	line  place // the last place between lines
}

// place is a place in the part being filled, in bytes and units from its start.
type place struct{ bytes, units int }

func (p place) minus(q place) place {
	return place{max(0, p.bytes-q.bytes), max(0, p.units-q.units)}
}

// cut ends the part and returns its length in bytes; what is behind that place
// begins the next part.
func (s *splitter) cut() int {
	at := s.best()
	s.part, s.word, s.line = s.part.minus(at), s.word.minus(at), s.line.minus(at)
	return at.bytes
}

func (s *splitter) add(g grapheme) {
	s.part = place{s.part.bytes + g.bytes, s.part.units + g.units}
	if g.after != uniseg.LineDontBreak {
		s.word = s.part
	}
	if g.after == uniseg.LineMustBreak {
		s.line = s.part
	}
}

func (s *splitter) best() place {
	switch {
	case s.line.units*2 >= s.limit:
		return s.line
	case s.word.units > 0:
		return s.word
	default:
		return s.part
	}
}
