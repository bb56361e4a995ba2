package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

func TestASocketWantsAKnownAccountAndVersion(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot")
	for path, want := range map[string]int{
		"/ws_api/account/nobody/messaging/brand/" + p.bearer + "?v=2.1":     http.StatusNotFound,
		"/ws_api/account/" + site + "/messaging/brand/" + p.bearer:          http.StatusBadRequest,
		"/ws_api/account/" + site + "/messaging/brand/" + p.bearer + "?v=1": http.StatusBadRequest,
	} {
		_, res, err := websocket.Dial(context.Background(), "ws"+strings.TrimPrefix(g.url, "http")+path, nil)
		require.Error(t, err)
		require.Equal(t, want, res.StatusCode, path)
	}
}

func TestASocketWithAStrangersTokenClosesWith4401(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := &agentProgram{g: g, bearer: "stranger"}
	p.connect("2.1")
	require.Equal(t, websocket.StatusCode(4401), p.ends())
}

func TestASessionThatEndsClosesWith4407(t *testing.T) {
	t.Parallel()
	at := newClock(time.Now())
	g := newRig(t, "", WithClock(at.now))
	p := g.agent("bot")
	p.must(".GetClock", "{}", ".GetClock$Response")
	at.move(2 * time.Hour)
	p.send(".GetClock", "{}", "")
	require.Equal(t, websocket.StatusCode(4407), p.ends())
}

func TestASessionEndsByItself(t *testing.T) {
	t.Parallel()
	g := newRigOf(t, func(c *Config) { c.Desk.Session = 300 * time.Millisecond })
	require.Equal(t, websocket.StatusCode(4407), g.agent("bot").ends())
}

func TestLogoutClosesWithTheCodeAskedFor(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	bot, dana := g.agent("bot"), g.agent("Dana")
	var out struct{ Closed int }
	g.must("POST", "/sim/accounts/main/agents/logout", `{"agent":"bot","code":1011}`, &out)
	require.Equal(t, 1, out.Closed)
	require.Equal(t, websocket.StatusInternalError, bot.ends())
	dana.must(".GetClock", "{}", ".GetClock$Response")
	again := &agentProgram{g: g, bearer: bot.bearer}
	again.connect("2.1")
	require.Equal(t, websocket.StatusCode(4401), again.ends())
}

func TestFramesThatAreNoRequestsAreRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot")
	for _, raw := range []string{`{`, `{"kind":"resp","id":"1","type":".GetClock"}`, `{"kind":"req","type":".GetClock"}`, `[]`} {
		before := p.count(func(f frame) bool { return f.Code == 400 })
		require.NoError(t, p.ws.Write(context.Background(), websocket.MessageText, []byte(raw)))
		eventually(t, raw, func() bool { return p.count(func(f frame) bool { return f.Code == 400 }) == before+1 })
	}
	p.refused(".ams.cm.Nonsense", "{}", "unknown type of request")
}

func TestGetClock(t *testing.T) {
	t.Parallel()
	at := newClock(time.UnixMilli(1_717_490_000_000))
	g := newRig(t, "", WithClock(at.now))
	f := g.agent("bot").must(".GetClock", "{}", ".GetClock$Response")
	require.JSONEq(t, `{"currentTime":1717490000000}`, string(f.Body))
}

