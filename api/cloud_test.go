package api

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

// notified sends bodies of the cloud and returns what was stored.
func notified(t *testing.T, bodies ...string) message.Arrival {
	t.Helper()
	h := newHouse(t, nil)
	for _, body := range bodies {
		require.Equal(t, 200, h.do(h.cloud(body)).status)
	}
	return h.inbox.all()
}

func TestAgentsMessagesAreStored(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"ASSIGNED_AGENT", "AGENT", "MANAGER", "CONTROLLER", "ROLE_OF_TOMORROW"} {
		a := notified(t, said(role, 5, content("It ships tomorrow.\n"), nil))
		require.Len(t, a.Events, 1, role)
		e := a.Events[0]
		assert.Equal(t, message.Stream{Account: "main", Conversation: conversation}, e.Stream)
		assert.Equal(t, "cloud/main", e.Source)
		assert.Equal(t, conversation+"/5/ContentEvent", e.EventID)
		assert.True(t, e.Urgent)
		assert.True(t, e.Starts)
		assert.Equal(t, []message.Notification{{
			Kind: message.AgentWrote, ID: message.NewID("main", e.EventID), EventID: e.EventID, Account: "main",
			Conversation: conversation, Dialog: conversation, Sequence: 5, Role: role, At: time.UnixMilli(1717490100000).UTC(),
			Text: "It ships tomorrow.",
		}}, notifications(t, a))
		assert.Empty(t, a.Echoes)
		assert.Empty(t, a.Dead)
	}
}

func TestWhatAgentsSayAmongThemselvesKeepsOnlyItsPlace(t *testing.T) {
	t.Parallel()
	private := said("ASSIGNED_AGENT", 5, content("do not tell"), map[string]any{"messageAudience": "AGENTS_AND_MANAGERS"})
	for _, body := range []string{private, said("READER", 5, content("do not tell"), nil)} {
		a := notified(t, body)
		n := notifications(t, a)
		require.Len(t, n, 1)
		assert.True(t, n[0].Private)
		assert.Equal(t, 5, n[0].Sequence)
		assert.True(t, a.Events[0].Urgent)
		assert.False(t, a.Events[0].Starts)
		assert.NotContains(t, string(a.Events[0].Body), "do not tell")
	}
}

func TestChoicesOfAgents(t *testing.T) {
	t.Parallel()
	event := content("Keep the slot?")
	event["quickReplies"] = map[string]any{"type": "quickReplies", "replies": []any{map[string]any{
		"type": "button", "title": "Later", "click": map[string]any{"actions": []any{map[string]any{"type": "publishText", "text": "Later, please"}}}}}}
	n := notifications(t, notified(t, said("AGENT", 1, event, nil)))
	require.Len(t, n, 1)
	assert.Equal(t, []message.Choice{{ID: string(n[0].ID) + "/1", Title: "Later", Text: "Later, please", Quick: true}}, n[0].Choices)
}

func TestOurOwnWordsComeBackAsEchoes(t *testing.T) {
	t.Parallel()
	id := message.NewID("sms", "SM1")
	at := time.UnixMilli(1717490100000).UTC()
	withID := map[string]any{"metadata": []any{map[string]any{"type": "ExternalId", "id": string(id)}}}
	withForeignID := map[string]any{"metadata": []any{map[string]any{"type": "ExternalId", "id": "OPT-YES"}}}
	digest := message.TextDigest("Hello")
	byText := message.Echo{Scope: "main", Dialog: conversation, Sequence: 0, Digest: digest, At: at}

	a := notified(t, said("CONSUMER", 0, content("Hello"), withID))
	assert.Equal(t, []message.Echo{{Scope: "main", Key: id, Dialog: conversation, Sequence: 0, Digest: digest, At: at}}, a.Echoes, "a bot's ID may look like ours: the text says it too")
	assert.Empty(t, a.Events)

	assert.Equal(t, []message.Echo{byText}, notified(t, said("CONSUMER", 0, content("Hello"), nil)).Echoes)
	assert.Equal(t, []message.Echo{byText}, notified(t, said("CONSUMER", 0, content("Hello"), withForeignID)).Echoes)

	a = notified(t, said("CONSUMER", 1, accepted("ACCEPT", 4), nil), said("CONSUMER", 0, chatState("COMPOSING"), nil))
	assert.Empty(t, a, "our own statuses and states say nothing new")
}

