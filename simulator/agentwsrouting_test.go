package simulator

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSubscribeRoutingTasks(t *testing.T) {
	t.Parallel()
	at := newClock(time.UnixMilli(1_717_490_000_000))
	g := newRig(t, "", WithClock(at.now))
	conv := g.consumer("mira").open()
	p := g.agent("bot")
	const kind = ".ams.routing.SubscribeRoutingTasks"
	p.refused(kind, `{}`, "channelType must be MESSAGING")
	p.refused(kind, `{"channelType":"MESSAGING","agentId":"x","brandId":"`+site+`"}`, "agentId is not the agent who is logged in")
	p.refused(kind, fmt.Sprintf(`{"channelType":"MESSAGING","agentId":%q,"brandId":"x"}`, p.old), "brandId is not the account")
	p.online()
	task := p.rung(conv, ringWaiting)
	require.Equal(t, []string{"brandId", "consumerId", "conversationId", "ringsDetails", "routingTaskId", "skillId", "taskCompleted"}, names(task))
	require.Equal(t, false, task["taskCompleted"])
	require.Equal(t, consumerID(site, "mira"), task["consumerId"])
	require.Equal(t, "-1", task["skillId"])
	require.Equal(t, site, task["brandId"])
	r := ringOf(task)
	require.Equal(t, []string{"brandId", "consumerId", "convId", "ringExpiration", "ringExpirationTs", "ringId", "ringState", "skillId", "weight"}, names(r))
	require.EqualValues(t, 72_000, r["ringExpiration"])
	require.EqualValues(t, 1_717_490_072_000, r["ringExpirationTs"])
	require.EqualValues(t, 1_717_490_000_000, r["weight"])
	n := p.await("envelope", func(f frame) bool { return f.Type == tasksType })
	require.Equal(t, []string{"changes", "subscriptionId"}, names(n.raw["body"].(map[string]any)))
}

func TestUpdateRingState(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot").online()
	conv := g.consumer("mira").open()
	const kind = ".ams.routing.UpdateRingState"
	p.refused(kind, `{}`, "ringId is required")
	p.refused(kind, `{"ringId":"x","ringState":"MAYBE"}`, "ringState must be ACCEPTED or REJECTED")
	p.refused(kind, `{"ringId":"x","ringState":"ACCEPTED"}`, "the ring does not wait for this agent")
	p.accepts(conv)
	task := p.rung(conv, ringAccepted)
	require.Equal(t, true, task["taskCompleted"])
	require.Equal(t, p.old, task["assignedAgentId"])
	var d DetailView
	g.must("GET", "/sim/conversations/"+conv, "", &d)
	require.Equal(t, "bot", d.Agent)
	p.refused(kind, fmt.Sprintf(`{"ringId":%q,"ringState":"ACCEPTED"}`, ringOf(task)["ringId"]), "the ring does not wait for this agent")
	eventually(t, "the app hears of the agent by the new id", func() bool {
		for _, n := range g.parley.notifications(t) {
			if c := change(n); n["type"] == "cqm.ExConversationChangeNotification" && hasRole(c["result"], p.pid, roleAgent) {
				return true
			}
		}
		return false
	})
}

func hasRole(result any, id, role string) bool {
	for _, p := range result.(map[string]any)["conversationDetails"].(map[string]any)["participants"].([]any) {
		if m := p.(map[string]any); m["id"] == id && m["role"] == role {
			return true
		}
	}
	return false
}

func TestARejectedRingGoesToTheNextAgent(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	agents := []*agentProgram{g.agent("Dana").online(), g.agent("bot").online()}
	conv := g.consumer("mira").open()
	id := ringOf(agents[0].rung(conv, ringWaiting))["ringId"].(string)
	require.Zero(t, agents[1].count(func(f frame) bool { return f.Type == tasksType }))
	agents[1].refused(".ams.routing.UpdateRingState", fmt.Sprintf(`{"ringId":%q,"ringState":"ACCEPTED"}`, id), "the ring does not wait for this agent")
	agents[0].must(".ams.routing.UpdateRingState", fmt.Sprintf(`{"ringId":%q,"ringState":"REJECTED"}`, id), textResponse)
	agents[0].rung(conv, ringRejected)
	agents[1].accepts(conv)
}

