package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// card offers two answers, a link and a picture.
const card = `{"type":"vertical","tag":"generic","elements":[
	{"type":"text","text":"Keep the delivery slot?"},
	{"type":"image","url":"https://cdn.example.org/slot.png","caption":"The slot"},
	{"type":"button","title":"Yes","click":{"actions":[{"type":"publishText","text":"Yes, please"}],"metadata":[{"type":"ExternalId","id":"OPT-YES"},{"type":"ActionReason","reason":"slot","n":1.50}]}},
	{"type":"button","title":"No","click":{"actions":[{"type":"publishText","text":"No, thank you"}],"metadata":[{"type":"ExternalId","id":"OPT-NO"}]}},
	{"type":"button","title":"Terms","click":{"actions":[{"type":"link","name":"Terms","uri":"https://example.org/terms"}]}},
	{"type":"map","la":47.37,"lo":8.54,"click":{"actions":[{"type":"navigate","la":47.37,"lo":8.54,"name":"Shop"}]}}]}`

const chips = `{"type":"quickReplies","itemsPerRow":3,"replies":[
	{"type":"button","title":"Morning","click":{"actions":[{"type":"publishText","text":"In the morning"}],"metadata":[{"type":"ExternalId","id":"CHIP-AM"}]}},
	{"type":"button","title":"Evening","click":{"actions":[{"type":"publishText","text":"In the evening"}],"metadata":[{"type":"ExternalId","id":"CHIP-PM"}]}}]}`

// clicks checks what the cloud got of a click: ACTION with the metadata of what was
// clicked, number for number as it was written, then the text with the same.
func (s *stack) clicks(conversation, dialog string, sequence int, metadata, text string) {
	s.t.Helper()
	s.onDesk(conversation, text)
	var raw []string
	said := -1
	for _, w := range s.sends(conversation) {
		if m := parsed(s.t, w.Request.Body); m.at("body.event.message") == text && m.at("body.dialogId") == dialog {
			said = len(raw)
		}
		raw = append(raw, w.Request.Body)
	}
	require.Positive(s.t, said, "ACTION goes just before the text")
	action := said - 1
	first, second := parsed(s.t, raw[action]), parsed(s.t, raw[said])
	assert.Equal(s.t, map[string]any{"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": []any{float64(sequence)}}, first.at("body.event"))
	assert.Equal(s.t, map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": text}, second.at("body.event"))
	for _, i := range []int{action, said} {
		m := parsed(s.t, raw[i])
		assert.Equal(s.t, dialog, m.at("body.dialogId"))
		assert.Equal(s.t, conversation, m.at("body.conversationId"))
		assert.Equal(s.t, sorted(s.t, metadata), sorted(s.t, string(metadataIn(s.t, raw[i]))))
	}
}

// metadataIn is what stands beside the body of a request.
func metadataIn(t testing.TB, request string) json.RawMessage {
	t.Helper()
	var m struct{ Metadata json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(request), &m))
	return m.Metadata
}

