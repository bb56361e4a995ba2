package simulator

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The order of notifications of a whole conversation, as the reference has it.
func TestWholeConversation(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("sms:" + number1)
	status, b := g.do("POST", openPath, c.header(), strings.Replace(openBody, `"body":{}`,
		`"body":{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"firstname":"Mira","lastname":"Kahn"}}]}}`, 1))
	require.Equal(t, 200, status, b)
	require.Contains(t, b, `"msg":"OK User Profile set successfully"`)
	var list struct{ Conversations []ConversationView }
	g.must("GET", "/sim/conversations", "", &list)
	c.conv = list.Conversations[0].ID
	require.Equal(t, "Mira Kahn", list.Conversations[0].Name)

	status, b = c.send(textOf(c.conv, "Grüezi 👋", "id-1"))
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"code":"OK","reqId":"1","body":{"sequence":0}}`, b)
	_, b = c.send(publishOf(c.conv, `{"type":"ChatStateEvent","chatState":"COMPOSING"}`, ""))
	require.JSONEq(t, `{"code":"OK","reqId":"1","body":{"sequence":0}}`, b)

	act := "/sim/conversations/" + c.conv + "/"
	g.must("POST", act+"join", `{"agent":"Dana"}`, nil)
	g.must("POST", act+"read", ``, nil)                                 // sequence 1
	g.must("POST", act+"typing", `{"on":true}`, nil)                    // none
	g.must("POST", act+"text", `{"text":"It ships\ntomorrow.\n"}`, nil) // 2
	g.must("POST", act+"private", `{"text":"a note"}`, nil)             // 3
	_, b = c.send(publishOf(c.conv, `{"type":"AcceptStatusEvent","status":"READ","sequenceList":[2]}`, ""))
	require.Contains(t, b, `"sequence":4`)
	g.must("POST", act+"transfer", `{"skill":"2211"}`, nil)
	status, b = c.send(fieldOf(c.conv, closeField))
	require.Equal(t, 200, status)
	require.Contains(t, b, "OK Conversation resolved successfully")
	status, b = c.send(fieldOf(c.conv, `{"field":"CSATRate","csatRate":5,"csatResolutionConfirmation":true,"status":"FILLED"}`))
	require.Equal(t, 200, status, b)

	eventually(t, "all webhooks", func() bool { return g.sim.totals().Webhooks.Delivered == 12 })
	all := g.parley.notifications(t)
	var kinds []string
	version := float64(0)
	for _, n := range all {
		require.Equal(t, "notification", n["kind"])
		if n["type"] == "cqm.ExConversationChangeNotification" {
			d := change(n)["result"].(map[string]any)["conversationDetails"].(map[string]any)
			v := d["metaDataLastUpdateTs"].(float64)
			require.Greater(t, v, version, "snapshots are ordered by their version")
			version = v
			kinds = append(kinds, "change "+d["stage"].(string)+" "+d["skillId"].(string))
			require.NotEmpty(t, d["dialogs"])
			continue
		}
		ch := change(n)
		e := ch["event"].(map[string]any)
		kinds = append(kinds, ch["originatorMetadata"].(map[string]any)["role"].(string)+" "+e["type"].(string))
		_, numbered := ch["sequence"]
		require.Equal(t, e["type"] != chatEvent, numbered)
	}
	require.Equal(t, []string{
		"change OPEN -1", "CONSUMER ContentEvent", "CONSUMER ChatStateEvent", "change OPEN -1", "ASSIGNED_AGENT AcceptStatusEvent",
		"ASSIGNED_AGENT ChatStateEvent", "ASSIGNED_AGENT ContentEvent", "ASSIGNED_AGENT ContentEvent", "CONSUMER AcceptStatusEvent",
		"change OPEN 2211", "change CLOSE 2211", "change CLOSE 2211",
	}, kinds)
	echo := change(all[1])
	require.Equal(t, []any{map[string]any{"type": "ExternalId", "id": "id-1"}}, echo["metadata"])
	require.Equal(t, consumerID(site, "sms:"+number1), echo["originatorId"])
	require.Equal(t, "AGENTS_AND_MANAGERS", change(all[7])["messageAudience"])
	last := change(all[11])["result"].(map[string]any)["conversationDetails"].(map[string]any)
	require.Equal(t, map[string]any{"csatRate": 5.0, "csatResolutionConfirmation": true, "status": "FILLED"}, last["csat"])
	require.Equal(t, "CONSUMER", last["closeReason"])

	var d DetailView
	g.must("GET", "/sim/conversations/"+c.conv, "", &d)
	require.Len(t, d.Transcript, 5)
	for i, e := range d.Transcript {
		require.Equal(t, i, e.Sequence)
	}
	require.True(t, d.Transcript[0].Read, "the agent read the consumer's message")
	require.True(t, d.Transcript[2].Read, "the consumer read the agent's message")
	require.Equal(t, map[string]int{"id-1": 1}, d.Counters.ByExternalID)
	require.EqualValues(t, 12, d.Counters.Webhooks.Delivered)
	for _, a := range g.parley.all() {
		require.Equal(t, "/webhooks/liveperson/main", a.path)
		require.Equal(t, cloudSignature("sha1-base64", secret, a.body), a.header.Get("x-liveperson-signature"))
		require.Equal(t, site, a.header.Get("x-liveperson-account-id"))
		require.Equal(t, client, a.header.Get("x-liveperson-client-id"))
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	act := "/sim/conversations/" + c.conv + "/"
	require.Equal(t, 409, g.control("POST", act+"reopen", `{"mode":"same"}`, nil))
	g.must("POST", act+"close", `{"reason":"TIMEOUT"}`, nil)
	require.Equal(t, 409, g.control("POST", act+"text", `{"text":"x"}`, nil))
	g.must("POST", act+"reopen", `{"mode":"same"}`, nil)
	status, _ := c.send(textOf(c.conv, "again", ""))
	require.Equal(t, 200, status)
	g.must("POST", act+"close", ``, nil)
	var d done
	g.must("POST", act+"reopen", `{"mode":"new"}`, &d)
	require.NotEqual(t, c.conv, d.Conversation)
	var v DetailView
	g.must("GET", "/sim/conversations/"+d.Conversation, "", &v)
	require.Equal(t, c.conv, v.Origin)
	require.Contains(t, string(v.Context), "ProactiveContext")
	status, _ = c.send(textOf(d.Conversation, "hello", ""))
	require.Equal(t, 200, status)
	status, b := c.send(textOf(c.conv, "to the old one", ""))
	require.Equal(t, 400, status, b)
}

func TestAutoAgentAnswersInOrder(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"autoAgent":{"join":true,"read":true,"echo":true}}`)
	c := g.consumer("ada")
	c.open()
	for _, text := range []string{"one", "two", "three"} {
		status, _ := c.send(textOf(c.conv, text, ""))
		require.Equal(t, 200, status)
	}
	var d DetailView
	g.must("GET", "/sim/conversations/"+c.conv, "", &d)
	var agent []string
	for _, e := range d.Transcript {
		if e.Role == roleAgent && e.Type == contentEvent {
			agent = append(agent, e.Text)
		}
	}
	require.Equal(t, []string{"echo: one", "echo: two", "echo: three"}, agent)
}

