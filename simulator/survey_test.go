package simulator

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func closeDialogOf(conv, dialog, cause string) string {
	return fieldOf(conv, `{"field":"DialogChange","type":"UPDATE","dialog":{"dialogId":"`+dialog+`","state":"CLOSE","closedCause":"`+cause+`"}}`)
}

// asking is a conversation whose MAIN dialog was closed, and the survey's dialog.
func asking(t *testing.T, settings string) (*rig, *consumerSide, string) {
	t.Helper()
	g := newRig(t, settings)
	c := g.consumer("ada")
	c.features = surveyable
	c.openWith(`"skillId":"2210"`)
	status, b := c.send(closeDialogOf(c.conv, c.conv, "Closed by consumer"))
	require.Equal(t, 200, status, b)
	d := c.detail()
	require.Equal(t, surveyOpen, d.Survey, d.SurveyRun.Reason)
	return g, c, d.SurveyRun.Dialog
}

// lastQuestion is the newest question of the transcript, with its chips' metadata.
func lastQuestion(t *testing.T, d DetailView) (EventView, []string) {
	t.Helper()
	for i := len(d.Transcript) - 1; i >= 0; i-- {
		e := d.Transcript[i]
		var in struct {
			QuickReplies struct {
				Replies []struct {
					Click struct{ Metadata json.RawMessage }
				}
			}
		}
		require.NoError(t, json.Unmarshal(e.Event, &in))
		if e.Role == roleSurvey && e.Metadata != nil {
			var all []string
			for _, r := range in.QuickReplies.Replies {
				all = append(all, string(r.Click.Metadata))
			}
			return e, all
		}
	}
	t.Fatal("no question")
	return EventView{}, nil
}

// click sends ACTION and text, as the n-th chip says.
func (c *consumerSide) click(dialog string, n int, text string) {
	c.g.t.Helper()
	q, chips := lastQuestion(c.g.t.(*testing.T), c.detail())
	meta := `,"metadata":` + chips[n]
	status, b := c.send(publishOf(dialog, `{"type":"AcceptStatusEvent","status":"ACTION","sequenceList":[`+number(q.Sequence)+`]}`, meta))
	require.Equal(c.g.t, 200, status, b)
	status, b = c.send(publishOf(dialog, `{"type":"ContentEvent","contentType":"text/plain","message":"`+text+`"}`, meta))
	require.Equal(c.g.t, 200, status, b)
}

// The order of notifications is the one of the post-conversation survey's tutorial.
func TestSurvey(t *testing.T) {
	t.Parallel()
	g, c, dialog := asking(t, `{"survey":{"on":true}}`)
	require.Regexp(t, `^[A-Za-z0-9_-]{22}$`, dialog)
	status, _ := c.send(textOf(c.conv, "to MAIN", ""))
	require.Equal(t, 400, status, "MAIN is closed")
	status, b := c.send(publishOf(dialog, `{"type":"ChatStateEvent","chatState":"COMPOSING"}`, ""))
	require.Equal(t, 400, status)
	require.Contains(t, b, "no chat states")
	status, _ = g.do("POST", openPath, c.header(), openBody)
	require.Equal(t, 400, status, "it is still open")

	c.click(dialog, 3, "4")
	c.click(dialog, 0, "Yes")
	d := c.detail()
	require.Equal(t, surveyCompleted, d.Survey)
	require.Equal(t, 4, *d.SurveyRun.CSAT)
	require.True(t, *d.SurveyRun.FCR)
	require.Equal(t, "CLOSE", d.Stage)
	require.Len(t, d.Clicks, 2)
	require.Equal(t, 2, d.Counters.Actions)
	require.Zero(t, d.Counters.UnknownClicks)
	require.Empty(t, d.Counters.DoubledTexts)

	eventually(t, "all", func() bool { return g.sender().Queued == 0 })
	var seen []string
	first := -1
	for _, n := range g.parley.notifications(t) {
		if n["type"] == "cqm.ExConversationChangeNotification" {
			details := change(n)["result"].(map[string]any)["conversationDetails"].(map[string]any)
			seen = append(seen, "change "+details["state"].(string)+" "+details["stage"].(string))
			if len(seen) > 1 && details["stage"] == "OPEN" {
				requireSurveyOpen(t, change(n)["result"].(map[string]any), dialog)
			}
			continue
		}
		ch := change(n)
		require.Equal(t, dialog, ch["dialogId"])
		require.Equal(t, c.conv, ch["conversationId"])
		e := ch["event"].(map[string]any)
		if s, numbered := ch["sequence"]; numbered {
			require.Equal(t, float64(first+1), s, "the dialog counts from 0")
			first++
		}
		what := e["type"].(string)
		for _, name := range []string{"status", "chatState"} {
			if v, there := e[name].(string); there {
				what = v
			}
		}
		seen = append(seen, ch["originatorMetadata"].(map[string]any)["role"].(string)+" "+what)
	}
	require.Equal(t, []string{
		"change OPEN OPEN", "change CLOSE OPEN", "AGENT ContentEvent", "AGENT ContentEvent",
		"CONSUMER ACTION", "CONSUMER ContentEvent", "AGENT READ", "AGENT COMPOSING", "AGENT ContentEvent", "AGENT ACTIVE",
		"CONSUMER ACTION", "CONSUMER ContentEvent", "AGENT READ", "AGENT COMPOSING", "AGENT ContentEvent", "AGENT ACTIVE",
		"change CLOSE CLOSE",
	}, seen)
	all := g.parley.notifications(t)
	last := change(all[len(all)-1])["result"].(map[string]any)["conversationDetails"].(map[string]any)
	survey := last["dialogs"].([]any)[1].(map[string]any)
	require.Equal(t, []any{"AGENT", "Completed"}, []any{survey["closedBy"], survey["closedCause"]})
	require.Equal(t, "CONSUMER", last["closeReason"])
	require.NotNil(t, last["endTs"])
}