func TestAnExpiredRingGoesToTheNextAgentAndTheOneWithLessToDoIsAskedFirst(t *testing.T) {
	t.Parallel()
	g := newRigOf(t, func(c *Config) { c.Desk.Ring = 100 * time.Millisecond })
	dana := g.agent("Dana").online()
	g.must("POST", "/sim/conversations/"+g.consumer("first").open()+"/join", `{"agent":"Dana"}`, nil)
	bot := g.agent("bot").online()
	conv := g.consumer("mira").open()
	bot.rung(conv, ringWaiting)
	bot.rung(conv, ringExpired)
	dana.rung(conv, ringWaiting)
}

func TestARingIsCancelledWhenTheConversationIsTakenOrOver(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot").online()
	taken, over := g.consumer("taken").open(), g.consumer("over").open()
	p.rung(taken, ringWaiting)
	p.rung(over, ringWaiting)
	g.must("POST", "/sim/conversations/"+taken+"/join", `{"agent":"Robin"}`, nil)
	g.must("POST", "/sim/conversations/"+over+"/close", `{}`, nil)
	require.Equal(t, true, p.rung(taken, ringCancelled)["taskCompleted"])
	require.Equal(t, true, p.rung(over, ringCancelled)["taskCompleted"])
}

func TestRingsOfAnAgentWhoLeavesGoElsewhere(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	dana, bot := g.agent("Dana").online(), g.agent("bot").online()
	conv := g.consumer("mira").open()
	dana.rung(conv, ringWaiting)
	require.NoError(t, dana.ws.CloseNow())
	bot.accepts(conv)
	var out struct{ Agents []AgentView }
	g.must("GET", "/sim/accounts/main/agents", "", &out)
	require.Equal(t, AgentView{Name: "Dana", ID: dana.pid, OldID: dana.old, State: away}, out.Agents[0])
	require.Equal(t, AgentView{Name: "bot", ID: bot.pid, OldID: bot.old, State: available, Connections: 1}, out.Agents[2])
}

func TestSetAgentState(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot")
	const kind = ".ams.routing.SetAgentState"
	p.refused(kind, p.stateBody("BUSY"), "availability must be ONLINE, OCCUPIED or AWAY")
	p.refused(kind, `{"availability":"ONLINE","channels":["CHAT"],"agentUserId":"`+p.old+`"}`, `channels must be ["MESSAGING"]`)
	p.refused(kind, `{"availability":"ONLINE","channels":["MESSAGING"],"agentUserId":"x"}`, "agentUserId is not the agent who is logged in")
	f := p.must(kind, p.stateBody("AWAY"), textResponse)
	require.JSONEq(t, `"Agent state updated successfully"`, string(f.Body))
	p.must(".ams.routing.SubscribeRoutingTasks", fmt.Sprintf(`{"channelType":"MESSAGING","agentId":%q,"brandId":%s}`, p.old, site), ".ams.routing.SubscribeRoutingTasks$Response")
	conv := g.consumer("mira").open()
	p.must(".GetClock", "{}", ".GetClock$Response")
	require.Zero(t, p.count(func(f frame) bool { return f.Type == tasksType }))
	p.must(kind, p.stateBody("ONLINE"), textResponse)
	p.rung(conv, ringWaiting)
}

func TestSubscribeAgentsState(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot")
	const kind, wanted = ".ams.routing.SubscribeAgentsState", "brandId and agentId must be those of the agent who is logged in"
	p.refused(kind, `{}`, wanted)
	p.must(kind, fmt.Sprintf(`{"brandId":%q,"agentId":%q}`, site, p.old), kind+"$Response")
	const notified = ".ams.routing.AgentStateNotification"
	is := func(state string) func(string, map[string]any) bool {
		return func(_ string, r map[string]any) bool { return r["availability"] == state }
	}
	p.awaitChange(notified, is("AWAY"))
	p.must(".ams.routing.SetAgentState", p.stateBody("OCCUPIED"), textResponse)
	r := p.awaitChange(notified, is("OCCUPIED"))
	require.Equal(t, map[string]any{"availability": "OCCUPIED", "channels": []any{"MESSAGING"}, "description": "", "agentUserId": p.old}, r)
}
