package liveperson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/liveperson"
)

func TestNewNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := liveperson.New(liveperson.Config{Name: "main", ClientSecrets: []string{"s3cr3t", " "}, DomainAPI: "ftp://x"}, liveperson.Options{})
	for _, want := range []string{"main", "Domain API", "site ID", "client ID", "secret 2"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "s3cr3t")
	_, err = liveperson.New(liveperson.Config{SiteID: "1", ClientID: "2"}, liveperson.Options{})
	require.ErrorContains(t, err, "no client secret")
}

func TestOpen(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	client := c.client()
	got, err := client.Open(t.Context(), liveperson.Open{
		Consumer: "sms/1", Skill: "2210", Language: "de-CH",
		Profile: liveperson.Profile{Name: "Mira Kahn Meier", Phone: "+15550100200", Language: "de-CH"},
	})
	require.NoError(t, err)
	require.Equal(t, liveperson.Opened{Conversation: "conv-1", ConsumerID: lpID("sms/1")}, got)

	var sent []wire
	require.NoError(t, json.Unmarshal([]byte(c.body(open)), &sent))
	profile, err := json.Marshal(sent[0].Body)
	require.NoError(t, err)
	require.JSONEq(t, `{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"firstname":"Mira","lastname":"Kahn Meier","language":"de-CH",
		"contacts":[{"phone":"+15550100200","phoneType":"MOBILE"}]}}]}}`, string(profile))
	conversation, err := json.Marshal(sent[1].Body)
	require.NoError(t, err)
	require.JSONEq(t, `{"brandId":"40112233","channelType":"MESSAGING","skillId":"2210","conversationContext":{"type":"CustomContext","lang":"de-CH"}}`, string(conversation))

	id, err := client.ConsumerID(t.Context(), "sms/1")
	require.NoError(t, err)
	require.Equal(t, lpID("sms/1"), id)
	require.Equal(t, 1, c.count(idp))
	require.Equal(t, 1, c.count(sentinel))
	require.Equal(t, 3, c.count(domainAPI))
}

func TestOpenWithoutProfile(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	_, err := c.client().Open(t.Context(), liveperson.Open{Consumer: "a"})
	require.NoError(t, err)
	var sent []wire
	require.NoError(t, json.Unmarshal([]byte(c.body(open)), &sent))
	require.Empty(t, sent[0].Body)
	require.Equal(t, "-1", sent[1].Body["skillId"])
}

