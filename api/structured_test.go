package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/liveperson"
	"parley/message"
)

const clickMetadata = `[{"type":"ExternalId","id":"OPT-YES"}]`

// card is a rich event with a button, a link and a quick reply.
func card() map[string]any {
	var metadata any
	_ = json.Unmarshal([]byte(clickMetadata), &metadata)
	say := func(text string) map[string]any {
		return map[string]any{"actions": []any{map[string]any{"type": "publishText", "text": text}}, "metadata": metadata}
	}
	return map[string]any{
		"type": "RichContentEvent",
		"content": map[string]any{"type": "vertical", "elements": []any{
			map[string]any{"type": "text", "text": "Keep the slot?"},
			map[string]any{"type": "button", "title": "Yes", "click": say("Yes, please")},
		}},
		"quickReplies": map[string]any{"type": "quickReplies", "itemsPerRow": 3, "replies": []any{
			map[string]any{"type": "button", "title": "Later", "click": say("Later")}}},
	}
}

func TestStructuredContent(t *testing.T) {
	t.Parallel()
	a := notified(t, said("AGENT", 7, card(), map[string]any{"metadata": []any{map[string]any{"type": "BotResponse", "intentMatched": true}}}))
	n := notifications(t, a)
	require.Len(t, n, 1)
	id := string(n[0].ID)
	yes := message.Choice{ID: id + "/1", Title: "Yes", Text: "Yes, please", Metadata: json.RawMessage(clickMetadata)}
	later := message.Choice{ID: id + "/2", Title: "Later", Text: "Later", Metadata: json.RawMessage(clickMetadata), Quick: true}
	require.Len(t, n[0].Choices, 2)
	for i, want := range []message.Choice{yes, later} {
		assert.JSONEq(t, clickMetadata, string(n[0].Choices[i].Metadata))
		want.Metadata = n[0].Choices[i].Metadata
		assert.Equal(t, want, n[0].Choices[i])
		assert.LessOrEqual(t, len(want.ID), 40)
	}
	assert.Equal(t, "Keep the slot?\n1) Yes\n2) Later", n[0].Text)
	shown := map[string]bool{}
	var look func([]message.Block)
	look = func(all []message.Block) {
		for _, b := range all {
			if b.Choice != nil {
				shown[b.Choice.ID] = true
				assert.Empty(t, b.Choice.Metadata, "it is in Choices, once")
			}
			look(b.Blocks)
		}
	}
	look(n[0].Blocks)
	assert.Equal(t, map[string]bool{yes.ID: true, later.ID: true}, shown)
	assert.Contains(t, string(n[0].Metadata), "BotResponse")
}

func TestAgentsFiles(t *testing.T) {
	t.Parallel()
	event := map[string]any{"type": "ContentEvent", "contentType": "hosted/file", "message": map[string]any{
		"caption": "invoice", "fileType": "PDF", "relativePath": "/v1/AUTH_async-images/1/a.PDF", "preview": "data:image/png;base64,AAAA"}}
	n := notifications(t, notified(t, said("ASSIGNED_AGENT", 6, event, nil)))
	require.Len(t, n, 1)
	assert.Equal(t, &message.File{Path: "/v1/AUTH_async-images/1/a.PDF", Type: "PDF", Caption: "invoice"}, n[0].File)
	assert.NotContains(t, n[0].Text, "base64")
}

func TestWhatIsTooLargeDoesWithoutItsForm(t *testing.T) {
	t.Parallel()
	n := message.Notification{Kind: message.AgentWrote, Text: "all of it", Metadata: json.RawMessage(`["m"]`)}
	for range 200 {
		n.Choices = append(n.Choices, message.Choice{Title: "t", Metadata: json.RawMessage(`"` + strings.Repeat("x", 100) + `"`)})
		n.Blocks = append(n.Blocks, message.Block{Kind: message.TextBlock, Text: strings.Repeat("y", 600)})
	}
	body, reason := encodeNotification(n)
	require.Empty(t, reason)
	assert.Contains(t, string(body), `"choices"`)
	assert.NotContains(t, string(body), `"blocks"`)
	assert.Contains(t, string(body), "all of it")

	n.Text = strings.Repeat("z", maxText+1)
	_, reason = encodeNotification(n)
	assert.NotEmpty(t, reason)
	long := json.RawMessage(`"` + strings.Repeat("x", mostMetadata) + `"`)
	assert.JSONEq(t, `{"leftOutBytes":16386}`, string(metadata(long)))
}

func TestWhatASnapshotSays(t *testing.T) {
	t.Parallel()
	yes := true
	in := notification{account: "main", source: "cloud/main", now: time.Now(), people: &people{}}
	in.add(liveperson.Event{Kind: liveperson.KindChange, ID: "c/1", Conversation: "c", Sequence: -1, Change: &liveperson.Change{
		Version: 9, Stage: "OPEN", State: "CLOSE", Skill: "7", AnswerBy: time.UnixMilli(5), CSAT: &liveperson.CSAT{Rate: 4, Resolved: &yes, Status: "FILLED"},
		Delay:        liveperson.Delay{Type: "NIGHT", Until: time.UnixMilli(6)},
		Participants: []liveperson.Participant{{ID: "agent", Role: liveperson.RoleAssignedAgent}, {ID: "boss", Role: liveperson.RoleManager}},
		Dialogs: []liveperson.Dialog{
			{ID: "c", Type: "MAIN", State: "CLOSE"}, {ID: "cobrowse", Type: "OTHER", State: "OPEN"}, {ID: "pcs", Type: "POST_SURVEY", State: "OPEN"}},
	}})
	require.Len(t, in.a.Events, 1)
	assert.False(t, in.a.Events[0].Starts)
	got := notifications(t, in.a)[0].Change
	assert.Equal(t, "pcs", got.Survey)
	assert.Equal(t, "agent", got.AgentID)
	assert.True(t, got.Manager)
	assert.True(t, got.AnswerBy.Equal(time.UnixMilli(5)))
	assert.Equal(t, "NIGHT", got.Delay)
	assert.Equal(t, 4, got.CSAT)
	require.Len(t, in.a.Ratings, 1)
	assert.Equal(t, message.Rating{Account: "main", Conversation: "c", CSAT: 4, Resolved: &yes, Status: "FILLED", At: in.a.Ratings[0].At}, in.a.Ratings[0])
}
