package simulator

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

const updateType = ".ams.cm.UpdateConversationField"

func fieldsOf(conv, entries string) string {
	return fmt.Sprintf(`{"conversationId":%q,"conversationField":[%s]}`, conv, entries)
}

func (p *agentProgram) change(role, kind string) string {
	return fmt.Sprintf(`{"field":"ParticipantsChange","type":%q,"role":%q,"userId":%q}`, kind, role, p.old)
}

func (p *agentProgram) updated(conv, entries, want string) {
	p.g.t.Helper()
	f := p.must(updateType, fieldsOf(conv, entries), textResponse)
	require.JSONEq(p.g.t, string(marshal(want)), string(f.Body))
}

func (g *rig) detail(conv string) DetailView {
	g.t.Helper()
	var d DetailView
	g.must("GET", "/sim/conversations/"+conv, "", &d)
	return d
}

func TestUpdateConversationFieldIsStrict(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	conv := mira.conv
	closing := `{"field":"ConversationStateField","conversationState":"CLOSE"}`
	p.refused(updateType, `{}`, "conversationId is required")
	p.refused(updateType, fmt.Sprintf(`{"conversationId":%q,"conversationField":%s}`, conv, closing), "conversationField must be an array")
	p.refused(updateType, fieldsOf(conv, ""), "conversationField must be an array")
	p.refused(updateType, fieldsOf("none", closing), "unknown conversation")
	p.refused(updateType, fieldsOf(conv, `{"field":"Colour"}`), "unknown field")
	p.refused(updateType, fieldsOf(conv, `{"field":"ConversationStateField","conversationState":"OPEN"}`), "conversationState must be CLOSE")
	p.refused(updateType, fieldsOf(conv, `{"field":"Skill","skill":"2211"}`), "Skill needs type UPDATE and skill")
	p.refused(updateType, fieldsOf(conv, `{"field":"DialogChange","type":"UPDATE"}`), "dialog.state must be CLOSE")
	p.refused(updateType, fieldsOf(conv, `{"field":"DialogChange","type":"UPDATE","dialog":{"dialogId":"x","state":"CLOSE"}}`), "dialog.dialogId must be the main dialog's")
	p.refused(updateType, fieldsOf(conv, p.change("OWNER", "ADD")), "role must be ASSIGNED_AGENT, MANAGER or READER")
	p.refused(updateType, fieldsOf(conv, p.change("MANAGER", "REMOVE")), notInside)
	p.refused(updateType, fieldsOf(conv, `{"field":"ParticipantsChange","type":"ADD","role":"MANAGER","userId":"x"}`), "userId is not an agent of the account")
	dana := g.agent("Dana")
	dana.refused(updateType, fieldsOf(conv, closing), notInside)
	dana.refused(updateType, fieldsOf(conv, dana.change("ASSIGNED_AGENT", "ADD")), "the conversation has an assigned agent")
	dana.refused(updateType, fieldsOf(conv, dana.change("ASSIGNED_AGENT", "SUGGEST")), "only a conversation without an assigned agent can be suggested to one")
	require.Equal(t, "bot", g.detail(conv).Agent)

	p.updated(conv, closing, "OK Conversation resolved successfully")
	require.Equal(t, "CLOSE", g.detail(conv).Stage)
	require.Equal(t, "AGENT", g.detail(conv).CloseReason)
	p.refused(updateType, fieldsOf(conv, closing), isClosed)
}

func TestAManagerJoinsWritesAndLeaves(t *testing.T) {
	t.Parallel()
	g, _, mira := seated(t, "")
	conv := mira.conv
	dana := g.agent("Dana")
	dana.updated(conv, dana.change("MANAGER", "ADD"), "OK Agent added successfully")
	dana.publish(conv, `{"type":"ContentEvent","contentType":"text/plain","message":"I am the manager"}`, "")
	c := g.told(saying("I am the manager"))
	require.Equal(t, "MANAGER", c["originatorMetadata"].(map[string]any)["role"])
	_, _ = mira.send(textOf(conv, "Thank you", ""))
	dana.heard(conv, saying("Thank you")) // who takes part hears, without asking
	dana.updated(conv, dana.change("MANAGER", "REMOVE"), "OK Agent removed successfully")
	require.Len(t, g.detail(conv).Participants, 2)
}