func TestSubscribeExConversations(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	mira := g.consumer("mira")
	before := mira.open()
	_, _ = mira.send(textOf(before, "Hello", ""))
	p := g.agent("bot")
	for _, bad := range []string{`{}`, `{"convState":[]}`, `{"convState":"OPEN"}`} {
		p.refused(".ams.aam.SubscribeExConversations", bad, "convState is required")
	}
	p.refused(".ams.aam.SubscribeExConversations", `{"convState":["LOCKED"]}`, "convState holds OPEN or CLOSE")

	f := p.must(".ams.aam.SubscribeExConversations", `{"convState":["OPEN"]}`, ".ams.aam.SubscribeExConversations$Response")
	var sub struct {
		SubscriptionID string `json:"subscriptionId"`
	}
	require.NoError(t, json.Unmarshal(f.Body, &sub))
	require.NotEmpty(t, sub.SubscriptionID)

	r := p.awaitChange(changesType, func(kind string, r map[string]any) bool { return kind == "UPSERT" && r["convId"] == before })
	require.ElementsMatch(t, []string{"conversationDetails", "convId", "effectiveTTR", "lastContentEventNotification", "numberOfunreadMessages"}, names(r))
	d := r["conversationDetails"].(map[string]any)
	lp := consumerID(site, "mira")
	require.Equal(t, map[string]any{"CONSUMER": []any{lp}}, d["participants"])
	require.Equal(t, map[string]any{"CONSUMER": []any{lp}}, d["participantsPId"])
	require.Equal(t, "OPEN", d["state"])
	dialog := d["dialogs"].([]any)[0].(map[string]any)
	require.Equal(t, []any{map[string]any{"id": lp, "role": "CONSUMER", "state": "ACTIVE"}}, dialog["participantsDetails"])
	last := r["lastContentEventNotification"].(map[string]any)
	require.Equal(t, "Hello", last["event"].(map[string]any)["message"])
	n := p.await("envelope", func(f frame) bool { return f.Type == changesType })
	require.Equal(t, []string{"body", "kind", "type"}, names(n.raw))
	require.Equal(t, sub.SubscriptionID, n.raw["body"].(map[string]any)["subscriptionId"])

	later := g.consumer("later").open()
	p.awaitChange(changesType, func(kind string, r map[string]any) bool { return kind == "UPSERT" && r["convId"] == later })
	g.must("POST", "/sim/conversations/"+later+"/close", `{}`, nil)
	gone := p.awaitChange(changesType, func(kind string, r map[string]any) bool { return kind == "DELETE" && r["convId"] == later })
	require.Equal(t, "CLOSE", gone["conversationDetails"].(map[string]any)["state"])
}

func TestUnsubscribeExConversations(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot")
	f := p.must(".ams.aam.SubscribeExConversations", `{"convState":["OPEN"]}`, ".ams.aam.SubscribeExConversations$Response")
	p.refused(".ams.aam.UnsubscribeExConversations", `{"subscriptionId":"other"}`, "unknown subscriptionId")
	f = p.must(".ams.aam.UnsubscribeExConversations", string(f.Body), ".ams.aam.UnsubscribeExConversations$Response")
	require.JSONEq(t, `{}`, string(f.Body))
	g.consumer("mira").open()
	p.must(".GetClock", "{}", ".GetClock$Response") // what came before it would be there
	require.Zero(t, p.count(func(f frame) bool { return f.Type == changesType }))
}

func TestASubscriptionCanBeForSomeAgentsOnly(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot").online()
	p.must(".ams.aam.SubscribeExConversations", fmt.Sprintf(`{"convState":["OPEN"],"agentIds":[%q]}`, p.old), ".ams.aam.SubscribeExConversations$Response")
	others := g.consumer("other").open()
	p.rung(others, ringWaiting)
	mine := g.consumer("mira").open()
	p.accepts(mine)
	r := p.awaitChange(changesType, func(kind string, r map[string]any) bool { return kind == "UPSERT" && r["convId"] == mine })
	require.Equal(t, map[string]any{"CONSUMER": []any{consumerID(site, "mira")}, "ASSIGNED_AGENT": []any{p.old}}, r["conversationDetails"].(map[string]any)["participants"])
	require.Equal(t, []any{p.pid}, r["conversationDetails"].(map[string]any)["participantsPId"].(map[string]any)["ASSIGNED_AGENT"])
	require.Zero(t, p.count(func(f frame) bool { return f.Type == changesType && strings.Contains(string(f.Body), others) }))
	g.must("POST", "/sim/conversations/"+mine+"/transfer", `{"skill":"2211"}`, nil)
	p.awaitChange(changesType, func(kind string, r map[string]any) bool { return kind == "DELETE" && r["convId"] == mine })
}