// sorted is JSON with the members of its objects in one order, and its numbers as
// they were written: 1.50 is not 1.5.
func sorted(t testing.TB, raw string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// offered has the agent offer a card, and returns its sequence.
func (s *stack) offered(conversation, act string, body map[string]any) int {
	s.t.Helper()
	var out struct{ Sequence *int }
	s.must(http.MethodPost, "/sim/conversations/"+conversation+"/"+act, body, &out)
	require.NotNil(s.t, out.Sequence)
	return *out.Sequence
}

// chooses has a visitor press a button of what is on the phone.
func (p *phone) chooses(m simulator.PhoneMessage, title string) {
	p.s.t.Helper()
	for _, c := range m.Choices {
		if c.Title != title {
			continue
		}
		var out posted
		p.s.must(http.MethodPost, p.path("/choice"), map[string]any{"messageId": m.ID, "id": c.ID, "title": c.Title}, &out)
		require.Equal(p.s.t, 2, out.Status/100, "%+v", out)
		return
	}
	require.Fail(p.s.t, "no such button", "%q of %+v", title, m.Choices)
}

const yesMetadata = `[{"type":"ExternalId","id":"OPT-YES"},{"type":"ActionReason","reason":"slot","n":1.50}]`

func TestRow_StructuredContentInAndClickOut(t *testing.T) {
	s := row(t)
	rich := map[string]any{"content": json.RawMessage(card)}
	t.Run("on an SMS phone, by number", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		n := s.offered(id, "rich", rich)
		m := p.gets("the card in words", saying("Keep the delivery slot?"))
		want := "Keep the delivery slot?\nThe slot: https://cdn.example.org/slot.png\n1) Yes\n2) No\nTerms: https://example.org/terms\nShop: https://maps.google.com/?q=47.37,8.54"
		assert.Equal(t, want, m.Text)
		p.says("1.")
		s.clicks(id, id, n, yesMetadata, "Yes, please")
		s.clicked(id, 1)
	})
	t.Run("on an SMS phone, by title, in any spelling", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		n := s.offered(id, "rich", rich)
		p.gets("the card in words", saying("Keep the delivery slot?"))
		p.says("  no! ")
		s.clicks(id, id, n, `[{"type":"ExternalId","id":"OPT-NO"}]`, "No, thank you")
		p.says("Something else altogether")
		s.onDesk(id, "Something else altogether")
		s.clicked(id, 1)
	})
	t.Run("on the web, with buttons", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		n := s.offered(id, "rich", rich)
		m := p.gets("the card with buttons", saying("Keep the delivery slot?"))
		assert.Equal(t, "choices", m.Kind)
		assert.NotContains(t, m.Text, "1) Yes")
		p.chooses(m, "Yes")
		s.clicks(id, id, n, yesMetadata, "Yes, please")
		p.chooses(m, "No") // a card stays
		s.onDesk(id, "No, thank you")
		s.clicked(id, 2)
	})
	t.Run("on the web that shows cards", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web-cards")
		n := s.offered(id, "rich", rich)
		m := p.gets("the card itself", func(m simulator.PhoneMessage) bool { return m.Kind == "rich" })
		var kinds []string
		var walk func(any)
		walk = func(v any) {
			list, _ := v.([]any)
			for _, b := range list {
				one := b.(map[string]any)
				kinds = append(kinds, one["kind"].(string))
				walk(one["blocks"])
			}
		}
		walk(parsed(t, string(m.Raw))["blocks"])
		assert.Subset(t, kinds, []string{"text", "image", "choice", "link", "place"})
		assert.NotContains(t, string(m.Raw), "OPT-YES", "what the cloud wants back stays with us")
		p.chooses(m, "Yes")
		s.clicks(id, id, n, yesMetadata, "Yes, please")
		s.clicked(id, 1)
	})
}

// clicked checks that the cloud has seen so many clicks, all of what was offered.
func (s *stack) clicked(conversation string, n int) {
	s.t.Helper()
	d, err := s.detail(conversation)
	require.NoError(s.t, err)
	assert.Len(s.t, d.Clicks, n)
	for _, c := range d.Clicks {
		assert.True(s.t, c.Action && c.Said, "%+v", c)
	}
	assert.Zero(s.t, d.Counters.UnknownClicks)
	assert.Zero(s.t, d.Counters.ClicksNoAction)
}

// checkboxes may be ticked together.
const checkboxes = `{"type":"list","elements":[{"type":"text","text":"Which days suit you?"},
	{"type":"sectionList","elements":[{"type":"section","sectionID":"days","elements":[{"type":"checklist","elements":[
		{"type":"checkbox","text":"Monday","click":{"actions":[{"type":"checked","publishText":"Mon"}],"metadata":[{"type":"ExternalId","id":"MON"}]}},
		{"type":"checkbox","text":"Tuesday","click":{"actions":[{"type":"checked","publishText":"Tue"}],"metadata":[{"type":"ExternalId","id":"TUE"}]}},
		{"type":"checkbox","text":"Friday","click":{"actions":[{"type":"checked","publishText":"Fri"}],"metadata":[{"type":"ExternalId","id":"FRI"}]}}]}]}]},
	{"type":"buttonList","elements":[{"type":"submitButton","title":"Send","click":{"actions":[{"type":"submitAsText","submit":true}],"metadata":[{"type":"ExternalId","id":"GO"}]}}]}]}`