func TestAReaderReadsOnly(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	dana := g.agent("Dana")
	dana.updated(mira.conv, dana.change("READER", "ADD"), "OK Agent added successfully")
	p.publish(mira.conv, `{"type":"ContentEvent","contentType":"text/plain","message":"hear"}`, "")
	dana.heard(mira.conv, saying("hear"))
	dana.refused(publishType, fmt.Sprintf(`{"dialogId":%q,"event":{"type":"ContentEvent","contentType":"text/plain","message":"x"}}`, mira.conv), notInside)
}

func TestATransferToASkillRingsAtTheNext(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	conv := mira.conv
	dana := g.agent("Dana").online()
	p.updated(conv, p.change("ASSIGNED_AGENT", "REMOVE")+`,{"field":"Skill","type":"UPDATE","skill":"2211"}`, "OK Agent removed successfully")
	d := g.detail(conv)
	require.Equal(t, "2211", d.Skill)
	require.Empty(t, d.Agent)
	require.Equal(t, "2211", dana.rung(conv, ringWaiting)["skillId"])
	dana.accepts(conv)
	require.Equal(t, 0, p.count(func(f frame) bool {
		return f.Type == tasksType && ringOf(f.raw["body"].(map[string]any)["changes"].([]any)[0].(map[string]any)["result"].(map[string]any))["skillId"] == "2211"
	}))
}

func TestATransferToAnAgentIsSuggestedFirst(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	conv := mira.conv
	dana := g.agent("Dana").online()
	dana.must(".ams.routing.SetAgentState", dana.stateBody("OCCUPIED"), textResponse) // transfers only
	p.must(".ams.aam.SubscribeExConversations", `{"convState":["OPEN"]}`, ".ams.aam.SubscribeExConversations$Response")
	p.updated(conv, p.change("ASSIGNED_AGENT", "REMOVE")+","+dana.change("ASSIGNED_AGENT", "SUGGEST")+`,{"field":"Skill","type":"UPDATE","skill":"2212"}`, "OK Agent removed successfully")
	state := func(id, state string) func(string, map[string]any) bool {
		return func(_ string, r map[string]any) bool {
			people := r["conversationDetails"].(map[string]any)["dialogs"].([]any)[0].(map[string]any)["participantsDetails"].([]any)
			for _, one := range people {
				if m := one.(map[string]any); m["id"] == id && m["state"] == state && m["role"] == roleAgent {
					return true
				}
			}
			return false
		}
	}
	r := p.awaitChange(changesType, state(dana.old, "SUGGESTED"))
	require.NotContains(t, r["conversationDetails"].(map[string]any)["participants"], roleAgent)
	eventually(t, "the app hears SUGGESTED by the new id", func() bool {
		for _, n := range g.parley.notifications(t) {
			if n["type"] == "cqm.ExConversationChangeNotification" && state(dana.pid, "SUGGESTED")("", change(n)["result"].(map[string]any)) {
				return true
			}
		}
		return false
	})
	dana.accepts(conv)
	p.awaitChange(changesType, state(dana.old, "ACTIVE"))
	require.Equal(t, "Dana", g.detail(conv).Agent)
}

func TestClosingTheMainDialogMayBeginASurvey(t *testing.T) {
	t.Parallel()
	g, p, mira := seated(t, "")
	conv := mira.conv
	p.updated(conv, fmt.Sprintf(`{"field":"DialogChange","type":"UPDATE","dialog":{"dialogId":%q,"state":"CLOSE","closedCause":"Case resolved"}}`, conv), "OK Dialog closed successfully")
	d := g.detail(conv)
	require.Equal(t, "CLOSE", d.Stage) // no survey bot is on
	require.Equal(t, "Case resolved", d.Dialogs[0].ClosedCause)
}