func TestRawNotificationsAreSignedAsTheyAre(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"signature":"sha256-hex"}`)
	raw := "{ \"kind\":\"notification\",\n \"weird\": true }"
	var d delivery
	g.must("POST", "/sim/accounts/main/emit?copies=2", raw, &d)
	require.Equal(t, 200, d.Status)
	g.must("POST", "/sim/accounts/"+site+"/emit?signature=bad", raw, nil)
	g.must("POST", "/sim/accounts/main/emit?signature=none", raw, nil)
	all := g.parley.all()
	require.Len(t, all, 4)
	good := cloudSignature("sha256-hex", secret, []byte(raw))
	require.Equal(t, raw, string(all[0].body))
	require.Equal(t, good, all[1].header.Get("x-liveperson-signature"))
	require.NotEqual(t, good, all[2].header.Get("x-liveperson-signature"))
	require.Empty(t, all[3].header.Get("x-liveperson-signature"))
}

func TestEventOfAnyKind(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	var d done
	g.must("POST", "/sim/conversations/"+c.conv+"/event",
		`{"event":{"type":"RichContentEvent","content":{"type":"text","text":"x"}},"metadata":[{"type":"ExternalId","id":"T"}]}`, &d)
	require.Equal(t, 0, *d.Sequence)
	eventually(t, "webhook", func() bool { return len(g.parley.all()) == 3 })
	ch := change(g.parley.notifications(t)[2])
	require.Equal(t, "RichContentEvent", ch["event"].(map[string]any)["type"])
	require.NotNil(t, ch["metadata"])
}

func TestReset(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	g.must("POST", "/sim/phones/sms/"+url.PathEscape(number1)+"/text", `{"text":"hi"}`, nil)
	g.must("PATCH", "/sim/faults", `{"webhooks":{"early":true}}`, nil)
	g.must("POST", "/sim/reset", "", nil)
	var s State
	g.must("GET", "/sim/state", "", &s)
	require.Zero(t, s.Accounts[0].Conversations)
	require.Zero(t, s.Channels[0].Phones)
	require.Zero(t, s.Counters.Webhooks.Queued)
	require.False(t, s.Faults.Webhooks.Early)
	require.NotEmpty(t, c.open(), "tokens outlive a reset")
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	clock := newClock(now)
	g := newRig(t, `{"appJwtLifetimeSec":60}`, WithClock(clock.now))
	c := g.consumer("ada")
	c.open()
	ok := func() int { status, _ := c.send(textOf(c.conv, "x", "")); return status }
	require.Equal(t, 200, ok())
	clock.move(59 * time.Second)
	require.Equal(t, 200, ok())
	clock.move(2 * time.Second)
	status, b := c.send(textOf(c.conv, "x", ""))
	require.Equal(t, 401, status)
	require.Contains(t, b, "40102")
	c.app = g.app()
	require.Equal(t, 200, ok(), "the ConsumerJWS never expires")
	g.must("POST", "/sim/expire-tokens", "", nil)
	require.Equal(t, 401, ok())
	c.app = g.app()
	require.Equal(t, 200, ok())
	g.must("POST", "/sim/revoke-jws", `{"account":"main","consumer":"ada"}`, nil)
	status, b = c.send(textOf(c.conv, "x", ""))
	require.Equal(t, 401, status)
	require.Contains(t, b, "40103")
	c.jws = g.jws(c.app, "ada")
	require.Equal(t, 200, ok())
}
