package conversation

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"parley/message"
)

// Texts is what we say to a consumer ourselves, in one language, and the words in
// which the consumer may answer. A conversation keeps the texts it started with.
type Texts struct {
	Rating      string     `json:"rating,omitempty"`
	RatingAgain string     `json:"ratingAgain,omitempty"`
	Solved      string     `json:"solved,omitempty"`
	SolvedAgain string     `json:"solvedAgain,omitempty"`
	Yes         []string   `json:"yes,omitempty"` // the first is the title of the button
	No          []string   `json:"no,omitempty"`
	Numbers     [][]string `json:"numbers,omitempty"` // words for 1 to 5

	// Why a consumer's file did not go; nothing is said where a line is empty.
	FileTooLarge string `json:"fileTooLarge,omitempty"`
	FileType     string `json:"fileType,omitempty"`
	FileGone     string `json:"fileGone,omitempty"`

	// What goes on behind the scenes; nothing is said where a line is empty.
	Joined      string `json:"joined,omitempty"`      // an agent has taken the conversation
	Transferred string `json:"transferred,omitempty"` // it goes to another department
	Away        string `json:"away,omitempty"`        // nobody answers now; {until} becomes the time until when
}

//go:embed texts.json
var builtIn []byte

// Catalogue holds texts by language ("de"), by language and region ("de-CH"), and
// by channel and language ("sms/de").
type Catalogue map[string]Texts

// LoadCatalogue returns the built-in texts, English, German, Spanish and French,
// with those of a file of the same form laid over them, field by field. An empty
// overlay changes nothing. The error names the entry that is wrong.
func LoadCatalogue(overlay []byte) (Catalogue, error) {
	c := Catalogue{}
	if err := json.Unmarshal(builtIn, &c); err != nil {
		return nil, fmt.Errorf("built-in texts: %w", err)
	}
	if len(overlay) == 0 {
		return c, nil
	}
	own := map[string]json.RawMessage{}
	if err := json.Unmarshal(overlay, &own); err != nil {
		return nil, fmt.Errorf("texts: %w", err)
	}
	keys := make([]string, 0, len(own))
	for key := range own {
		keys = append(keys, key)
	}
	slices.Sort(keys) // "sms/de" after "de" would not hold: base resolves what it lies over
	for _, key := range keys {
		texts := c.base(key)
		if err := json.Unmarshal(own[key], &texts); err != nil {
			return nil, fmt.Errorf("texts %q: %w", key, err)
		}
		if err := texts.valid(); err != nil {
			return nil, fmt.Errorf("texts %q: %w", key, err)
		}
		c[key] = texts
	}
	return c, nil
}

// For returns the texts of a channel in a language: the channel's own, else the
// language's with its region, else the language's; false when there are none.
func (c Catalogue) For(channel, language string) (Texts, bool) {
	short, _, _ := strings.Cut(language, "-")
	for _, key := range []string{channel + "/" + language, channel + "/" + short, language, short} {
		if t, ok := c[key]; ok {
			return t, true
		}
	}
	return Texts{}, false
}

// base returns the texts that an entry of this name lies over.
func (c Catalogue) base(key string) Texts {
	_, language, found := strings.Cut(key, "/")
	if !found {
		language = key
	}
	t, _ := c.For("", language)
	return t
}

func (t Texts) valid() error {
	var errs []error
	for _, f := range []struct {
		name  string
		empty bool
	}{
		{"rating", t.Rating == ""}, {"ratingAgain", t.RatingAgain == ""}, {"solved", t.Solved == ""},
		{"solvedAgain", t.SolvedAgain == ""}, {"yes", len(t.Yes) == 0}, {"no", len(t.No) == 0},
	} {
		if f.empty {
			errs = append(errs, fmt.Errorf("%s is empty", f.name))
		}
	}
	return errors.Join(errs...)
}

// Choice IDs of our two questions, as a channel with buttons gives them back.
const (
	choiceRating = "csat-"
	choiceYes    = "solved-yes"
	choiceNo     = "solved-no"
)

func (t Texts) ratingChoices() []message.Choice {
	var out []message.Choice
	for n := 1; n <= 5; n++ {
		out = append(out, message.Choice{ID: choiceRating + strconv.Itoa(n), Title: strconv.Itoa(n)})
	}
	return out
}

func (t Texts) solvedChoices() []message.Choice {
	return []message.Choice{{ID: choiceYes, Title: title(t.Yes, "yes")}, {ID: choiceNo, Title: title(t.No, "no")}}
}

func title(words []string, otherwise string) string {
	word := otherwise
	if len(words) > 0 {
		word = words[0]
	}
	runes := []rune(word)
	return strings.ToUpper(string(runes[:1])) + string(runes[1:])
}

// rating understands 1 to 5 as a button, a digit, a word or stars; 0 when it is
// none of them.
func (t Texts) rating(choice *message.Choice, text string) int {
	if choice != nil {
		text = strings.TrimPrefix(choice.ID, choiceRating)
	}
	if n := strings.Count(text, "⭐") + strings.Count(text, "★") + strings.Count(text, "🌟"); n > 0 {
		return upToFive(n)
	}
	plain := simplify(text)
	if n := strings.Count(plain, "*"); n > 0 && strings.Trim(plain, "* ") == "" {
		return upToFive(n)
	}
	for _, suffix := range []string{"/5", "/ 5", " von 5", " of 5", " out of 5", " de 5", " sur 5"} {
		plain = strings.TrimSuffix(plain, suffix)
	}
	plain = strings.TrimSpace(strings.Map(digits, plain))
	if n, err := strconv.Atoi(plain); err == nil {
		return upToFive(n)
	}
	for i, words := range t.Numbers {
		if slices.Contains(words, plain) {
			return upToFive(i + 1)
		}
	}
	return 0
}

func upToFive(n int) int {
	if n < 1 || n > 5 {
		return 0
	}
	return n
}

// solved understands yes and no as a button or in the texts' own words.
func (t Texts) solved(choice *message.Choice, text string) (yes, understood bool) {
	if choice != nil {
		switch choice.ID {
		case choiceYes:
			return true, true
		case choiceNo:
			return false, true
		}
	}
	plain := simplify(text)
	switch {
	case slices.Contains(t.Yes, plain):
		return true, true
	case slices.Contains(t.No, plain):
		return false, true
	}
	return false, false
}

// simplify drops case, outer space and the punctuation around a short answer.
func simplify(text string) string {
	return strings.ToLower(strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(".,!?¡¿;:()\"'„“”«»️", r)
	}))
}

// digits turns other scripts' and keycap digits into ASCII ones.
func digits(r rune) rune {
	switch {
	case r == '\uFE0F' || r == '\u20E3': // parts of a keycap emoji
		return -1
	case r >= '０' && r <= '９':
		return r - '０' + '0'
	case r >= '٠' && r <= '٩':
		return r - '٠' + '0'
	}
	return r
}
