package channels

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/message"
)

func titles(all ...string) (choices []message.Choice) {
	for _, t := range all {
		choices = append(choices, message.Choice{ID: "id-" + t, Title: t})
	}
	return choices
}

func TestWritten(t *testing.T) {
	t.Parallel()
	rating := titles("1", "2", "3", "4", "5")
	for name, row := range map[string]struct {
		text    string
		choices []message.Choice
		want    string // of the text and what is added; empty when nothing is
	}{
		"no choices":             {text: "Hello"},
		"a question from 1 to 5": {text: "Please reply with a number from 1 (not at all) to 5 (very).", choices: rating},
		"1–5":                    {text: "Rate us: 1–5", choices: rating},
		"all named":              {text: "Reply 1, 2, 3, 4 or 5.", choices: rating},
		"yes or no":              {text: "Solved? Please reply yes or no.", choices: titles("Yes", "No")},
		"ja oder nein":           {text: "Bitte antworten Sie mit Ja oder Nein.", choices: titles("Ja", "Nein")},
		"sí":                     {text: "Responda SÍ o no.", choices: titles("Sí", "No")},
		"a part of a word":       {"Not yesterday, now?", titles("Yes", "No"), "Not yesterday, now?\n- Yes\n- No"},
		"a part of a number":     {"In 2015?", titles("1", "2", "5"), "In 2015?\n- 1\n- 2\n- 5"},
		"one not named":          {"Tea or coffee?", titles("Tea", "Coffee", "Water"), "Tea or coffee?\n- Tea\n- Coffee\n- Water"},
		"gaps in the numbers":    {"From 1 to 5", titles("1", "3", "5"), "From 1 to 5\n- 1\n- 3\n- 5"},
		"no text":                {"", titles("Tea"), "- Tea"},
		"no title":               {"Which?", []message.Choice{{ID: "tea"}}, "Which?\n- tea"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := row.want
			if want == "" {
				want = row.text
			}
			require.Equal(t, want, Written(row.text, row.choices))
		})
	}
}

func TestCleanAndName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a\uFFFDb", Clean("a\xff\x00b"))
	require.True(t, Name("+15550100200"))
	for _, s := range []string{"", "a\x00", "a\xff", strings.Repeat("x", MaxName+1)} {
		require.False(t, Name(s), "%q", s)
	}
}
