package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

// posted is what would be posted of a message, as the other side reads it.
func posted(t *testing.T, rich bool, out message.Outbound) (all []map[string]any) {
	t.Helper()
	a, err := New(Config{Channel: "web", URL: "https://b.test", Secrets: []string{secret}, Rich: rich})
	require.NoError(t, err)
	out.ID, out.To = "x", message.Address{Channel: "web", Consumer: "u-42"}
	posts, err := a.posts(out)
	require.NoError(t, err)
	b, err := json.Marshal(posts)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &all))
	for _, p := range all {
		require.Equal(t, map[string]any{"id": "u-42"}, p["conversation"])
		delete(p, "conversation")
	}
	return all
}

type object = map[string]any

func TestIDOfAPart(t *testing.T) {
	t.Parallel()
	all := posted(t, false, message.Outbound{Kind: message.Choices, Text: strings.Repeat("word ", 3000), Choices: []message.Choice{{ID: "1", Title: "One"}}})
	require.Len(t, all, 2)
	require.Equal(t, "x", all[0]["id"])
	require.Equal(t, "x-2", all[1]["id"])
	require.Equal(t, "text", all[0]["kind"])
	require.Equal(t, "choices", all[1]["kind"])
}

func TestChoicesAreCompleteAndNothingElse(t *testing.T) {
	t.Parallel()
	all := posted(t, true, message.Outbound{Kind: message.Choices, Text: "Which?", Choices: []message.Choice{
		{ID: "tea"}, {Title: "Coffee"}, {ID: "m/3", Title: "Water", Text: "water, please", Metadata: []byte(`[{"id":"secret"}]`), Quick: true, Many: true},
	}})
	require.Equal(t, []object{{"id": "x", "kind": "choices", "text": "Which?", "choices": []any{
		object{"id": "tea", "title": "tea"}, object{"id": "Coffee", "title": "Coffee"}, object{"id": "m/3", "title": "Water"},
	}}}, all)
}

func TestMedia(t *testing.T) {
	t.Parallel()
	file := message.Attachment{MIME: "image/png", Name: "cat.png", Size: 5, URL: "https://parley.test/files/t", Ref: "secret"}
	want := object{"kind": "image", "mime": "image/png", "name": "cat.png", "size": 5.0, "url": "https://parley.test/files/t"}
	require.Equal(t, []object{{"id": "x", "kind": "media", "text": "A cat", "attachment": want}},
		posted(t, false, message.Outbound{Kind: message.Media, Text: "A cat", Attachment: &file}))
	require.Equal(t, []object{{"id": "x", "kind": "media", "attachment": want}}, posted(t, false, message.Outbound{Kind: message.Media, Attachment: &file}))
	all := posted(t, false, message.Outbound{Kind: message.Media, Text: strings.Repeat("cat ", 3000), Attachment: &file})
	require.Len(t, all, 2)
	require.Equal(t, want, all[0]["attachment"])
	require.Nil(t, all[1]["attachment"])
	require.Equal(t, "text", all[1]["kind"])
}

func TestRich(t *testing.T) {
	t.Parallel()
	choice := message.Choice{ID: "m/1", Title: "Buy", Text: "I buy", Metadata: []byte(`[{"id":"secret"}]`), Quick: true}
	out := message.Outbound{Kind: message.Rich, Text: "Shoe\n1) Buy", Choices: []message.Choice{choice}, Blocks: []message.Block{
		{Kind: message.CardBlock, Blocks: []message.Block{
			{Kind: message.TextBlock, Text: "Shoe\x00"}, {Kind: message.PlaceBlock, Text: "Null Island"}, {Kind: message.ChoiceBlock, Choice: &choice},
		}},
	}}
	require.Equal(t, []object{{"id": "x", "kind": "rich", "text": "Shoe\n1) Buy", "blocks": []any{object{"kind": "card", "blocks": []any{
		object{"kind": "text", "text": "Shoe"},
		object{"kind": "place", "text": "Null Island", "latitude": 0.0, "longitude": 0.0},
		object{"kind": "choice", "choice": object{"id": "m/1", "title": "Buy", "quick": true}},
	}}}}}, posted(t, true, out))
	require.Equal(t, "choices", posted(t, false, out)[0]["kind"], "one that shows no blocks gets buttons")
	out.Text = strings.Repeat("long ", 3000)
	all := posted(t, true, out)
	require.Len(t, all, 1, "structured content is one message")
	require.LessOrEqual(t, len(all[0]["text"].(string)), maxText)
}

func TestAFileThatIsNone(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, "https://b.test", secret)
	for _, file := range []*message.Attachment{nil, {}} {
		_, err := a.Send(t.Context(), message.Outbound{Kind: message.Media, Text: "x", Attachment: file})
		require.Equal(t, fault.Rejected, fault.ClassOf(err))
	}
	require.True(t, a.Limits().Carries("application/pdf", 1<<20))
	var _ channels.Fetcher = a
}
