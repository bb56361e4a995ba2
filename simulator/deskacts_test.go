package simulator

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The agent's card with two ways to click it, and the click: ACTION, then the text.
func TestCardAndClick(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	var all map[string]json.RawMessage
	b, err := os.ReadFile("testdata/rich.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &all))
	act := "/sim/conversations/" + c.conv + "/"
	var d done
	g.must("POST", act+"rich", `{"content":`+string(all["vertical"])+`,"quickReplies":`+string(all["quick replies"])+`,"metadata":[{"type":"ExternalId","id":"TPL-88"}]}`, &d)
	eventually(t, "the card", func() bool { return len(g.parley.all()) == 3 })
	card := change(g.parley.notifications(t)[2])
	require.Equal(t, []any{map[string]any{"type": "ExternalId", "id": "TPL-88"}}, card["metadata"])
	require.Equal(t, richEvent, card["event"].(map[string]any)["type"])
	require.NotNil(t, card["event"].(map[string]any)["quickReplies"])

	meta := `,"metadata":[{"id":"OPT-YES","type":"ExternalId"}]`
	seq := number(*d.Sequence)
	status, body := c.send(publishOf(c.conv, `{"type":"AcceptStatusEvent","status":"ACTION","sequenceList":[`+seq+`]}`, meta))
	require.Equal(t, 200, status, body)
	status, body = c.send(publishOf(c.conv, `{"type":"ContentEvent","contentType":"text/plain","message":"Yes, please"}`, meta))
	require.Equal(t, 200, status, body)
	later := `,"metadata":[{"type":"ExternalId","id":"OPT-LATER"}]`
	c.send(publishOf(c.conv, `{"type":"ContentEvent","contentType":"text/plain","message":"Later"}`, later))
	c.send(publishOf(c.conv, `{"type":"AcceptStatusEvent","status":"ACTION","sequenceList":[`+seq+`]}`, `,"metadata":[{"type":"ExternalId","id":"made up"}]`))

	v := c.detail()
	require.Len(t, v.Clicks, 2)
	for i := range v.Clicks {
		v.Clicks[i].At, v.Clicks[i].Metadata = "", nil
	}
	require.Equal(t, []Click{
		{Dialog: c.conv, Sequence: *d.Sequence, Title: "Yes", Text: "Yes, please", Action: true, Said: true},
		{Dialog: c.conv, Sequence: *d.Sequence, Title: "Later", Text: "Later", Said: true},
	}, v.Clicks)
	require.Equal(t, []int{1, 1, 1}, []int{v.Counters.Actions, v.Counters.UnknownClicks, v.Counters.ClicksNoAction})
	require.Empty(t, v.Counters.ByExternalID, "an element's id is none of the sender's")
	require.Equal(t, "Keep the delivery slot?", v.Transcript[0].Text)

	g.must("POST", act+"quick", `{"text":"Anything else?","quickReplies":`+string(all["quick replies"])+`}`, nil)
	for path, body := range map[string]string{
		"rich": `{"content":{"type":"text"}}`, "quick": `{"text":"x","quickReplies":{"type":"quickReplies"}}`,
	} {
		require.Equal(t, 400, g.control("POST", act+path, body, nil))
	}
	require.Equal(t, 400, g.control("POST", act+"rich", `{}`, nil))
}

func TestFileOfAnAgent(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"files":{"agentMaxBytes":5000}}`)
	c, eve := g.consumer("ada"), g.consumer("eve")
	c.open()
	act := "/sim/conversations/" + c.conv + "/file"
	status, b := g.do("POST", act+"?name=invoice.pdf", map[string]string{"Content-Type": "application/pdf"}, "%PDF-1.7 …")
	require.Equal(t, 200, status, b)
	g.must("POST", act, `{"generate":4000,"caption":"noise"}`, nil)
	d := c.detail()
	require.Equal(t, []string{"PDF", "invoice.pdf"}, []string{d.Transcript[0].File.Type, d.Transcript[0].File.Caption})
	require.Equal(t, "PNG", d.Transcript[1].File.Type)
	require.Positive(t, d.Transcript[1].File.Preview)
	path := d.Transcript[0].File.Path
	require.Contains(t, path, "/agent_")
	status, b = c.send(requestOf("ms.GenerateURLForDownloadFile", `{"relativePath":"`+path+`"}`))
	require.Equal(t, 200, status, b)
	status, b = g.do("GET", placeIn(t, b).path(), nil, "")
	require.Equal(t, 200, status)
	require.Equal(t, "%PDF-1.7 …", b)
	status, _ = eve.send(requestOf("ms.GenerateURLForDownloadFile", `{"relativePath":"`+path+`"}`))
	require.Equal(t, 401, status)
	status, b = c.send(publishOf(c.conv, `{"type":"AcceptStatusEvent","status":"ACCESS","sequenceList":[0]}`, ""))
	require.Equal(t, 200, status, b)
	require.True(t, c.detail().Transcript[0].Opened)
	for _, bad := range []string{`{"name":"a.exe","data":"AAAA"}`, `{"name":"a.pdf"}`, `{"generate":20000}`} {
		require.Equal(t, 400, g.control("POST", act, bad, nil), bad)
	}
}

func TestSnapshotsOfTheDesk(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	act := "/sim/conversations/" + c.conv + "/"
	g.must("POST", act+"manager", `{}`, nil)
	g.must("POST", act+"ttr", `{"type":"CUSTOM","value":30}`, nil)
	g.must("POST", act+"delay", `{"type":"NIGHT","tillWhen":1717500000000}`, nil)
	require.Equal(t, 400, g.control("POST", act+"ttr", `{"type":"CUSTOM"}`, nil))
	require.Equal(t, 400, g.control("POST", act+"delay", `{"type":"LUNCH"}`, nil))
	status, b := c.send(fieldOf(c.conv, `{"field":"TTRField","ttrType":"URGENT"}`))
	require.Equal(t, 200, status, b)
	g.must("POST", act+"autoclose", ``, nil)
	eventually(t, "all", func() bool { return len(g.parley.all()) == 6 })
	var seen []map[string]any
	for _, n := range g.parley.notifications(t) {
		seen = append(seen, change(n)["result"].(map[string]any)["conversationDetails"].(map[string]any))
	}
	require.Equal(t, "MANAGER", seen[1]["participants"].([]any)[1].(map[string]any)["role"])
	require.Equal(t, map[string]any{"ttrType": "CUSTOM", "value": 30.0}, seen[2]["ttr"])
	require.Equal(t, map[string]any{"type": "NIGHT", "tillWhen": 1717500000000.0}, seen[3]["delay"])
	require.Equal(t, map[string]any{"ttrType": "URGENT", "value": 300.0}, seen[4]["ttr"])
	require.Equal(t, []any{"SYSTEM", "CLOSE"}, []any{seen[5]["closeReason"], seen[5]["stage"]})
}

func TestSilenceClosesByItself(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"autoClose":{"afterMs":20,"reason":"TIMEOUT"},"survey":{"on":true}}`)
	c, waits := g.consumer("ada"), g.consumer("bob")
	for _, one := range []*consumerSide{c, waits} {
		one.features = surveyable
		one.openWith(`"skillId":"2210"`)
	}
	g.must("POST", "/sim/conversations/"+waits.conv+"/text", `{"text":"?"}`, nil)
	waits.send(textOf(waits.conv, "my answer", ""))
	g.must("POST", "/sim/conversations/"+c.conv+"/text", `{"text":"Are you still there?"}`, nil)
	eventually(t, "closed", func() bool { return c.detail().Stage == "CLOSE" })
	require.Equal(t, []string{"TIMEOUT", "none"}, []string{c.detail().CloseReason, c.detail().Survey})
	require.Equal(t, "OPEN", waits.detail().Stage, "it is the agent's turn")
}