func requireSurveyOpen(t *testing.T, result map[string]any, dialog string) {
	t.Helper()
	details := result["conversationDetails"].(map[string]any)
	require.EqualValues(t, -1, result["effectiveTTR"])
	require.Equal(t, "CONSUMER", details["closeReason"])
	require.Nil(t, details["endTs"])
	dialogs := details["dialogs"].([]any)
	main, survey := dialogs[0].(map[string]any), dialogs[1].(map[string]any)
	require.Equal(t, []any{"MAIN", "CLOSE", "CONSUMER", "Closed by consumer"}, []any{main["dialogType"], main["state"], main["closedBy"], main["closedCause"]})
	require.Equal(t, []any{"POST_SURVEY", "OPEN", dialog}, []any{survey["dialogType"], survey["state"], survey["dialogId"]})
	require.NotEqual(t, main["metaData"], survey["metaData"])
}

func TestSurveyNeeds(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"survey":{"on":true}}`)
	yes := func(*consumerSide) {}
	for name, tc := range map[string]struct {
		features []string
		skill    string
		before   func(*consumerSide)
		close    func(*consumerSide) string
		reason   string
	}{
		"a skill":          {surveyable, "-1", yes, nil, "no skill"},
		"the features":     {surveyable[:2], "2210", yes, nil, "of CONVERSATION lack"},
		"them on SEND too": {surveyable, "2210", func(c *consumerSide) { c.features = nil }, nil, "of SEND lack"},
		"a cause":          {surveyable, "2210", yes, func(c *consumerSide) string { return closeDialogOf(c.conv, c.conv, "") }, "closedCause"},
	} {
		c := g.consumer(name)
		c.features = tc.features
		c.openWith(`"skillId":"` + tc.skill + `"`)
		tc.before(c)
		body := closeDialogOf(c.conv, c.conv, "Closed by consumer")
		if tc.close != nil {
			body = tc.close(c)
		}
		status, b := c.send(body)
		require.Equal(t, 200, status, b)
		d := c.detail()
		require.Equal(t, []string{"none", "CLOSE"}, []string{d.Survey, d.Stage}, name)
		require.Contains(t, d.SurveyRun.Reason, tc.reason, name)
	}
	for reason, want := range map[string]string{"AGENT": surveyOpen, "SYSTEM": "none", "TIMEOUT": "none"} {
		c := g.consumer("closed by " + reason)
		c.features = surveyable
		c.openWith(`"skillId":"2210"`)
		g.must("POST", "/sim/conversations/"+c.conv+"/close", `{"reason":"`+reason+`"}`, nil)
		require.Equal(t, want, c.detail().Survey, reason)
	}
	c := g.consumer("closed without")
	c.features = surveyable
	c.openWith(`"skillId":"2210"`)
	g.must("POST", "/sim/conversations/"+c.conv+"/close", `{"survey":false}`, nil)
	require.Equal(t, "CLOSE", c.detail().Stage)
	for _, field := range []string{"ConversationStateField", "Stage"} {
		c := g.consumer("closed by " + field)
		c.features = surveyable
		c.openWith(`"skillId":"2210"`)
		status, b := c.send(fieldOf(c.conv, `{"field":"`+field+`","conversationState":"CLOSE"}`))
		require.Equal(t, 200, status, b)
		require.Equal(t, "CLOSE", c.detail().Stage, "it ends everything")
	}
}

func TestSurveyAsksAgain(t *testing.T) {
	t.Parallel()
	g, c, dialog := asking(t, `{"survey":{"on":true,"greeting":"","questions":[{"kind":"csat","text":"How was it?"},{"kind":"text","text":"Anything else?"}]}}`)
	status, _ := c.send(textOf(dialog, "5", "own-id"))
	require.Equal(t, 200, status)
	d := c.detail()
	require.Empty(t, d.SurveyRun.Results, "words without the reply's metadata are no answer")
	q, chips := lastQuestion(t, d)
	require.Equal(t, 4, q.Sequence, "question, answer, read, a hint, and the question again")
	status, b := c.send(publishOf(dialog, `{"type":"ContentEvent","contentType":"text/plain","message":"4"}`, `,"metadata":[{"type":"Answer","id":"q1-a4"}]`))
	require.Equal(t, 200, status, b)
	require.Empty(t, c.detail().SurveyRun.Results, "nor is metadata that was made up")
	require.EqualValues(t, 1, g.sim.totals().Warnings["Answer metadata is not that of a reply to this question"])
	status, _ = c.send(publishOf(dialog, `{"type":"ContentEvent","contentType":"text/plain","message":"2"}`, `,"metadata":`+chips[1]))
	require.Equal(t, 200, status)
	require.Equal(t, 1, c.detail().Counters.ClicksNoAction)
	status, _ = c.send(textOf(dialog, "Nothing more", ""))
	require.Equal(t, 200, status)
	d = c.detail()
	require.Equal(t, []SurveyResult{{Question: "q1", Kind: "csat", Answer: "q1-a2", Text: "2", Asked: 3}, {Question: "q2", Kind: "text", Text: "Nothing more", Asked: 1}}, d.SurveyRun.Results)
	require.Equal(t, surveyCompleted, d.Survey)
}

func TestSurveyEnds(t *testing.T) {
	t.Parallel()
	_, c, dialog := asking(t, `{"survey":{"on":true}}`)
	status, _ := c.send(textOf(dialog, "Skip", ""))
	require.Equal(t, 200, status)
	require.True(t, c.detail().SurveyRun.Results[0].Skipped)
	status, b := c.send(fieldOf(c.conv, `{"field":"Stage","conversationState":"CLOSE"}`))
	require.Equal(t, 200, status, b)
	d := c.detail()
	require.Equal(t, []string{surveyLeft, "CLOSE", "CONSUMER"}, []string{d.Survey, d.Stage, d.CloseReason})
	require.Equal(t, "CLOSE", d.Dialogs[1].State)
	status, _ = c.send(textOf(dialog, "late", ""))
	require.Equal(t, 400, status)
	c.openWith(`"skillId":"2210"`)

	_, c, _ = asking(t, `{"survey":{"on":true,"timeoutMs":30}}`)
	eventually(t, "timed out", func() bool { return c.detail().Survey == surveyTimedOut })
	require.Equal(t, "CLOSE", c.detail().Stage)
}

func TestSurveyByTheAgent(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"survey":{"on":true,"accounts":["main"],"parse":true}}`)
	c := g.consumer("ada")
	c.features = surveyable
	c.openWith(`"skillId":"2210"`)
	act := "/sim/conversations/" + c.conv + "/"
	g.must("POST", act+"text", `{"text":"Bye"}`, nil)
	g.must("POST", act+"close", ``, nil)
	require.Equal(t, 409, g.control("POST", act+"text", `{"text":"One more thing"}`, nil))
	d := c.detail()
	require.Equal(t, []string{"AGENT", "CLOSE", "OPEN"}, []string{d.CloseReason, d.State, d.Stage})
	status, _ := c.send(textOf(d.SurveyRun.Dialog, "5", ""))
	require.Equal(t, 200, status)
	require.Equal(t, 5, *c.detail().SurveyRun.CSAT, "told to, the bot reads what was typed")
	g.must("POST", act+"close", `{"survey":false}`, nil)
	require.Equal(t, "CLOSE", c.detail().Stage)

	var next done
	g.must("POST", act+"reopen", `{"mode":"new"}`, &next)
	g.must("POST", "/sim/conversations/"+next.Conversation+"/close", ``, nil)
	c.conv = next.Conversation
	require.Equal(t, surveyOpen, c.detail().Survey, "resumed, the consumer's client declares what it did")
}
