package vendorcheck

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is agent.js at work, with what it has told.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu   sync.Mutex
	told []map[string]any
}

func (c *cloud) agent(node string) *program {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), long)
	p := &program{t: c.t, cmd: exec.CommandContext(ctx, node, "agent.js"), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(),
		"LP_ACCOUNT="+site, "LP_USER=bot", "LP_PASS=vendor-check", "LP_CSDS="+c.host, "NODE_EXTRA_CA_CERTS="+c.caFile, "NODE_NO_WARNINGS=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, p.cmd.Start())
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var one map[string]any
			if json.Unmarshal(lines.Bytes(), &one) == nil {
				p.mu.Lock()
				p.told = append(p.told, one)
				p.mu.Unlock()
			}
		}
	}()
	c.t.Cleanup(func() {
		cancel()
		<-p.done
		_ = p.cmd.Wait()
	})
	return p
}

// tells waits until the program has told something, and returns it.
func (p *program) tells(what string) map[string]any {
	p.t.Helper()
	var found map[string]any
	require.Eventually(p.t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, one := range p.told {
			if one["what"] == what {
				found = one
			}
		}
		return found != nil
	}, long, pause, "the agent program tells: %s", what)
	return found
}

// TestAnAgentProgramOfLivePersonsOwnSDKSitsAtTheDesk is a conversation from the
// first ring to the end, between an agent program as customers write it and a consumer
// who writes through the Connector API.
func TestAnAgentProgramOfLivePersonsOwnSDKSitsAtTheDesk(t *testing.T) {
	t.Parallel()
	node := needNode(t)
	c := startCloud(t)
	p := c.agent(node)
	id := p.tells("connected")["agentId"]
	require.Greater(t, p.tells("clock")["currentTime"], 1.6e12)
	for _, subscribed := range []string{"states", "conversations", "tasks"} {
		require.NotEmpty(t, p.tells(subscribed)["subscriptionId"], subscribed)
	}
	require.Equal(t, "Agent state updated successfully", p.tells("state")["answer"])

	mira := c.consumer("mira")
	mira.open()
	mira.says("Where is my parcel?")
	require.Equal(t, "Ring state updated successfully", p.tells("accepted")["answer"])
	mine := p.tells("mine")
	require.Equal(t, mira.dialog, mine["conversation"])
	require.Equal(t, "ASSIGNED_AGENT", mine["role"])
	require.Contains(t, mine["participants"], map[string]any{"id": id, "role": "ASSIGNED_AGENT"})
	require.Equal(t, []any{map[string]any{"type": "personal", "personal": map[string]any{"firstname": "Mira"}, "auth": map[string]any{}}}, p.tells("profile")["sdes"])
	require.Equal(t, map[string]any{"what": "heard", "sequence": 0.0, "text": "Where is my parcel?", "role": "CONSUMER"}, p.tells("heard"))

	p.tells("card")
	c.told("the consumer gets text and card, by the agent", holding(
		`"status":"READ"`, `"chatState":"COMPOSING"`, `"message":"You wrote: Where is my parcel?"`, `"type":"RichContentEvent"`, `"id":"CARD-1"`, `"role":"ASSIGNED_AGENT"`))

	mira.says("bye")
	require.Equal(t, "OK Conversation resolved successfully", p.tells("closed")["answer"])
	gone := p.tells("gone")
	require.Equal(t, mira.dialog, gone["conversation"])
	require.Equal(t, "CLOSE", gone["state"])
	require.Equal(t, "AGENT", gone["reason"])
	c.told("the app hears of the end", holding(`"closeReason":"AGENT"`))
	<-p.done
	require.NoError(t, p.cmd.Wait(), "the agent program ended well")
}

// TestWhatTheSurveyBotAsksIsValid holds the survey bot's own questions, which are made
// as it goes, to LivePerson's validator.
func TestWhatTheSurveyBotAsksIsValid(t *testing.T) {
	t.Parallel()
	needNode(t)
	c := startCloud(t, `PARLEY_SIMULATOR_SETTINGS={"survey":{"on":true}}`)
	mira := c.consumer("mira")
	mira.open()
	mira.says("Hello")
	mira.send("cm.UpdateConversationField", map[string]any{"conversationId": mira.dialog, "conversationField": map[string]any{
		"field": "DialogChange", "type": "UPDATE", "dialog": map[string]string{"dialogId": mira.dialog, "state": "CLOSE", "closedCause": "Case resolved"},
	}})
	var pieces []piece
	for _, b := range c.told("the survey bot asks", holding(`"quickReplies"`)) {
		var v any
		require.NoError(t, json.Unmarshal(b, &v))
		pieces = append(pieces, find("survey", v)...)
	}
	require.NotEmpty(t, pieces)
	for _, v := range judge(t, pieces) {
		require.True(t, v.Valid, v.Why)
	}
}