func TestOneWithoutARoleIsComparedWithTheConsumer(t *testing.T) {
	t.Parallel()
	from := func(originator string, more map[string]any) string {
		m := map[string]any{"originatorMetadata": nil, "originatorId": originator}
		for k, v := range more {
			m[k] = v
		}
		return said("", 3, content("Hi"), m)
	}
	a := notified(t, from(lpConsumer, nil))
	assert.Empty(t, a.Events)
	require.Len(t, a.Dead, 1, "nobody knows yet who the consumer is")
	assert.NotEmpty(t, a.Dead[0].Reason)
	assert.Equal(t, message.NewID("main", conversation+"/3/ContentEvent"), a.Dead[0].ID)
	assert.Equal(t, "main", a.Dead[0].Account)

	a = notified(t, from("anyone", map[string]any{"metadata": []any{map[string]any{"type": "ExternalId", "id": string(message.NewID("x"))}}}))
	assert.Len(t, a.Echoes, 1, "our ID tells as well")

	botsID := map[string]any{"metadata": []any{map[string]any{"type": "ExternalId", "id": string(message.NewID("bot"))}}}
	a = notified(t, snapshot("OPEN", "OPEN", 1), from(lpConsumer, nil), from("1f2e3d4c", botsID))
	assert.Len(t, a.Echoes, 1)
	assert.Empty(t, a.Dead)
	require.Len(t, a.Events, 2, "an agent's words, although what is attached looks like ours")
	assert.Equal(t, message.AgentWrote, notifications(t, a)[1].Kind)
}

func TestWhatAgentsSawWaits(t *testing.T) {
	t.Parallel()
	a := notified(t, said("ASSIGNED_AGENT", 8, accepted("READ", 0, 3), nil))
	require.Len(t, a.Events, 1)
	assert.False(t, a.Events[0].Urgent)
	assert.False(t, a.Events[0].Starts)
	n := notifications(t, a)[0]
	assert.Equal(t, message.AgentSaw, n.Kind)
	assert.Equal(t, "READ", n.Status)
	assert.Equal(t, []int{0, 3}, n.Sequences)
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stage, state           string
		open, mainOpen, starts bool
	}{
		"open":           {"OPEN", "OPEN", true, true, true},
		"survey":         {"OPEN", "CLOSE", true, false, false},
		"closed":         {"CLOSE", "CLOSE", false, false, false},
		"without stages": {"", "OPEN", true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := notified(t, snapshot(c.stage, c.state, 1717490012756))
			require.Len(t, a.Events, 1)
			assert.True(t, a.Events[0].Urgent)
			assert.Equal(t, c.starts, a.Events[0].Starts)
			assert.Equal(t, &message.Change{
				Version: 1717490012756, Open: c.open, MainOpen: c.mainOpen, CloseReason: "AGENT", Skill: "2210", Agent: true, AgentID: "a1", Consumer: lpConsumer,
			}, notifications(t, a)[0].Change)
			assert.Equal(t, []message.Participant{{Account: "main", Conversation: conversation, Consumer: lpConsumer}}, a.Participants)
		})
	}
}

func TestChatStatesAreNotStored(t *testing.T) {
	t.Parallel()
	assert.Empty(t, notified(t, said("ASSIGNED_AGENT", 0, chatState("COMPOSING"), nil)))
}

func TestAnImpossiblyLongTextOfAnAgentIsADeadLetter(t *testing.T) {
	t.Parallel()
	a := notified(t, said("AGENT", 5, content(strings.Repeat("x", maxText+1)), nil))
	assert.Empty(t, a.Events)
	require.Len(t, a.Dead, 1)
	assert.Equal(t, "text longer than 65536 bytes", a.Dead[0].Reason)
	assert.Equal(t, conversation, a.Dead[0].Dialog)
	assert.Contains(t, string(a.Dead[0].Body), "ASSIGNED_AGENT"[9:], "the original form is kept")
	assert.Len(t, notified(t, said("AGENT", 5, content(strings.Repeat("x", maxText)), nil)).Events, 1)
}

func TestARedeliveredLeftoverIsTheSameDeadLetter(t *testing.T) {
	t.Parallel()
	a := notified(t, "no JSON", "no JSON", "no JSON either")
	require.Len(t, a.Dead, 3)
	assert.Equal(t, a.Dead[0].ID, a.Dead[1].ID)
	assert.NotEqual(t, a.Dead[0].ID, a.Dead[2].ID)
	assert.Equal(t, "cloud/main", a.Dead[0].Source)
	assert.Equal(t, "no JSON", string(a.Dead[0].Body))
}

func TestPeopleForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var p people
	p.remember("main", "first", "c")
	for i := range mostPeople / 2 {
		p.remember("main", strings.Repeat("x", i%100)+time.Duration(i).String(), "c")
	}
	assert.Equal(t, "c", p.consumer("main", "first"))
	for i := range mostPeople {
		p.remember("main", "later"+time.Duration(i).String(), "c")
	}
	assert.Empty(t, p.consumer("main", "first"))
	assert.LessOrEqual(t, len(p.now)+len(p.old), mostPeople)
}
