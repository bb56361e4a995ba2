package channels

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/message"
)

// MaxName is how long, in bytes, a name may be that comes from outside and becomes
// a key: of an event, a consumer, a message. Longer ones do not fit the database's indexes.
const MaxName = 256

// Clean returns text as it can be stored and shown: valid UTF-8 without NUL, which
// Postgres does not take in text.
func Clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// Name says whether s can be a key as it is. Names are never cleaned: two
// different consumers might become one.
func Name(s string) bool {
	return s != "" && len(s) <= MaxName && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// Written returns text for a channel without buttons: the choices are added in
// lines of their own, unless the text lists them already, as a question "from 1 to 5" does.
func Written(text string, choices []message.Choice) string {
	if len(choices) == 0 || lists(text, choices) {
		return text
	}
	var b strings.Builder
	b.WriteString(text)
	for _, c := range choices {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("- " + label(c))
	}
	return b.String()
}

// label is how a choice is shown.
func label(c message.Choice) string { return cmp.Or(c.Title, c.Text, c.ID) }

var number = regexp.MustCompile(`[0-9]+`)

// lists says whether a reader of text knows what to answer: it names every choice,
// or the first and the last of consecutive numbers.
func lists(text string, choices []message.Choice) bool {
	all := true
	for _, c := range choices {
		all = all && names(text, label(c))
	}
	return all || listsRange(text, choices)
}

func listsRange(text string, choices []message.Choice) bool {
	first, err := strconv.Atoi(label(choices[0]))
	if err != nil {
		return false
	}
	for i, c := range choices {
		if n, err := strconv.Atoi(label(c)); err != nil || n != first+i {
			return false
		}
	}
	found := map[string]bool{}
	for _, n := range number.FindAllString(text, -1) {
		found[n] = true
	}
	return found[label(choices[0])] && found[label(choices[len(choices)-1])]
}

// names says whether word stands in text on its own, not as a part of a longer word.
func names(text, word string) bool {
	text, word = strings.ToLower(text), strings.ToLower(word)
	if word == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(word)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !inWord(before, start == 0) && !inWord(after, end == len(text)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[start:])
		from = start + size
	}
}

func inWord(r rune, edge bool) bool {
	return !edge && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
