package channels

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"parley/message"
)

// content is a message as the cloud gives it: a tree of blocks, the choices in the
// order in which they are read, and every word of it, each of which occurs once.
type content struct {
	blocks  []message.Block
	choices []message.Choice
	words   []string        // in reading order
	ofThese map[string]bool // the words that are titles of choices
	tokens  int
}

func (c *content) word(t *rapid.T, of string) string {
	c.tokens++
	s := fmt.Sprintf("%s%d.", of, c.tokens) // the full stop ends it: no word is the beginning of another
	c.words = append(c.words, s)
	return s
}

func contents() *rapid.Generator[*content] {
	return rapid.Custom(func(t *rapid.T) *content {
		c := &content{ofThese: map[string]bool{}}
		c.blocks = c.some(t, 0)
		return c
	})
}

func (c *content) some(t *rapid.T, depth int) []message.Block {
	var all []message.Block
	for range rapid.IntRange(max(0, 1-depth), 5).Draw(t, "blocks") {
		all = append(all, c.one(t, depth))
	}
	return all
}

func (c *content) one(t *rapid.T, depth int) message.Block {
	kinds := []message.BlockKind{message.TextBlock, message.ImageBlock, message.LinkBlock, message.PlaceBlock, message.FactBlock, message.ChoiceBlock}
	if depth < 3 {
		kinds = append(kinds, message.CardBlock, message.CarouselBlock, message.ListBlock)
	}
	b := message.Block{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	switch b.Kind {
	case message.ChoiceBlock:
		title := c.word(t, "choice")
		c.ofThese[title] = true
		c.choices = append(c.choices, message.Choice{
			ID: fmt.Sprint("m/", len(c.choices)+1), Title: title, Text: rapid.SampledFrom([]string{"", "says"}).Draw(t, "says"),
			Many: rapid.IntRange(0, 9).Draw(t, "many") == 0,
		})
		shown := c.choices[len(c.choices)-1]
		b.Choice = &shown
		return b
	case message.PlaceBlock:
		b.Text, b.Latitude, b.Longitude = c.word(t, "place"), float64(c.tokens), -0.5
	default:
		if rapid.Bool().Draw(t, "text") || b.Kind == message.TextBlock {
			b.Text = c.word(t, "text") + rapid.SampledFrom([]string{"", "\n", " "}).Draw(t, "end")
		}
	}
	switch b.Kind {
	case message.ImageBlock, message.LinkBlock:
		b.URL = "https://a.test/" + c.word(t, "url")
	case message.FactBlock:
		b.Value = c.word(t, "value")
	case message.CardBlock, message.CarouselBlock, message.ListBlock:
		b.Blocks = c.some(t, depth+1)
	}
	return b
}

func TestLadderLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := contents().Draw(t, "content")
		limits := Limits{Rich: rapid.Bool().Draw(t, "rich"), Choices: rapid.IntRange(0, 6).Draw(t, "buttons")}
		kind, text, choices, blocks := Ladder(limits, "the fallback", c.choices, c.blocks)
		switch kind {
		case message.Rich:
			if !limits.Rich || cmp.Diff(c.blocks, blocks) != "" || cmp.Diff(c.choices, choices) != "" || text != "the fallback" {
				t.Fatal("a channel that shows blocks got other ones")
			}
		case message.Choices:
			c.checkButtons(t, limits, text, choices, blocks)
		case message.Text:
			c.checkText(t, limits, text, choices, blocks)
		default:
			t.Fatalf("a rung that there is none: %q", kind)
		}
	})
}

func (c *content) checkButtons(t *rapid.T, limits Limits, text string, choices []message.Choice, blocks []message.Block) {
	if limits.Rich || blocks != nil || len(choices) > limits.Choices || cmp.Diff(c.choices, choices) != "" {
		t.Fatalf("%d buttons of %d, the limit is %d", len(choices), len(c.choices), limits.Choices)
	}
	for _, choice := range choices {
		if choice.Many {
			t.Fatal("a button takes one answer, not several")
		}
	}
	var rest []string
	for _, w := range c.words {
		if !c.ofThese[w] {
			rest = append(rest, w)
		} else if strings.Contains(text, w) {
			t.Fatalf("%s is a button, and in the text as well: %q", w, text)
		}
	}
	inOrder(t, text, rest)
}

