package channels

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// pieces are what texts are made of: scripts, clusters of many runes, breaks, and bytes that are no text.
var pieces = []string{
	"a", "word", " ", "  ", "\n", "\r\n", "\n\n", ". ", "-", "é", "e\u0301", "ß", "語", "ไทย", "हिन्दी", "עברית",
	"👩‍👩‍👧‍👦", "🇨🇭", "🇩🇪", "👍🏽", "1️⃣", "\u200d", "\u0301", "\xff", "\xe2\x82", "한국어", "\u1100\u1161\u11a8", "\t", "😀",
}

func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 120).Draw(t, "pieces"), "")
	})
}

func TestSplitLosesNothingAndTearsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		limit := rapid.IntRange(2, 60).Draw(t, "limit")
		parts := Split(text, limit)
		if strings.Join(parts, "") != text {
			t.Fatal("the parts do not make up the text")
		}
		ends := clusterEnds(text, limit)
		at := 0
		for i, part := range parts {
			at += len(part)
			if part == "" || units(part) > limit {
				t.Fatalf("part %d of %d has %d units, the limit is %d", i, len(parts), units(part), limit)
			}
			if !ends[at] {
				t.Fatalf("part %d of %d ends within a grapheme: %q", i, len(parts), part)
			}
		}
	})
}

// clusterEnds returns where a text may be cut: between graphemes, and between the
// runes of one that is longer than the limit.
func clusterEnds(text string, limit int) map[int]bool {
	ends := map[int]bool{}
	g := uniseg.NewGraphemes(text)
	for g.Next() {
		from, to := g.Positions()
		ends[to] = true
		if units(text[from:to]) > limit {
			for i := range text[from:to] {
				ends[from+i] = true
			}
		}
	}
	return ends
}

func TestSplitFillsParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		limit := rapid.IntRange(30, 60).Draw(t, "limit")
		parts := Split(text, limit)
		for i := 1; i < len(parts); i++ {
			if units(parts[i-1])+units(parts[i]) <= limit && !strings.HasSuffix(parts[i-1], "\n") {
				t.Fatalf("parts %d and %d would have fitted into one", i-1, i)
			}
		}
	})
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text  string
		limit int
		want  []string
	}{
		"nothing":                      {"", 10, nil},
		"short enough":                 {"0123456789", 10, []string{"0123456789"}},
		"between words":                {"one two three", 10, []string{"one two ", "three"}},
		"a word longer than a part":    {"0123456789abc de", 10, []string{"0123456789", "abc de"}},
		"a line at least half full":    {"12345\nab cd ef", 10, []string{"12345\n", "ab cd ef"}},
		"a line not half full":         {"123\nab cd ef", 10, []string{"123\nab cd ", "ef"}},
		"an emoji counts as two":       {"😀😀😀", 5, []string{"😀😀", "😀"}},
		"a cluster is not torn":        {"abcd👩‍👩‍👧‍👦", 11, []string{"abcd", "👩‍👩‍👧‍👦"}},
		"a cluster longer than a part": {"👩‍👩‍👧‍👦", 5, []string{"👩\u200d👩", "\u200d👧\u200d", "👦"}},
		"a limit that is none":         {"ab😀", -1, []string{"ab", "😀"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, Split(row.text, row.limit))
		})
	}
}

func TestSplitTakesTimeInProportion(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("e"+strings.Repeat("\u0301", 5000), 20)
	parts := Split(text, 1600)
	require.Equal(t, text, strings.Join(parts, ""))
	require.True(t, utf8.ValidString(parts[len(parts)-1]))
}

func BenchmarkSplit(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 200)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Split(text, 1600)
	}
}
