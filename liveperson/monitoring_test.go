package liveperson_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/liveperson"
)

func engages(c *liveperson.Client, t *testing.T, entry ...string) (liveperson.Campaign, error) {
	t.Helper()
	return c.Engagement(t.Context(), liveperson.Engagement{Consumer: someone, Entry: entry,
		Profile: liveperson.Profile{Name: "Mira", Customer: liveperson.Customer{ID: "C-1", Type: "gold"}}})
}

func TestACampaignIsFoundAndOpenedWith(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	got, err := client.Engagement(t.Context(), liveperson.Engagement{
		Consumer: "u-1", Known: true, Entry: []string{"sec://sport", "lang://de"},
		Profile: liveperson.Profile{Customer: liveperson.Customer{ID: "C-77120"}},
	})
	require.NoError(t, err)
	require.Equal(t, liveperson.Campaign{
		Campaign: "3344", Engagement: "5566", Visitor: "v-1", Session: "s-1", Context: "2", Language: "de-CH",
	}, got)
	require.JSONEq(t, `{"identities":[{"iss":"main","acr":"loa1","sub":"u-1"}],"clientProperties":{"appId":"main"},"entryPoints":["sec://sport","lang://de"],
		"engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"C-77120"}}]}`, cloud.body(smt))

	conversation := func(o liveperson.Open) string {
		_, err := client.Open(t.Context(), o)
		require.NoError(t, err)
		var sent []wire
		require.NoError(t, json.Unmarshal([]byte(cloud.body(open)), &sent))
		shown, err := json.Marshal(sent[1].Body)
		require.NoError(t, err)
		return string(shown)
	}
	require.JSONEq(t, `{"brandId":"40112233","channelType":"MESSAGING","skillId":"2210","ttrDefName":"URGENT","campaignInfo":{"campaignId":"3344","engagementId":"5566"},
		"conversationContext":{"type":"SharkContext","lang":"de-CH","visitorId":"v-1","sessionId":"s-1","interactionContextId":"2"}}`,
		conversation(liveperson.Open{Consumer: "u-1", Skill: "2210", Urgency: "URGENT", Campaign: got}))
	require.JSONEq(t, `{"brandId":"40112233","channelType":"MESSAGING","skillId":"-1","campaignInfo":{"campaignId":"3344","engagementId":"5566"},
		"conversationContext":{"type":"CustomContext","lang":"fr"}}`,
		conversation(liveperson.Open{Consumer: "u-1", Language: "fr", Campaign: liveperson.Campaign{Campaign: "3344", Engagement: "5566", Remembered: true}}))
	require.JSONEq(t, `{"brandId":"40112233","channelType":"MESSAGING","skillId":"-1"}`,
		conversation(liveperson.Open{Consumer: "u-1", Campaign: liveperson.Campaign{Campaign: "half of one"}}))
}

func TestWhatMonitoringAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want liveperson.Campaign
	}{
		"nothing available": {`{"sessionId":"s","visitorId":"v"}`, liveperson.Campaign{Visitor: "v", Session: "s"}},
		"a conversation": {
			`{"sessionId":"s","visitorId":"v","engagementDetails":[{"campaignId":"1","engagementId":"2","contextId":3,"status":"conversation","conversationId":"conv-9"}]}`,
			liveperson.Campaign{Campaign: "1", Engagement: "2", Visitor: "v", Session: "s", Context: "3", Conversation: "conv-9"},
		},
		"a conversation behind another": {
			`{"engagementDetails":[{"campaignId":"1","engagementId":"2","status":"expose"},{"status":"CONVERSATION","conversationId":"conv-9"}]}`,
			liveperson.Campaign{Campaign: "1", Engagement: "2", Conversation: "conv-9"},
		},
		"half a campaign":   {`{"engagementDetails":[{"campaignId":"1"},{"campaignId":"3","engagementId":"4"}]}`, liveperson.Campaign{Campaign: "3", Engagement: "4"}},
		"an interaction":    {`{"engagementDetails":[{"status":"interaction","conversationId":"x"}]}`, liveperson.Campaign{}},
		"a lone engagement": {`{"engagementDetails":{"campaignId":"1","engagementId":"2"}}`, liveperson.Campaign{Campaign: "1", Engagement: "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			cloud.next(smt, says(200, c.body))
			got, err := engages(cloud.client(), t)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestMonitoringIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   fault.Class
		code   string
		after  time.Duration
	}{
		"an account being loaded": {says(500, `{"internalCode":20,"message":"Loading account"}`), fault.Transient, "20", 10 * time.Second},
		"down":                    {says(503, consumersWords), fault.Transient, "503", 10 * time.Second},
		"down for a while":        {says(503, ``, "Retry-After", "42"), fault.Transient, "503", 42 * time.Second},
		"no answer":               {hangUp, fault.Transient, "", 10 * time.Second},
		"not JSON":                {says(200, `<html>`), fault.Transient, "", 10 * time.Second},
		"throttled":               {says(429, ``), fault.Throttled, "429", time.Second},
		"invalid":                 {says(400, `{"errorCode":40017}`), fault.Rejected, "40017", 0},
		"refused":                 {says(401, ``), fault.Rejected, "401", 0},
		"an unknown app":          {says(404, ``), fault.Rejected, "404", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			cloud.next(smt, c.answer)
			_, err := engages(cloud.client(), t)
			require.Equal(t, c.want, fault.ClassOf(err), "%v", err)
			require.Equal(t, c.code, fault.CodeOf(err))
			require.Equal(t, c.after, fault.RetryAfter(err))
			require.Equal(t, 1, cloud.count(smt), "patience is the caller's")
			requireClean(t, err)
		})
	}
	t.Run("an account without it", func(t *testing.T) {
		t.Parallel()
		cloud := newCloud(t)
		cloud.next(domainAPI, says(404, ``))
		_, err := engages(cloud.client(), t)
		require.Equal(t, fault.Rejected, fault.ClassOf(err), "%v", err)
	})
}

func TestAKnownCampaignStandsIn(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	_, err := engages(client, t, "sec://sport")
	require.NoError(t, err)

	want := liveperson.Campaign{Campaign: "3344", Engagement: "5566", Language: "de-CH", Remembered: true}
	for _, down := range []http.HandlerFunc{says(500, `{"internalCode":20}`), hangUp, says(429, ``)} {
		cloud.next(smt, down)
		got, err := engages(client, t, "sec://sport")
		require.NoError(t, err)
		require.Equal(t, want, got, "a visitor's own names are nobody else's")
	}
	cloud.next(smt, says(503, ``))
	_, err = engages(client, t, "sec://music")
	require.Error(t, err, "nobody has come this way")
	cloud.next(smt, says(400, ``))
	_, err = engages(client, t, "sec://sport")
	require.Equal(t, fault.Rejected, fault.ClassOf(err), "that is an answer")

	cloud.pass(time.Hour)
	cloud.next(smt, says(503, ``))
	_, err = engages(client, t, "sec://sport")
	require.Equal(t, fault.Transient, fault.ClassOf(err), "it is too old")

	_, err = engages(client, t, "sec://sport")
	require.NoError(t, err)
	cloud.next(smt, says(200, `{}`), says(503, ``))
	_, err = engages(client, t, "sec://sport")
	require.NoError(t, err)
	_, err = engages(client, t, "sec://sport")
	require.Error(t, err, "there is none any more")
}

func TestFewCampaignsAreRemembered(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	for i := range 300 {
		_, err := engages(client, t, "sec://"+strconv.Itoa(i))
		require.NoError(t, err)
	}
	cloud.next(smt, says(503, ``), says(503, ``))
	_, err := engages(client, t, "sec://0")
	require.Error(t, err)
	got, err := engages(client, t, "sec://299")
	require.NoError(t, err)
	require.True(t, got.Remembered)
}