func (c *content) checkText(t *rapid.T, limits Limits, text string, choices []message.Choice, blocks []message.Block) {
	if limits.Rich || choices != nil || blocks != nil {
		t.Fatal("a text is nothing but a text")
	}
	if len(c.words) == 0 {
		if text != "the fallback" {
			t.Fatalf("blocks that say nothing became %q", text)
		}
		return
	}
	inOrder(t, text, c.words)
	lines := strings.Split(text, "\n")
	for i, choice := range c.choices {
		line := fmt.Sprintf("%d) %s", i+1, choice.Title)
		if n := strings.Count(text, line); n != 1 || !slices.Contains(lines, line) {
			t.Fatalf("%q stands %d times in %q", line, n, text)
		}
	}
}

// inOrder checks that each word stands in text once, in this order.
func inOrder(t *rapid.T, text string, words []string) {
	at := 0
	for _, w := range words {
		i := strings.Index(text, w)
		if i < at || strings.Count(text, w) != 1 {
			t.Fatalf("%s is lost, twice or out of order in %q", w, text)
		}
		at = i + len(w)
	}
}

func TestLadderNumbersAreThePlacesOfTheChoices(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Choices alike in all but their place, some of them not in the blocks, and
		// blocks with choices that are none of these.
		n := rapid.IntRange(1, 8).Draw(t, "choices")
		var choices []message.Choice
		var blocks []message.Block
		for i := range n {
			c := message.Choice{ID: fmt.Sprint("m/", i+1), Title: "Buy"}
			choices = append(choices, c)
			if rapid.Bool().Draw(t, "in blocks") {
				blocks = append(blocks, message.Block{Kind: message.ChoiceBlock, Choice: &c})
			}
		}
		blocks = append(rapid.Permutation(blocks).Draw(t, "blocks"), message.Block{Kind: message.ChoiceBlock, Choice: &message.Choice{ID: "m/99", Title: "Other"}})
		_, text, _, _ := Ladder(Limits{}, "", choices, blocks)
		lines := strings.Split(text, "\n")
		for i := range n {
			if !slices.Contains(lines, fmt.Sprintf("%d) Buy", i+1)) {
				t.Fatalf("no number %d in %q", i+1, text)
			}
		}
		if len(lines) != n+1 || !slices.Contains(lines, "- Other") {
			t.Fatalf("%d lines for %d choices and another: %q", len(lines), n, text)
		}
	})
}

func button(id, title string) message.Block {
	return message.Block{Kind: message.ChoiceBlock, Choice: &message.Choice{ID: id, Title: title}}
}

// shop is two cards with buttons alike, and quick replies below.
func shop() ([]message.Choice, []message.Block) {
	card := func(name, id string) message.Block {
		return message.Block{Kind: message.CardBlock, Blocks: []message.Block{
			{Kind: message.ImageBlock, Text: name, URL: "https://img.test/" + name + ".png"},
			{Kind: message.FactBlock, Text: "Price", Value: "12.50"},
			{Kind: message.LinkBlock, Text: "More", URL: "https://shop.test/" + name},
			button(id, "Buy "+name),
		}}
	}
	blocks := []message.Block{
		{Kind: message.TextBlock, Text: "Our shoes:"},
		{Kind: message.CarouselBlock, Blocks: []message.Block{card("red", "m/1"), card("blue", "m/2")}},
		{Kind: message.PlaceBlock, Text: "The shop", Latitude: 47.3769, Longitude: 8.5417},
		button("m/3", "Neither"),
	}
	return []message.Choice{{ID: "m/1", Title: "Buy red"}, {ID: "m/2", Title: "Buy blue"}, {ID: "m/3", Title: "Neither"}}, blocks
}

func TestLadderByExample(t *testing.T) {
	t.Parallel()
	choices, blocks := shop()
	kind, text, got, _ := Ladder(Limits{}, "fallback", choices, blocks)
	require.Equal(t, message.Text, kind)
	require.Nil(t, got)
	require.Equal(t, strings.Join([]string{
		"Our shoes:", "",
		"red: https://img.test/red.png", "Price: 12.50", "More: https://shop.test/red", "1) Buy red", "",
		"blue: https://img.test/blue.png", "Price: 12.50", "More: https://shop.test/blue", "2) Buy blue", "",
		"The shop: https://maps.google.com/?q=47.3769,8.5417", "3) Neither",
	}, "\n"), text)
	kind, text, got, _ = Ladder(Limits{Choices: 3}, "fallback", choices, blocks)
	require.Equal(t, message.Choices, kind)
	require.Equal(t, choices, got)
	require.NotContains(t, text, "Buy")
	require.NotContains(t, text, "Neither")
}

