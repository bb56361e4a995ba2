package liveperson_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func rich(t testing.TB, content string) (text string, titles []string) {
	t.Helper()
	got := receive(t, []byte(`{"type":"ms.MessagingEventNotification","body":{"changes":[
		{"dialogId":"d","sequence":1,"event":{"type":"RichContentEvent","content":`+content+`}}]}}`))
	require.Len(t, got.Events, 1, "%+v", got.Dead)
	for _, c := range got.Events[0].Choices {
		titles = append(titles, c.Title)
	}
	return got.Events[0].Text, titles
}

func TestStructuredContentInPlainText(t *testing.T) {
	t.Parallel()
	carousel, err := os.ReadFile("testdata/carousel.json")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		content string
		text    []string
		titles  []string
	}{
		"carousel": {
			string(carousel),
			[]string{"Plan A", "Plan A: https://example.org/a", "1) Choose A", "Shop", "Shop: https://maps.google.com/?q=47.37,8.54"},
			[]string{"Choose A"},
		},
		"list": {
			`{"type":"list","elements":[{"type":"text","text":"Pick"},{"type":"sectionList","elements":[{"type":"section","elements":[
				{"type":"text","text":"Fruit"},{"type":"checklist","elements":[
					{"type":"checkbox","text":"Apple","click":{"actions":[{"type":"checked","publishText":"apple"}]}},
					{"type":"checkbox","text":"Pear","click":{"actions":[{"type":"checked","publishText":"pear"}]}}]}]}]},
				{"type":"buttonList","elements":[{"type":"submitButton","title":"Done","click":{"actions":[{"type":"submitAsText","submit":true}]}}]}]}`,
			[]string{"Pick", "Fruit", "1) Apple", "2) Pear", "3) Done"},
			[]string{"Apple", "Pear", "Done"},
		},
		"accordion": {
			`{"type":"accordionSelect","titles":[{"name":"One"},{"name":"Two"}],"elements":[{"type":"vertical","elements":[{"type":"text","text":"a"}]},{"type":"text","text":"b"}]}`,
			[]string{"One", "a", "Two", "b"}, nil,
		},
		"links": {
			`{"type":"horizontal","elements":[
				{"type":"button","title":"Terms","click":{"actions":[{"type":"link","uri":"https://example.org/t"}]}},
				{"type":"button","title":"Both","click":{"actions":[{"type":"publishText","text":"both"},{"type":"link","name":"Site","web":{"uri":"https://example.org"}}]}},
				{"type":"linkPreview","url":"https://example.org/p"},
				{"type":"text","text":"See","click":{"actions":[{"type":"link","name":"here","uri":"https://example.org/h"}]}}]}`,
			[]string{"Terms: https://example.org/t", "1) Both", "Site: https://example.org", "https://example.org/p", "See", "here: https://example.org/h"},
			[]string{"Both"},
		},
		"pairs and places": {
			`{"type":"vertical","elements":[{"type":"keyValuePairList","elements":[{"key":"Total","value":"CHF 12"}]},{"type":"map","la":1.5,"lo":"2"},
				{"type":"image","url":"https://cdn.example.org/x.png"}]}`,
			[]string{"Total: CHF 12", "https://maps.google.com/?q=1.5,2", "https://cdn.example.org/x.png"}, nil,
		},
		"template": {
			`{"type":"template","templateType":"quickReply","title":"Colour?","resp":["Red","Blue"]}`,
			[]string{"Colour?", "1) Red", "2) Blue"},
			[]string{"Red", "Blue"},
		},
		"what it does not know it looks into": {
			`{"type":"somethingNew","elements":[{"type":"text","text":"still here"},{"type":"button"},7,null]}`,
			[]string{"still here"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.True(t, json.Valid([]byte(c.content)))
			text, titles := rich(t, c.content)
			require.Equal(t, strings.Join(c.text, "\n"), text)
			require.Equal(t, c.titles, titles)
		})
	}
}

func TestStructuredContentHasABottom(t *testing.T) {
	t.Parallel()
	const levels = 1_000
	text, _ := rich(t, strings.Repeat(`{"type":"vertical","elements":[{"type":"text","text":"x"},`, levels)+`{}`+strings.Repeat(`]}`, levels))
	require.Less(t, strings.Count(text, "x"), 50)
}

func TestMetadataOfAChoiceIsHarmless(t *testing.T) {
	t.Parallel()
	got := receive(t, []byte(`{"type":"ms.MessagingEventNotification","body":{"changes":[{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":"?",
		"quickReplies":{"replies":[{"title":"A","click":{"metadata":[{"id":"a\u0000","n":12345678901234567890,"deep":{"k\u0000":["\u0000"]}}]}}]}}}]}}`))
	require.Equal(t, "{\"deep\":{\"k\uFFFD\":[\"\uFFFD\"]},\"id\":\"a\uFFFD\",\"n\":12345678901234567890}",
		strings.Trim(string(got.Events[0].Choices[0].Metadata), "[]"))
}
