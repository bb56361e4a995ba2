package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const publishType = ".ams.ms.PublishEvent"

// seated is an agent program with a conversation of its own.
func seated(t *testing.T, settings string) (*rig, *agentProgram, *consumerSide) {
	t.Helper()
	g := newRig(t, settings)
	p := g.agent("bot").online()
	mira := g.consumer("mira")
	p.accepts(mira.open())
	return g, p, mira
}

func (p *agentProgram) publish(dialog, event, rest string) int {
	p.g.t.Helper()
	f := p.askWith(publishType, fmt.Sprintf(`{"dialogId":%q,"conversationId":%q,"event":%s}`, dialog, dialog, event), rest)
	require.Equal(p.g.t, 200, f.Code, string(f.Body))
	require.Equal(p.g.t, publishType+"$Response", f.Type)
	var out map[string]int
	require.NoError(p.g.t, json.Unmarshal(f.Body, &out))
	require.Len(p.g.t, out, 1)
	return out["sequence"]
}

// told waits for a webhook about an event, and returns its change.
func (g *rig) told(fits func(change map[string]any) bool) map[string]any {
	g.t.Helper()
	var found map[string]any
	eventually(g.t, "the webhook", func() bool {
		for _, n := range g.parley.notifications(g.t) {
			if c := change(n); n["type"] == "ms.MessagingEventNotification" && fits(c) {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

func TestWhatAnAgentPublishesReachesTheApp(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	conv := mira.conv
	seq := p.publish(conv, `{"type":"ContentEvent","contentType":"text/plain","message":"It ships\ntomorrow."}`, `,"metadata":[{"type":"ExternalId","id":"B-1"}]`)
	c := g.told(saying("It ships\ntomorrow."))
	require.EqualValues(t, seq, c["sequence"])
	require.Equal(t, p.pid, c["originatorId"])
	require.Equal(t, map[string]any{"id": p.pid, "role": "ASSIGNED_AGENT"}, c["originatorMetadata"])
	require.Equal(t, "ALL", c["messageAudience"])
	require.Equal(t, []any{map[string]any{"type": "ExternalId", "id": "B-1"}}, c["metadata"])
	own := p.heard(conv, saying("It ships\ntomorrow."))
	require.Equal(t, p.old, own["originatorId"])
	require.Equal(t, p.pid, own["originatorPId"])
}

func TestAConsumersMessageReachesTheAgentAndTheReceiptGoesBack(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	_, _ = mira.send(textOf(mira.conv, "Where is it?", ""))
	c := p.heard(mira.conv, saying("Where is it?"))
	p.publish(mira.conv, fmt.Sprintf(`{"type":"AcceptStatusEvent","status":"READ","sequenceList":[%v]}`, c["sequence"]), "")
	g.told(func(c map[string]any) bool { return c["event"].(map[string]any)["status"] == "READ" })
	var d DetailView
	g.must("GET", "/sim/conversations/"+mira.conv, "", &d)
	require.Zero(t, d.Unread)
	require.True(t, d.Transcript[0].Read)

	require.Zero(t, p.publish(mira.conv, `{"type":"ChatStateEvent","chatState":"COMPOSING"}`, ""))
	g.must("GET", "/sim/conversations/"+mira.conv, "", &d)
	require.True(t, d.Typing["agent"])
	typing := p.heard(mira.conv, func(c map[string]any) bool { return c["event"].(map[string]any)["chatState"] == "COMPOSING" })
	require.NotContains(t, typing, "sequence")
	require.NotContains(t, typing, "serverTimestamp")
}

func TestTheResponseComesBeforeWhatTheRequestCaused(t *testing.T) {
	t.Parallel()
	_, p, mira := seated(t, "")
	p.publish(mira.conv, `{"type":"ContentEvent","contentType":"text/plain","message":"first things first"}`, "")
	p.heard(mira.conv, saying("first things first"))
	p.mu.Lock()
	defer p.mu.Unlock()
	answered := slices.IndexFunc(p.frames, func(f frame) bool { return f.Type == publishType+"$Response" })
	told := slices.IndexFunc(p.frames, func(f frame) bool { return f.Type == eventsType })
	require.Less(t, answered, told)
}

func TestStructuredContentAndQuickRepliesOfAnAgent(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	card := `{"type":"vertical","elements":[{"type":"text","text":"Keep the slot?"},{"type":"button","title":"Yes","click":{"actions":[{"type":"publishText","text":"Yes"}]}}]}`
	chips := `{"type":"quickReplies","itemsPerRow":3,"replies":[{"type":"button","title":"Later","click":{"actions":[{"type":"publishText","text":"Later"}]}}]}`
	p.publish(mira.conv, `{"type":"RichContentEvent","content":`+card+`,"quickReplies":`+chips+`}`, "")
	c := g.told(func(c map[string]any) bool { return c["event"].(map[string]any)["type"] == "RichContentEvent" })
	b, err := json.Marshal(c["event"])
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"RichContentEvent","content":`+card+`,"quickReplies":`+chips+`}`, string(b))
}

func TestAPrivateMessageIsMarked(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	f := p.ask(publishType, fmt.Sprintf(`{"dialogId":%q,"messageAudience":"AGENTS_AND_MANAGERS","event":{"type":"ContentEvent","contentType":"text/plain","message":"a note"}}`, mira.conv))
	require.Equal(t, 200, f.Code)
	require.Equal(t, "AGENTS_AND_MANAGERS", g.told(saying("a note"))["messageAudience"])
}

func TestWhatAnAgentMayNotPublish(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	conv := mira.conv
	of := func(event string) string { return fmt.Sprintf(`{"dialogId":%q,"event":%s}`, conv, event) }
	for event, why := range map[string]string{
		`null`: "event must be an object whose members have the right type",
		`{"type":"ContentEvent","contentType":"text/plain","message":""}`:                                         "message must not be empty",
		`{"type":"ContentEvent","contentType":"text/html","message":"x"}`:                                         "contentType is not supported",
		`{"type":"ContentEvent","contentType":"hosted/file","message":{"caption":"x"}}`:                           "a file's message needs relativePath and fileType",
		`{"type":"ContentEvent","contentType":"hosted/file","message":{"relativePath":"/v1/x","fileType":"PNG"}}`: "nothing was uploaded under relativePath",
		`{"type":"RichContentEvent","content":{"type":"text"}}`:                                                   "content: text is required",
		`{"type":"ChatStateEvent","chatState":"ASLEEP"}`:                                                          "unknown chatState",
		`{"type":"AcceptStatusEvent","status":"READ"}`:                                                            "status and sequenceList must name a status and events",
		`{"type":"Other"}`: "unknown type of event",
		`{"type":"ContentEvent","contentType":"text/plain","message":"x","quickReplies":{"type":"quickReplies"}}`: "quickReplies: itemsPerRow is required",
		`{"type":"ChatStateEvent","chatState":"ACTIVE","quickReplies":{"type":"quickReplies"}}`:                   "quickReplies accompany a message",
	} {
		p.refused(publishType, of(event), why)
	}
	hello := `{"type":"ContentEvent","contentType":"text/plain","message":"x"}`
	p.refused(publishType, `{"event":`+hello+`}`, "dialogId is required")
	p.refused(publishType, `{"dialogId":"none","event":`+hello+`}`, "unknown dialog")
	p.refused(publishType, fmt.Sprintf(`{"dialogId":%q,"conversationId":"none","event":%s}`, conv, hello), "conversationId is not the dialog's")
	p.refused(publishType, fmt.Sprintf(`{"dialogId":%q,"messageAudience":"ME","event":%s}`, conv, hello), "messageAudience must be ALL or AGENTS_AND_MANAGERS")
	g.agent("Dana").refused(publishType, of(hello), notInside)
	g.must("POST", "/sim/conversations/"+conv+"/close", `{}`, nil)
	p.refused(publishType, of(hello), isClosed)
}

func TestGenerateURLForUploadFileAndDownloadFile(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	const up, down = ".ams.ms.GenerateURLForUploadFile", ".ams.ms.GenerateURLForDownloadFile"
	p.refused(up, `{"fileType":"PNG"}`, "fileSize must be a number of bytes")
	p.refused(up, `{"fileSize":10,"fileType":"EXE"}`, "fileType must be one of JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX, XLSX")
	p.refused(up, `{"fileSize":99999999,"fileType":"PNG"}`, "file is too large")
	picture := append([]byte("\x89PNG\r\n\x1a\n"), "not much of a picture"...)
	type place struct {
		RelativePath string            `json:"relativePath"`
		QueryParams  map[string]string `json:"queryParams"`
	}
	var to place
	f := p.must(up, fmt.Sprintf(`{"fileSize":%d,"fileType":"PNG"}`, len(picture)), urlResponse)
	require.NoError(t, json.Unmarshal(f.Body, &to))
	require.Contains(t, to.RelativePath, "/v1/AUTH_async-images/"+site+"/agent_")
	query := func(p place) string {
		return "?temp_url_sig=" + p.QueryParams["temp_url_sig"] + "&temp_url_expires=" + p.QueryParams["temp_url_expires"]
	}
	r, err := http.NewRequest("PUT", g.url+to.RelativePath+query(to), bytes.NewReader(picture))
	require.NoError(t, err)
	res, err := g.http.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 201, res.StatusCode)

	p.publish(mira.conv, `{"type":"ContentEvent","contentType":"hosted/file","message":{"caption":"a","relativePath":"`+to.RelativePath+`","fileType":"PNG"}}`, "")
	g.told(func(c map[string]any) bool { return c["event"].(map[string]any)["contentType"] == "hosted/file" })
	status, b := mira.send(`{"kind":"req","id":"1","type":"ms.GenerateURLForDownloadFile","body":{"relativePath":"` + to.RelativePath + `"}}`)
	require.Equal(t, 200, status, b) // it is the consumer's now

	var from place
	p.refused(down, `{}`, "relativePath is required")
	p.refused(down, `{"relativePath":"/v1/none"}`, "unknown relativePath")
	f = p.must(down, `{"relativePath":"`+to.RelativePath+`"}`, urlResponse)
	require.NoError(t, json.Unmarshal(f.Body, &from))
	status, got := g.do("GET", from.RelativePath+query(from), nil, "")
	require.Equal(t, 200, status)
	require.True(t, strings.HasSuffix(got, "not much of a picture"))
}