func TestLadderRungs(t *testing.T) {
	t.Parallel()
	three := titles("Tea", "Coffee", "Water")
	many := titles("Tea", "Coffee")
	many[0].Many = true
	ask := func(c []message.Choice) []message.Block {
		all := []message.Block{{Kind: message.TextBlock, Text: "Which?"}}
		for i := range c {
			all = append(all, message.Block{Kind: message.ChoiceBlock, Choice: &c[i]})
		}
		return all
	}
	for name, row := range map[string]struct {
		buttons int
		text    string
		choices []message.Choice
		blocks  []message.Block
		kind    message.OutboundKind
		want    string
	}{
		"a text":                               {3, "Hello", nil, nil, message.Text, "Hello"},
		"a question of ours, with buttons":     {3, "Which?", three, nil, message.Choices, "Which?"},
		"a question of ours, without":          {2, "Which?", three, nil, message.Text, "Which?\n- Tea\n- Coffee\n- Water"},
		"a question of ours, no text":          {3, " ", three[:1], nil, message.Text, " \n- Tea"},
		"a text that lists them by number":     {3, "Which?\n1) Tea\n2) Coffee\n3) Water", three, nil, message.Choices, "Which?"},
		"a text that lists some by number":     {3, "Which?\n1) Tea\n2) Coffee", three, nil, message.Choices, "Which?\n1) Tea\n2) Coffee"},
		"a numbered text, no buttons":          {0, "Which?\n1) Tea\n2) Coffee\n3) Water", three, nil, message.Text, "Which?\n1) Tea\n2) Coffee\n3) Water"},
		"blocks with buttons":                  {3, "x", three, ask(three), message.Choices, "Which?"},
		"blocks without":                       {2, "x", three, ask(three), message.Text, "Which?\n1) Tea\n2) Coffee\n3) Water"},
		"nothing but buttons":                  {3, "x", three, ask(three)[1:], message.Text, "1) Tea\n2) Coffee\n3) Water"},
		"several may be taken":                 {3, "x", many, ask(many), message.Text, "Which?\n1) Tea\n2) Coffee"},
		"two of the same title":                {3, "x", titles("Tea", "Tea"), ask(titles("Tea", "Tea")), message.Text, "Which?\n1) Tea\n2) Tea"},
		"a title that is missing":              {0, "x", []message.Choice{{ID: "1", Text: "tea"}}, ask([]message.Choice{{ID: "1", Text: "tea"}}), message.Text, "Which?\n1) tea"},
		"a picture in itself":                  {0, "x", nil, []message.Block{{Kind: message.ImageBlock, Text: "A cat", URL: "data:image/png;base64,AAAA"}}, message.Text, "A cat"},
		"blocks that say nothing":              {0, "the text", nil, []message.Block{{Kind: message.ImageBlock, URL: "data:,"}}, message.Text, "the text"},
		"a fact with a colon":                  {0, "x", nil, []message.Block{{Kind: message.FactBlock, Text: "Open:", Value: "9–5"}}, message.Text, "Open: 9–5"},
		"a link by its own name":               {0, "x", nil, []message.Block{{Kind: message.LinkBlock, Text: "https://a.test", URL: "https://a.test"}}, message.Text, "https://a.test"},
		"a choice that is none":                {0, "x", nil, []message.Block{{Kind: message.ChoiceBlock, Text: "Tea"}}, message.Text, "Tea"},
		"a kind that a later version may know": {0, "x", nil, []message.Block{{Kind: "poll", Text: "Which?", Value: "now", URL: "https://a.test"}}, message.Text, "Which?\nnow\nhttps://a.test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind, text, _, _ := Ladder(Limits{Choices: row.buttons}, row.text, row.choices, row.blocks)
			require.Equal(t, row.kind, kind)
			require.Equal(t, row.want, text)
		})
	}
}
