package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdktemporal "go.temporal.io/sdk/temporal"

	"parley/conversation"
	"parley/db"
	"parley/message"
	"parley/workflows"
)

func buriedAs(id message.ID, addr message.Address, body any) db.Dead {
	b, _ := json.Marshal(body)
	return db.Dead{DeadLetter: message.DeadLetter{ID: id, Source: "channel/sms", Address: addr, Account: "main", Body: b}, Redriven: 1, BuriedAt: time.Unix(1, 0).UTC()}
}

func TestADeadLetterBecomesTheEventThatItWas(t *testing.T) {
	t.Parallel()
	published := buriedAs("m1", caller, conversation.Command{ID: "m1", Kind: conversation.Publish, Text: "hello", Ref: "SM1"})
	e, ok := eventOf(published)
	require.True(t, ok)
	assert.Equal(t, []any{"channel/sms", "redrive/m1/1", true, true, message.Stream{Address: caller}}, []any{e.Source, e.EventID, e.Urgent, e.Starts, e.Stream})
	var in message.Inbound
	require.NoError(t, json.Unmarshal(e.Body, &in))
	assert.Equal(t, message.Inbound{Kind: message.Wrote, ID: "m1", Address: caller, At: time.Unix(1, 0).UTC(), Ref: "SM1", Text: "hello"}, in)

	e, ok = eventOf(buriedAs("m2", caller, conversation.Command{ID: "m2", Kind: conversation.Deliver, Conversation: "C1", Dialog: "D1", Sequence: 7, Text: "hi"}))
	require.True(t, ok)
	assert.Equal(t, []any{"cloud/main", message.Stream{Account: "main", Conversation: "C1"}}, []any{e.Source, e.Stream})
	var n message.Notification
	require.NoError(t, json.Unmarshal(e.Body, &n))
	assert.Equal(t, []any{message.ID("m2"), 7, "hi", "D1", message.AgentWrote}, []any{n.ID, n.Sequence, n.Text, n.Dialog, n.Kind})

	file := message.Attachment{URL: "https://files.example/1", Name: "a.png"}
	e, ok = eventOf(buriedAs("m7", caller, conversation.Command{ID: "m7", Kind: conversation.PublishFile, Text: "a.png", Attachment: &file, Ref: "SM1"}))
	require.True(t, ok)
	in = message.Inbound{}
	require.NoError(t, json.Unmarshal(e.Body, &in))
	assert.Equal(t, message.Inbound{Kind: message.Wrote, ID: "m7", Address: caller, At: time.Unix(1, 0).UTC(), Ref: "SM1", Attachments: []message.Attachment{file}}, in)
	assert.Equal(t, []message.ID{"m7"}, conversation.Parts(in), "under its old ID")

	e, ok = eventOf(buriedAs("m8", caller, conversation.Command{
		ID: "m8", Kind: conversation.Deliver, Conversation: "C1", Dialog: "C1", File: &message.File{Path: "/p"}, Blocks: []message.Block{{Kind: message.TextBlock, Text: "b"}}}))
	require.True(t, ok)
	n = message.Notification{}
	require.NoError(t, json.Unmarshal(e.Body, &n))
	assert.Equal(t, "/p", n.File.Path)
	assert.Len(t, n.Blocks, 1)

	whole := message.Inbound{Kind: message.Wrote, ID: "m3", EventID: "SM3", Address: caller, Text: "hello"}
	e, ok = eventOf(buriedAs(message.NewID("channel/sms", "SM3"), caller, whole))
	require.True(t, ok, "what the relay could not signal")
	require.NoError(t, json.Unmarshal(e.Body, &in))
	assert.Equal(t, whole.ID, in.ID, "its message keeps its ID")

	for name, d := range map[string]db.Dead{
		"from outside, calling itself a command": buriedAs("m4", nobody, conversation.Command{ID: "m4", Kind: conversation.Publish}),
		"from outside":                           buriedAs("m5", nobody, "not JSON of ours"),
		"of another consumer":                    buriedAs("m6", caller, message.Inbound{ID: "m6", Address: message.Address{Channel: "sms", Consumer: "+15550100299"}}),
	} {
		_, ok := eventOf(d)
		assert.False(t, ok, name)
	}
}

func TestWhoHasNotGotAMessage(t *testing.T) {
	t.Parallel()
	assert.True(t, notThere(fmt.Errorf("redrive: %w", serviceerror.NewNotFound("workflow execution already completed"))))
	assert.True(t, notThere(sdktemporal.NewApplicationError(conversation.ErrNoMessage.Error(), "")))
	assert.False(t, notThere(sdktemporal.NewApplicationError("the consumer has opted out", "")))
	assert.False(t, notThere(errors.New("connection refused")))
	assert.False(t, notThere(nil))
}

func TestDeadLettersAreListedWithoutWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &process{out: &out}
	d := buriedAs("m1", caller, conversation.Command{ID: "m1", Kind: conversation.Publish, Text: "my secret"})
	d.Reason = "rejected: too long"
	require.NoError(t, p.showDead(d, key, false))
	assert.Contains(t, out.String(), "rejected: too long")
	assert.Contains(t, out.String(), key.Workflow(caller))
	assert.NotContains(t, out.String(), "secret")
	assert.NotContains(t, out.String(), caller.Consumer)
	require.NoError(t, p.showDead(d, workflows.Identity{}, true))
	assert.Contains(t, out.String(), "secret")
}