// Every request of SEND, as it goes over the wire.
func TestSend(t *testing.T) {
	t.Parallel()
	resolved := true
	for name, c := range map[string]struct {
		call func(*liveperson.Client) (any, error)
		want string // without kind and id
		got  any
	}{
		"publish": {
			func(c *liveperson.Client) (any, error) {
				return c.Publish(t.Context(), liveperson.Publish{Consumer: "a", Conversation: "conv-1", Text: "<Grüezi> 👋\n", ExternalID: "m-1"})
			},
			`{"type":"ms.PublishEvent","metadata":[{"type":"ExternalId","id":"m-1"}],"body":{"dialogId":"conv-1","conversationId":"conv-1",
				"event":{"type":"ContentEvent","contentType":"text/plain","message":"<Grüezi> 👋\n"}}}`,
			liveperson.Published{Sequence: 0},
		},
		"publish to a survey": {
			func(c *liveperson.Client) (any, error) {
				return c.Publish(t.Context(), liveperson.Publish{Consumer: "a", Conversation: "conv-1", Dialog: "survey", Text: "5"})
			},
			`{"type":"ms.PublishEvent","body":{"dialogId":"survey","conversationId":"conv-1","event":{"type":"ContentEvent","contentType":"text/plain","message":"5"}}}`,
			liveperson.Published{Sequence: 0},
		},
		"accept": {
			func(c *liveperson.Client) (any, error) {
				return c.Accept(t.Context(), liveperson.Accept{Consumer: "a", Conversation: "conv-1", Status: liveperson.Read, Sequences: []int{5, 6}})
			},
			`{"type":"ms.PublishEvent","body":{"dialogId":"conv-1","conversationId":"conv-1","event":{"type":"AcceptStatusEvent","status":"READ","sequenceList":[5,6]}}}`,
			liveperson.Published{Sequence: 0},
		},
		"chat state": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.ChatState(t.Context(), liveperson.ChatState{Consumer: "a", Conversation: "conv-1", State: liveperson.Composing})
			},
			`{"type":"ms.PublishEvent","body":{"dialogId":"conv-1","conversationId":"conv-1","event":{"type":"ChatStateEvent","chatState":"COMPOSING"}}}`,
			nil,
		},
		"publish, having clicked": {
			func(c *liveperson.Client) (any, error) {
				return c.Publish(t.Context(), liveperson.Publish{Consumer: "a", Conversation: "conv-1", Text: "Yes", ExternalID: "m-1",
					Metadata: json.RawMessage(`[{"type":"Answer","id":"a1","n":12345678901234567890,"html":"<b>"}]`)})
			},
			`{"type":"ms.PublishEvent","metadata":[{"type":"Answer","id":"a1","n":12345678901234567890,"html":"<b>"}],"body":{"dialogId":"conv-1","conversationId":"conv-1",
				"event":{"type":"ContentEvent","contentType":"text/plain","message":"Yes"}}}`,
			liveperson.Published{Sequence: 0},
		},
		"publish, with lone metadata": {
			func(c *liveperson.Client) (any, error) {
				return c.Publish(t.Context(), liveperson.Publish{Consumer: "a", Conversation: "conv-1", Text: "Yes", ExternalID: "m-1", Metadata: json.RawMessage(` {"type":"Answer"} `)})
			},
			`{"type":"ms.PublishEvent","metadata":[{"type":"Answer"}],"body":{"dialogId":"conv-1","conversationId":"conv-1",
				"event":{"type":"ContentEvent","contentType":"text/plain","message":"Yes"}}}`,
			liveperson.Published{Sequence: 0},
		},
		"publish file": {
			func(c *liveperson.Client) (any, error) {
				return c.PublishFile(t.Context(), liveperson.PublishFile{Consumer: "a", Conversation: "conv-1", Path: "/v1/x.JPG", Type: ".jpg",
					Caption: "receipt", Preview: "data:image/png;base64,iVBORw0KGgo=", ExternalID: "m-2"})
			},
			`{"type":"ms.PublishEvent","metadata":[{"type":"ExternalId","id":"m-2"}],"body":{"dialogId":"conv-1","conversationId":"conv-1","event":{"type":"ContentEvent",
				"contentType":"hosted/file","message":{"caption":"receipt","fileType":"JPG","relativePath":"/v1/x.JPG","preview":"data:image/png;base64,iVBORw0KGgo="}}}}`,
			liveperson.Published{Sequence: 0},
		},
		"publish file with nothing beside it": {
			func(c *liveperson.Client) (any, error) {
				return c.PublishFile(t.Context(), liveperson.PublishFile{Consumer: "a", Conversation: "conv-1", Dialog: "d", Path: "/v1/x", Type: "PNG"})
			},
			`{"type":"ms.PublishEvent","body":{"dialogId":"d","conversationId":"conv-1","event":{"type":"ContentEvent",
				"contentType":"hosted/file","message":{"fileType":"PNG","relativePath":"/v1/x"}}}}`,
			liveperson.Published{Sequence: 0},
		},
		"action": {
			func(c *liveperson.Client) (any, error) {
				return c.Accept(t.Context(), liveperson.Accept{Consumer: "a", Conversation: "conv-1", Dialog: "survey", Status: liveperson.Acted, Sequences: []int{7},
					Metadata: json.RawMessage(`[{"type":"ExternalId","id":"OPT-YES"}]`)})
			},
			`{"type":"ms.PublishEvent","metadata":[{"type":"ExternalId","id":"OPT-YES"}],"body":{"dialogId":"survey","conversationId":"conv-1",
				"event":{"type":"AcceptStatusEvent","status":"ACTION","sequenceList":[7]}}}`,
			liveperson.Published{Sequence: 0},
		},
		"access": {
			func(c *liveperson.Client) (any, error) {
				return c.Accept(t.Context(), liveperson.Accept{Consumer: "a", Conversation: "conv-1", Status: liveperson.Accessed, Sequences: []int{7}})
			},
			`{"type":"ms.PublishEvent","body":{"dialogId":"conv-1","conversationId":"conv-1","event":{"type":"AcceptStatusEvent","status":"ACCESS","sequenceList":[7]}}}`,
			liveperson.Published{Sequence: 0},
		},
		"nack": {
			func(c *liveperson.Client) (any, error) {
				return c.Accept(t.Context(), liveperson.Accept{Consumer: "a", Conversation: "conv-1", Status: liveperson.Failed, Sequences: []int{7}})
			},
			`{"type":"ms.PublishEvent","body":{"dialogId":"conv-1","conversationId":"conv-1","event":{"type":"AcceptStatusEvent","status":"NACK","sequenceList":[7]}}}`,
			liveperson.Published{Sequence: 0},
		},
		"close only the dialog": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.Close(t.Context(), liveperson.Close{Consumer: "a", Conversation: "conv-1", Way: liveperson.CloseDialog})
			},
			`{"type":"cm.UpdateConversationField","body":{"conversationId":"conv-1","conversationField":{"field":"DialogChange","type":"UPDATE",
				"dialog":{"dialogId":"conv-1","state":"CLOSE","closedCause":"Closed by consumer"}}}}`,
			nil,
		},
		"close the stage": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.Close(t.Context(), liveperson.Close{Consumer: "a", Conversation: "conv-1", Way: liveperson.CloseStage})
			},
			`{"type":"cm.UpdateConversationField","body":{"conversationId":"conv-1","conversationField":{"field":"Stage","conversationState":"CLOSE"}}}`,
			nil,
		},
		"urge": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.Urge(t.Context(), liveperson.Urge{Consumer: "a", Conversation: "conv-1", Urgency: "URGENT"})
			},
			`{"type":"cm.UpdateConversationField","body":{"conversationId":"conv-1","conversationField":{"field":"TTRField","ttrType":"URGENT"}}}`,
			nil,
		},
		"urge within": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.Urge(t.Context(), liveperson.Urge{Consumer: "a", Conversation: "conv-1", Urgency: "CUSTOM", Within: 10 * time.Minute})
			},
			`{"type":"cm.UpdateConversationField","body":{"conversationId":"conv-1","conversationField":{"field":"TTRField","ttrType":"CUSTOM","value":600}}}`,
			nil,
		},
		"profile": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.SetProfile(t.Context(), liveperson.SetProfile{Consumer: "a", Profile: liveperson.Profile{Customer: liveperson.Customer{Type: "platinum"}}})
			},
			`{"type":"userprofile.SetUserProfile","body":{"authenticatedData":{"lp_sdes":[{"type":"ctmrinfo","info":{"ctype":"platinum"}}]}}}`,
			nil,
		},
		"close": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.Close(t.Context(), liveperson.Close{Consumer: "a", Conversation: "conv-1"})
			},
			`{"type":"cm.UpdateConversationField","body":{"conversationId":"conv-1","conversationField":{"field":"ConversationStateField","conversationState":"CLOSE"}}}`,
			nil,
		},
		"rate": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.Rate(t.Context(), liveperson.Rate{Consumer: "a", Conversation: "conv-1", CSAT: 5, Resolved: &resolved, Status: liveperson.Filled})
			},
			`{"type":"cm.UpdateConversationField","body":{"conversationId":"conv-1","conversationField":{"field":"CSATRate","csatRate":5,"csatResolutionConfirmation":true,"status":"FILLED"}}}`,
			nil,
		},
		"rate, skipped": {
			func(c *liveperson.Client) (any, error) {
				return nil, c.Rate(t.Context(), liveperson.Rate{Consumer: "a", Conversation: "conv-1", Status: liveperson.Skipped})
			},
			`{"type":"cm.UpdateConversationField","body":{"conversationId":"conv-1","conversationField":{"field":"CSATRate","status":"SKIPPED"}}}`,
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			got, err := c.call(cloud.client())
			require.NoError(t, err)
			require.Equal(t, c.got, got)
			var sent map[string]any
			require.NoError(t, json.Unmarshal([]byte(cloud.body(send)), &sent))
			delete(sent, "kind")
			delete(sent, "id")
			shown, err := json.Marshal(sent)
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(shown))
		})
	}
}

