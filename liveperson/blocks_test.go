package liveperson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/liveperson"
)

// outline writes blocks in short: card(text "Pick" #1).
func outline(blocks []liveperson.Block) string {
	var parts []string
	for _, b := range blocks {
		s := string(b.Kind)
		switch b.Kind {
		case liveperson.BlockChoice:
			s = fmt.Sprintf("#%d", b.Choice)
		case liveperson.BlockPlace:
			s += fmt.Sprintf(" %v,%v", b.Latitude, b.Longitude)
		}
		for _, more := range []string{b.Text, b.Value, b.URL} {
			if more != "" {
				s += fmt.Sprintf(" %q", more)
			}
		}
		if len(b.Blocks) > 0 {
			s += " (" + outline(b.Blocks) + ")"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func event(t testing.TB, body string) liveperson.Event {
	t.Helper()
	require.True(t, json.Valid([]byte(body)), body)
	got := receive(t, []byte(`{"type":"ms.MessagingEventNotification","body":{"changes":[{"dialogId":"d","sequence":1,"event":`+body+`}]}}`))
	require.Len(t, got.Events, 1, "%+v", got.Dead)
	return got.Events[0]
}

// choicesOf writes choices in short: "title" says "text" quick many.
func choicesOf(e liveperson.Event) string {
	var parts []string
	for _, c := range e.Choices {
		s := fmt.Sprintf("%s→%s", c.Title, c.Text)
		if c.Quick {
			s += " quick"
		}
		if c.Many {
			s += " many"
		}
		if c.Metadata != nil {
			s += " " + string(c.Metadata)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

// Every element and every action of structured content.
//
// Sources: rich-messaging-structured-content-*, json-pollock schemas.
func TestEveryElementHasItsBlock(t *testing.T) {
	t.Parallel()
	button := func(actions string) string {
		return `{"type":"button","title":"Go","click":{"actions":[` + actions + `],"metadata":[{"type":"ExternalId","id":"x"}]}}`
	}
	for name, c := range map[string]struct{ content, outline, choices string }{
		"text":             {`{"type":"text","text":"Hello \n","style":{"bold":true},"unheardOf":{"x":[1]}}`, `text "Hello"`, ""},
		"image":            {`{"type":"image","url":"https://x/a.png","caption":"A"}`, `image "A" "https://x/a.png"`, ""},
		"image by its alt": {`{"type":"image","url":"https://x/a.png","alt":"an A"}`, `image "an A" "https://x/a.png"`, ""},
		"image to click":   {`{"type":"image","url":"https://x/a.png","caption":"A","click":{"actions":[{"type":"publishText","text":"a"}]}}`, `image "A" "https://x/a.png" #1`, "A→a"},
		"map":              {`{"type":"map","la":1.5,"lo":-2.25,"tooltip":"Shop"}`, `place 1.5,-2.25 "Shop"`, ""},
		"map with a link":  {`{"type":"map","la":1,"lo":2,"click":{"actions":[{"type":"link","name":"Site","uri":"https://x"}]}}`, `place 1,2 link "Site" "https://x"`, ""},
		"map to navigate":  {`{"type":"map","la":1,"lo":2,"click":{"actions":[{"type":"navigate","la":1,"lo":2,"name":"Shop"}]}}`, `place 1,2 "Shop"`, ""},
		"map of nowhere":   {`{"type":"vertical","elements":[{"type":"map","la":"x","lo":200,"alt":"Shop"},{"type":"map","la":1e400,"lo":"NaN"}]}`, `card (text "Shop")`, ""},
		"link preview":     {`{"type":"linkPreview","url":"https://x","title":"X","click":{"actions":[{"type":"link","uri":"https://x"}]}}`, `link "X" "https://x"`, ""},
		"pairs":            {`{"type":"keyValuePairList","elements":[{"key":"Total","value":"CHF 12"},{"key":"Due","value":3},{}]}`, `fact "Total" "CHF 12" fact "Due" "3"`, ""},
		"template": {
			`{"type":"template","templateType":"quickReply","title":"Colour?","resp":["Red","Blue"],"click":{"actions":[{"type":"publishText","text":"x"}],"metadata":[{"id":"m"}]}}`,
			`text "Colour?" #1 #2`, `Red→Red quick [{"id":"m"}]; Blue→Blue quick [{"id":"m"}]`,
		},
		"layout": {
			`{"type":"vertical","elements":[{"type":"text","text":"a"},{"type":"horizontal","percentages":[50,50],"elements":[{"type":"text","text":"b"},{"type":"vertical","elements":[{"type":"text","text":"c"}]}]}]}`,
			`card (text "a" text "b" text "c")`, "",
		},
		"carousel": {
			`{"type":"carousel","padding":4,"elements":[{"type":"vertical","elements":[{"type":"text","text":"a"},` + button(`{"type":"publishText","text":"go"}`) + `]},{"type":"text","text":"b"},{"type":"vertical","elements":[]}]}`,
			`carousel (card (text "a" #1) card (text "b"))`, `Go→go [{"id":"x","type":"ExternalId"}]`,
		},
		"carouselSelect of one": {
			`{"type":"carouselSelect","selectMode":{"name":"s","type":"single"},"elements":[{"type":"checkbox","text":"A","click":{"actions":[{"type":"checked","publishText":"a"}]}}]}`,
			`carousel (card (#1))`, "A→a",
		},
		"carouselSelect of many": {
			`{"type":"vertical","elements":[{"type":"carouselSelect","selectMode":{"name":"s","type":"multiple"},"elements":[{"type":"checkbox","text":"A"}]},
				{"type":"button","title":"Send","ref":{"name":"s","type":"carouselSelect"}}]}`,
			`card (carousel (card (#1)) #2)`, "A→A many; Send→Send",
		},
		"accordionSelect": {
			`{"type":"accordionSelect","selectMode":{"name":"s"},"titles":[{"name":"One","additional":"more"},{"name":"Two"}],"elements":[
				{"type":"vertical","elements":[{"type":"checkbox","text":"A"}]},{"type":"text","text":"b"},{"type":"text","text":"c"}]}`,
			`list (card "One" (text "more" #1) card "Two" (text "b") card (text "c"))`, "A→A many",
		},
		"tabs": {`{"type":"tabs","elements":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, `carousel (card (text "a") card (text "b"))`, ""},
		"list": {
			`{"type":"list","elements":[{"type":"text","text":"Pick"},{"type":"sectionList","elements":[
				{"type":"section","sectionID":"1","elements":[{"type":"text","text":"Fruit"},{"type":"checklist","elements":[
					{"type":"checkbox","text":"Apple","click":{"actions":[{"type":"checked","publishText":"apple"}],"metadata":[{"id":"1"}]}},
					{"type":"checkbox","text":"Pear","click":{"actions":[{"type":"checked","publishText":"pear"}]}}]}]},
				{"type":"section","elements":[{"type":"checklist","elements":[{"type":"checkbox","text":"Leek"}]}]}]},
				{"type":"buttonList","elements":[{"type":"submitButton","title":"Done","click":{"actions":[{"type":"submitAsText","submit":true}],"metadata":[{"id":"9"}]}},
					{"type":"button","title":"Cancel","click":{"actions":[{"type":"publishText","text":"no"}]}}]}]}`,
			`list "Pick" (list "Fruit" (#1 #2) list (#3) #4 #5)`,
			`Apple→apple many [{"id":"1"}]; Pear→pear many; Leek→Leek many; Done→Done [{"id":"9"}]; Cancel→no`,
		},
		"publishText":                {button(`{"type":"publishText","text":"go on"}`), `#1`, `Go→go on [{"id":"x","type":"ExternalId"}]`},
		"link":                       {button(`{"type":"link","uri":"https://x","target":"blank"}`), `link "Go" "https://x"`, ""},
		"link for a device":          {button(`{"type":"link","ios":{"uri":"https://i"}}`), `link "Go" "https://i"`, ""},
		"link with a text":           {button(`{"type":"link","name":"Site","uri":"https://x"},{"type":"publishText","text":"go"}`), `#1 link "Site" "https://x"`, `Go→go [{"id":"x","type":"ExternalId"}]`},
		"navigate":                   {button(`{"type":"navigate","la":1,"lo":2,"name":"Shop"}`), `place 1,2 "Shop"`, ""},
		"addToCart":                  {button(`{"type":"addToCart","items":[{"productId":"1","quantity":2}]}`), `text "Go"`, ""},
		"custom":                     {button(`{"type":"custom","data":[{"key":"k","value":"v"}]}`), `text "Go"`, ""},
		"an action of next year":     {button(`{"type":"teleport"}`), `text "Go"`, ""},
		"no action":                  {`{"type":"button","title":"Go","subtitle":"now"}`, `#1 text "now"`, "Go→Go"},
		"datePicker":                 {button(`{"type":"datePicker","class":"range","title":"Arrival","minDate":1717459200,"maxDate":1717545600000,"dateFormat":"MM/dd"}`), `text "Go: Arrival (2024-06-04 – 2024-06-05)"`, ""},
		"datePicker without a title": {button(`{"type":"datePicker","class":"single"}`), `text "Go"`, ""},
		"scheduleSlotList": {
			button(`{"type":"scheduleSlotList","title":"When?","slots":[{"type":"scheduleSlot","id":"1","start":1717459200,"end":1717462800,"title":"Early","description":"with Ann"},{"type":"scheduleSlot","id":"2","start":1717466400},{}]}`),
			`text "When?" #1 text "with Ann" #2`,
			`Early→Early [{"id":"x","type":"ExternalId"}]; 2024-06-04 02:00 UTC→2024-06-04 02:00 UTC [{"id":"x","type":"ExternalId"}]`,
		},
		"an answer before the slots": {
			button(`{"type":"scheduleSlotList","slots":[{"title":"Early"}]},{"type":"publishText","text":"later"}`),
			`#1 text "Go" #2`, `Go→later [{"id":"x","type":"ExternalId"}]; Early→Early [{"id":"x","type":"ExternalId"}]`,
		},
		"an element of next year": {`{"type":"hologram","title":"Look","click":{"actions":[{"type":"link","uri":"https://x"}]}}`, `text "Look" link "Look" "https://x"`, ""},
		"several roots":           {`[{"type":"text","text":"a"},{"type":"text","text":"b"}]`, `text "a" text "b"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := event(t, `{"type":"RichContentEvent","content":`+c.content+`}`)
			require.Equal(t, c.outline, outline(e.Blocks))
			require.Equal(t, c.choices, choicesOf(e))
			requireReadable(t, e)
		})
	}
}

func TestContentBesideText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ event, text, outline, choices string }{
		"a text alone":      {`{"type":"ContentEvent","message":"hi"}`, "hi", "", ""},
		"with answers":      {`{"type":"ContentEvent","message":"ok?","quickReplies":{"replies":[{"type":"button","title":"Yes"}]}}`, "ok?\n1) Yes", `text "ok?" #1`, "Yes→Yes quick"},
		"a file":            {`{"type":"ContentEvent","contentType":"hosted/file","message":{"relativePath":"/p","fileType":"PDF"}}`, "[PDF]", "", ""},
		"a file to answer":  {`{"type":"ContentEvent","contentType":"hosted/file","message":{"relativePath":"/p","caption":"Bill"},"quickReplies":{"replies":[{"title":"Pay"}]}}`, "Bill\n1) Pay", `text "Bill" #1`, "Pay→Pay quick"},
		"an invitation":     {`{"type":"ContentEvent","contentType":"forms/secure-invitation","message":{"formId":"7","invitationId":"c-7-1-1","title":"Card"}}`, "Card [form]", "", ""},
		"a submission":      {`{"type":"ContentEvent","contentType":"forms/secure-submission","message":{"submissionId":"1","invitationId":"c-7-1-1"}}`, "[form]", "", ""},
		"an external file":  {`{"type":"ContentEvent","contentType":"external/file","message":{"caption":"Plan","url":"https://x/p.pdf"}}`, "Plan: https://x/p.pdf", "", ""},
		"rich with answers": {`{"type":"RichContentEvent","content":{"type":"text","text":"a"},"quickReplies":{"type":"quickReplies","itemsPerRow":3,"replies":[{"type":"button","title":"Y","click":{"actions":[{"type":"link","uri":"https://x"}]}},{"title":"Z"}]}}`, "a\nY: https://x\n1) Z", `text "a" link "Y" "https://x" #1`, "Z→Z quick"},
		"only answers":      {`{"type":"RichContentEvent","content":{},"quickReplies":{"replies":[{"title":"Z"}]}}`, "1) Z", `#1`, "Z→Z quick"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := event(t, c.event)
			require.Equal(t, c.text, e.Text)
			require.Equal(t, c.outline, outline(e.Blocks))
			require.Equal(t, c.choices, choicesOf(e))
			requireReadable(t, e)
		})
	}
}

// requireReadable makes sure that blocks name each choice once, in the order in
// which they are numbered, and hold nothing that cannot be kept.
func requireReadable(t testing.TB, e liveperson.Event) {
	t.Helper()
	next, parts := 1, 0
	var walk func([]liveperson.Block)
	walk = func(blocks []liveperson.Block) {
		for _, b := range blocks {
			parts++
			require.NotEmpty(t, b.Kind)
			if b.Kind == liveperson.BlockChoice {
				require.Equal(t, next, b.Choice)
				next++
			}
			walk(b.Blocks)
		}
	}
	walk(e.Blocks)
	require.Equal(t, len(e.Choices), next-1, "each choice stands somewhere")
	require.Less(t, parts, 10_000)
	for i, c := range e.Choices {
		require.NotEmpty(t, c.Title)
		require.NotEmpty(t, c.Text)
		require.Contains(t, e.Text, fmt.Sprintf("%d) ", i+1))
		if c.Metadata != nil {
			require.True(t, json.Valid(c.Metadata))
		}
	}
	if e.Metadata != nil {
		require.True(t, json.Valid(e.Metadata))
	}
}

func TestStructuredContentIsBounded(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat(`{"type":"button","title":"x"},`, 10_000), ",")
	e := event(t, `{"type":"RichContentEvent","content":{"type":"vertical","elements":[`+many+`]}}`)
	require.Len(t, e.Choices, 1023)
	requireReadable(t, e)
}

func TestMetadataComesAsItIs(t *testing.T) {
	t.Parallel()
	got := receive(t, []byte(`{"type":"ms.MessagingEventNotification","body":{"changes":[
		{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":"a"},"metadata":[{"type":"BotResponse","html":"<b>&","n":1.50}]},
		{"dialogId":"d","sequence":2,"event":{"type":"ContentEvent","message":"b","metadata":{"type":"ExternalId","id":"m-1"}}},
		{"dialogId":"d","sequence":3,"event":{"type":"ContentEvent","message":"c"}}]}}`))
	require.Equal(t, `[{"html":"<b>&","n":1.50,"type":"BotResponse"}]`, string(got.Events[0].Metadata))
	require.Equal(t, `{"id":"m-1","type":"ExternalId"}`, string(got.Events[1].Metadata))
	require.Equal(t, "m-1", got.Events[1].ExternalID)
	require.Nil(t, got.Events[2].Metadata)
}

// What an agent sends is text, whatever it is made of: its words and its choices
// agree with its blocks.
func FuzzStructuredContent(f *testing.F) {
	for _, content := range []string{
		`{"type":"list","elements":[{"type":"text","text":"Pick"},{"type":"section","elements":[{"type":"checkbox","text":"A"}]}]}`,
		`{"type":"accordionSelect","titles":[{"name":"One"}],"elements":[{"type":"vertical","elements":[{"type":"map","la":1,"lo":2}]}]}`,
		`{"type":"carousel","elements":[{"type":"image","url":"u","click":{"actions":[{"type":"scheduleSlotList","slots":[{"start":1}]}]}}]}`,
		`[{"type":"keyValuePairList","elements":[{"key":"k","value":1e999}]},{"type":"template","title":"t","resp":["a",1,null]}]`,
		`{"type":"button","title":"\u0000","click":{"actions":{"type":"datePicker","minDate":"1","maxDate":9e18}}}`,
	} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		body := append([]byte(`{"type":"ms.MessagingEventNotification","body":{"changes":[{"dialogId":"d","sequence":1,"event":{"type":"RichContentEvent","content":`), content...)
		got := receive(t, append(body, []byte(`}}]}}`)...))
		for _, e := range got.Events {
			requireReadable(t, e)
		}
	})
}
