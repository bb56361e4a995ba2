package conversation

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/message"
)

// normal is the urgency that a conversation has without being asked.
const normal = "NORMAL"

// route returns where a conversation that these words begin goes; nil where the
// settings say nothing of it. What it returns does not hold the words it was found by.
func (s *State) route(words string) *Route {
	i := slices.IndexFunc(s.Settings.Routes, func(r Route) bool { return r.fits(words) })
	if s.Rules < 2 || i < 0 {
		return nil
	}
	r := s.Settings.Routes[i]
	r.Words = nil
	return &r
}

// opening is the command that opens a conversation for a message.
func (s *State) opening(id message.ID, words string) Command {
	c := Command{ID: id, Kind: OpenConversation, Route: s.route(words)}
	if s.Urgency = ""; c.Route != nil {
		s.Urgency = c.Route.Urgency
	}
	return c
}

// urge asks for the urgency of the route that the words of a later message fit. Words
// never take urgency away: what was urgent stays so when a quieter subject is touched.
func (s *State) urge(cause message.ID, words string) {
	if s.Rules < 2 {
		return
	}
	i := slices.IndexFunc(s.Settings.Routes, func(r Route) bool {
		return len(r.Words) > 0 && r.Urgency != "" && r.Urgency != normal && r.fits(words)
	})
	if i < 0 || s.Settings.Routes[i].Urgency == s.Urgency {
		return
	}
	s.Urgency = s.Settings.Routes[i].Urgency
	if i := s.ToCloud.queued(Urge); i >= 0 {
		s.ToCloud.Queue[i].Urgency = s.Urgency
		return
	}
	s.ToCloud.push(Command{
		ID: message.NewID("urge", string(cause)), Kind: Urge, Conversation: s.Cloud.Conversation, Dialog: s.Cloud.Conversation, Urgency: s.Urgency,
	})
}

// fits says whether one of a route's words is in a text, in any case and as a word
// of its own. A route without words fits every text.
func (r Route) fits(text string) bool {
	text = strings.ToLower(text)
	return len(r.Words) == 0 || slices.ContainsFunc(r.Words, func(w string) bool {
		return holds(text, strings.ToLower(strings.TrimSpace(w)))
	})
}

func holds(text, word string) bool {
	for rest := text; word != ""; {
		i := strings.Index(rest, word)
		if i < 0 {
			return false
		}
		at := len(text) - len(rest) + i
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		first, size := utf8.DecodeRuneInString(word)
		last, _ := utf8.DecodeLastRuneInString(word)
		after, _ := utf8.DecodeRuneInString(text[at+len(word):])
		if !joined(before, first) && !joined(last, after) {
			return true
		}
		rest = text[at+size:]
	}
	return false
}

// joined says whether two characters next to each other belong to one word, in
// scripts that have a space between words.
func joined(a, b rune) bool { return inWord(a) && inWord(b) }

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