// What the documentation leaves open about an answer of 200 is taken as it comes.
func TestAnswersAreReadLeniently(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer   string
		sequence int
	}{
		"a number for OK":       {`{"reqId":"1","code":200,"body":{"sequence":4}}`, 4},
		"a number in quotes":    {`{"code":"OK","body":{"sequence":"4"}}`, 4},
		"no sequence":           {`{"code":"OK","body":{}}`, -1},
		"a string for a body":   {`{"code":"OK","body":"OK"}`, -1},
		"no body":               {`{"code":"OK"}`, -1},
		"no code":               {`{"body":{"sequence":4}}`, 4},
		"an unbelievable value": {`{"code":"OK","body":{"sequence":-7}}`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			cloud.next(send, says(200, c.answer))
			got, err := cloud.client().Publish(t.Context(), liveperson.Publish{Consumer: "a", Conversation: "conv-1", Text: "hi"})
			require.NoError(t, err)
			require.Equal(t, c.sequence, got.Sequence)
		})
	}
	for _, answer := range []string{``, `"OK Conversation resolved successfully"`, `{"code":"OK","body":"OK"}`} {
		cloud := newCloud(t)
		cloud.next(send, says(200, answer))
		require.NoError(t, cloud.client().Close(t.Context(), liveperson.Close{Consumer: "a", Conversation: "conv-1"}))
	}
}

func TestClientPropertiesAreAHeader(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	cloud.next(send, says(200, `{}`))
	client := cloud.client(func(c *liveperson.Config, _ *liveperson.Options) {
		c.AppID, c.Features = strings.Repeat("x", 70)+"\r\nEvil: 1", []string{}
	})
	require.NoError(t, client.ChatState(t.Context(), liveperson.ChatState{Consumer: "a", Conversation: "conv-1", State: liveperson.Pause}))
	require.JSONEq(t, `{"type":".ClientProperties","appId":"`+strings.Repeat("x", 64)+`","deviceFamily":"OTHER","os":"OTHER","features":[]}`,
		cloud.header(send).Get("Client-Properties"))
}