func TestRow_AgentStructuredContentOfEveryKind(t *testing.T) {
	s := row(t)
	t.Run("checkboxes by several numbers", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		s.offered(id, "rich", map[string]any{"content": json.RawMessage(checkboxes)})
		m := p.gets("the list in words", saying("Which days suit you?"))
		for _, line := range []string{"1) Monday", "2) Tuesday", "3) Friday"} {
			assert.Contains(t, m.Text, line)
		}
		p.says("1, 3")
		s.onDesk(id, "Mon, Fri")
	})
	t.Run("all that the documentation shows", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		for name, c := range map[string]struct {
			content string
			lines   []string
		}{
			"carousel": {`{"type":"carousel","padding":4,"elements":[
				{"type":"vertical","elements":[{"type":"text","text":"Plan A"},{"type":"button","title":"Choose A","click":{"actions":[{"type":"publishText","text":"Plan A"}]}}]},
				{"type":"vertical","elements":[{"type":"text","text":"Plan B"},{"type":"button","title":"Choose B","click":{"actions":[{"type":"publishText","text":"Plan B"}]}}]}]}`,
				[]string{"Plan A", "1) Choose A", "Plan B", "2) Choose B"}},
			"facts": {`{"type":"vertical","elements":[{"type":"keyValuePairList","elements":[{"key":"Order","value":"A-17"},{"key":"Total","value":"12.50 CHF"}]}]}`,
				[]string{"Order: A-17", "Total: 12.50 CHF"}},
			"horizontal": {`{"type":"horizontal","elements":[{"type":"linkPreview","url":"https://example.org/x","title":"Preview"},{"type":"text","text":"beside it"}]}`,
				[]string{"Preview: https://example.org/x", "beside it"}},
			"tabs": {`{"type":"tabs","elements":[{"type":"vertical","tag":"one","elements":[{"type":"text","text":"in the first tab"}]},{"type":"vertical","elements":[{"type":"text","text":"in the second tab"}]}]}`,
				[]string{"in the first tab", "in the second tab"}},
		} {
			var out struct{ Sequence *int }
			err := s.call(http.MethodPost, "/sim/conversations/"+id+"/event",
				map[string]any{"event": map[string]any{"type": "RichContentEvent", "content": json.RawMessage(c.content)}}, &out)
			require.NoError(t, err, name)
			m := p.gets(name+" in words", saying(c.lines[0]))
			for _, line := range c.lines {
				assert.Contains(t, m.Text, line, name)
			}
		}
	})
	t.Run("an invitation that cannot be taken up here is told of", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		s.agent(id, "event", map[string]any{"event": map[string]any{"type": "ContentEvent", "contentType": "forms/secure-invitation",
			"message": map[string]any{"formId": "4711", "invitationId": "i-4711", "title": "Your card's number"}}})
		p.gets("the title of the form", saying("Your card's number"))
	})
	t.Run("what is unknown is left out, and what can be read is not", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		s.agent(id, "event", map[string]any{"event": map[string]any{"type": "RichContentEvent", "content": json.RawMessage(
			`{"type":"vertical","hologram":true,"elements":[{"type":"hologram","depth":3},{"type":"text","text":"Only this can be read","sparkle":9}]}`)}})
		assert.Equal(t, "Only this can be read", strings.TrimSpace(p.gets("what can be read", saying("Only this")).Text))
	})
}

func TestRow_QuickReplies(t *testing.T) {
	s := row(t)
	quick := map[string]any{"text": "When shall we come?", "quickReplies": json.RawMessage(chips)}
	t.Run("on an SMS phone", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		n := s.offered(id, "quick", quick)
		m := p.gets("the question", saying("When shall we come?"))
		assert.Equal(t, "When shall we come?\n1) Morning\n2) Evening", m.Text)
		p.says("2")
		s.clicks(id, id, n, `[{"type":"ExternalId","id":"CHIP-PM"}]`, "In the evening")
		p.says("1") // the chips are gone
		s.onDesk(id, "1")
		s.clicked(id, 1)
	})
	t.Run("on the web", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("web")
		n := s.offered(id, "quick", quick)
		p.chooses(p.gets("the question", saying("When shall we come?")), "Morning")
		s.clicks(id, id, n, `[{"type":"ExternalId","id":"CHIP-AM"}]`, "In the morning")
		s.clicked(id, 1)
	})
	t.Run("beside a card", func(t *testing.T) {
		t.Parallel()
		s := s.as(t)
		p, id := s.opened("sms")
		n := s.offered(id, "rich", map[string]any{"content": json.RawMessage(card), "quickReplies": json.RawMessage(chips)})
		m := p.gets("the card in words", saying("Keep the delivery slot?"))
		for _, line := range []string{"1) Yes", "2) No", "3) Morning", "4) Evening"} {
			assert.Contains(t, m.Text, line)
		}
		p.says("4")
		s.clicks(id, id, n, `[{"type":"ExternalId","id":"CHIP-PM"}]`, "In the evening")
		s.clicked(id, 1)
	})
}