func TestQueryMessages(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	mira := g.consumer("mira")
	conv := mira.open()
	_, _ = mira.send(textOf(conv, "one", "id-1"))
	_, _ = mira.send(textOf(conv, "two", ""))
	p := g.agent("bot")
	p.refused(".ams.ms.QueryMessages", `{}`, "dialogId is required")
	p.refused(".ams.ms.QueryMessages", `{"dialogId":"none"}`, "unknown dialog")
	f := p.must(".ams.ms.QueryMessages", fmt.Sprintf(`{"dialogId":%q,"newerThanSequence":0}`, conv), ".ams.ms.QueryMessages$Response")
	var past []map[string]any
	require.NoError(t, json.Unmarshal(f.Body, &past))
	require.Len(t, past, 2)
	require.Equal(t, []string{
		"conversationId", "dialogId", "event", "metadata", "originatorId", "originatorMetadata", "originatorPId", "sequence", "serverTimestamp",
	}, names(past[0]))
	lp := consumerID(site, "mira")
	require.Equal(t, lp, past[0]["originatorId"])
	require.Equal(t, lp, past[0]["originatorPId"])
	require.Equal(t, map[string]any{"id": lp, "role": "CONSUMER"}, past[0]["originatorMetadata"])
	require.EqualValues(t, 0, past[0]["sequence"])
	f = p.must(".ams.ms.QueryMessages", fmt.Sprintf(`{"dialogId":%q,"newerThanSequence":1}`, conv), ".ams.ms.QueryMessages$Response")
	require.NoError(t, json.Unmarshal(f.Body, &past))
	require.Len(t, past, 1)

	_, _ = mira.send(textOf(conv, "three", "")) // the bot takes no part, but has asked
	c := p.heard(conv, saying("three"))
	require.Equal(t, []string{
		"conversationId", "dialogId", "event", "originatorId", "originatorMetadata", "originatorPId", "sequence", "serverTimestamp",
	}, names(c))
	require.EqualValues(t, 2, c["sequence"])
}

func TestGetUserProfile(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	mira := g.consumer("mira")
	status, b := g.do("POST", openPath, mira.header(), `[{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"firstname":"Mira","lastname":"Kahn"}}]}}},{"kind":"req","id":"2","type":"cm.ConsumerRequestConversation","body":{"brandId":"`+site+`"}}]`)
	require.Equal(t, 200, status, b)
	p := g.agent("bot")
	lp := consumerID(site, "mira")
	for _, body := range []string{fmt.Sprintf("%q", lp), fmt.Sprintf(`{"userId":%q}`, lp)} {
		f := p.must(".ams.userprofile.GetUserProfile", body, ".ams.userprofile.GetUserProfile$Response")
		require.JSONEq(t, `{"userId":"`+lp+`","authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"firstname":"Mira","lastname":"Kahn"}}]},"claims":{},"privateData":{}}`, string(f.Body))
	}
	p.refused(".ams.userprofile.GetUserProfile", `"nobody"`, "unknown consumer")
	p.refused(".ams.userprofile.GetUserProfile", `{}`, "body is the consumer's id")
}

func TestAgentRequestConversation(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	conv := g.consumer("mira").open()
	p := g.agent("bot")
	lp := consumerID(site, "mira")
	body := fmt.Sprintf(`{"channelType":"MESSAGING","consumerId":%q,"conversationContext":{"type":"ProactiveContext","originConversationId":%q}}`, lp, conv)
	const kind = ".ams.cm.AgentRequestConversation"
	p.refused(kind, body, "the consumer has an open conversation")
	p.refused(kind, `{"channelType":"MESSAGING"}`, "conversationContext is required")
	p.refused(kind, strings.Replace(body, "MESSAGING", "CHAT", 1), "channelType must be MESSAGING")
	p.refused(kind, strings.Replace(body, "ProactiveContext", "Other", 1), "conversationContext.type must be ProactiveContext")
	p.refused(kind, strings.Replace(body, lp, "nobody", 1), "originConversationId is not a conversation of the consumer's")
	g.must("POST", "/sim/conversations/"+conv+"/close", `{}`, nil)
	f := p.must(kind, body, kind+"$Response")
	var out map[string]string
	require.NoError(t, json.Unmarshal(f.Body, &out))
	require.Len(t, out, 1)
	var d DetailView
	g.must("GET", "/sim/conversations/"+out["conversationId"], "", &d)
	require.Equal(t, conv, d.Origin)
	require.Equal(t, "bot", d.Agent)
	require.JSONEq(t, `{"type":"ProactiveContext","originConversationId":"`+conv+`"}`, string(d.Context))
}
