package simulator

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const engagementPath = "/api/account/" + site + "/app/" + client + "/engagement?v=1.0"

var jsonHeader = map[string]string{"Content-Type": "application/json"}

type engagementAnswer struct {
	SessionID, VisitorID, PageID string
	EngagementDetails            []engagementDetails
}

func (g *rig) engagement(query, entryPoints, subject string) (int, engagementAnswer) {
	g.t.Helper()
	status, b := g.do("POST", engagementPath+query, jsonHeader,
		`{"identities":[{"iss":"Parley","acr":"0","sub":"`+subject+`"}],"clientProperties":{"appId":"sms"},"entryPoints":[`+entryPoints+`]}`)
	var out engagementAnswer
	require.NoError(g.t, json.Unmarshal([]byte(b), &out), b)
	return status, out
}

func TestEngagement(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	status, first := g.engagement("", `"sec://orders","lang://de"`, "u-1")
	require.Equal(t, 201, status)
	require.Equal(t, engagementDetails{
		CampaignID: "3344", EngagementID: "5566", EngagementRevision: 3, ContextID: "1", ConnectorID: 12, WindowID: "9911", Status: "expose",
	}, first.EngagementDetails[0])
	same := "&vid=" + first.VisitorID + "&sid=" + first.SessionID
	status, again := g.engagement(same, `"sec://billing"`, "u-1")
	require.Equal(t, 200, status)
	require.Equal(t, first.SessionID, again.SessionID)
	require.Equal(t, "5577", again.EngagementDetails[0].EngagementID)
	_, none := g.engagement("", `"sec://nowhere"`, "u-1")
	require.Nil(t, none.EngagementDetails)

	c := g.consumer("u-1")
	c.openWith(`"campaignInfo":{"campaignId":3344,"engagementId":"5566"},"conversationContext":{"type":"SharkContext","lang":"de-CH","visitorId":"` +
		first.VisitorID + `","sessionId":"` + first.SessionID + `","interactionContextId":"1"}`)
	require.Equal(t, "2210", c.detail().Skill, "the campaign chooses the skill")
	require.Contains(t, string(c.detail().Context), "SharkContext")
	_, open := g.engagement(same, `"sec://orders"`, "somebody")
	require.Equal(t, []string{"conversation", c.conv}, []string{open.EngagementDetails[0].Status, open.EngagementDetails[0].ConversationID})
	_, open = g.engagement("", `"sec://orders"`, "u-1")
	require.Equal(t, c.conv, open.EngagementDetails[0].ConversationID, "by its subject")
	require.Empty(t, g.sim.totals().Warnings)
}

func TestUnknownCampaignsAreWarnedOf(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.openWith(`"campaignInfo":{"campaignId":"1","engagementId":"2"},"conversationContext":{"type":"SharkContext","visitorId":"x","sessionId":"y"}`)
	require.Equal(t, unassigned, c.detail().Skill)
	require.EqualValues(t, map[string]int64{
		"campaignInfo names no engagement of the account": 1, "conversationContext names no session of the Monitoring API": 1,
	}, g.sim.totals().Warnings)
}

func TestEngagementIsStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	good := `{"identities":[{"iss":"Parley","acr":"0","sub":"u"}]}`
	for name, tc := range map[string]struct {
		path, body string
		status     int
	}{
		"another account":   {strings.Replace(engagementPath, site, "1", 1), good, 400},
		"another app":       {strings.Replace(engagementPath, client, "x", 1), good, 404},
		"no version":        {strings.TrimSuffix(engagementPath, "?v=1.0"), good, 400},
		"no body":           {engagementPath, ``, 400},
		"no identity":       {engagementPath, `{}`, 400},
		"no subject":        {engagementPath, `{"identities":[{"iss":"Parley","acr":"0"}]}`, 400},
		"an unknown level":  {engagementPath, `{"identities":[{"iss":"Parley","acr":"1","sub":"u"}]}`, 400},
		"a bare entryPoint": {engagementPath, `{"identities":[{"iss":"Parley","acr":"0","sub":"u"}],"entryPoints":["orders"]}`, 400},
		"an odd attribute":  {engagementPath, `{"identities":[{"iss":"Parley","acr":"0","sub":"u"}],"engagementAttributes":[{"type":"cart"}]}`, 400},
		"version 1.1":       {strings.Replace(engagementPath, "1.0", "1.1", 1), good, 201},
		"the old name":      {engagementPath, `{"consumerId":"u"}`, 201},
	} {
		status, b := g.do("POST", tc.path, jsonHeader, tc.body)
		require.Equal(t, tc.status, status, name+": "+b)
	}
	g.rule(`{"class":"monitoring","do":"warm-up","count":2}`)
	for range 2 {
		status, b := g.do("POST", engagementPath, jsonHeader, good)
		require.Equal(t, 500, status)
		require.JSONEq(t, `{"message":"Loading account","internalCode":20}`, b)
	}
	status, _ := g.do("POST", engagementPath, jsonHeader, good)
	require.Equal(t, 201, status)
	require.Equal(t, 400, g.control("POST", "/sim/faults/rules", `{"class":"send","do":"warm-up"}`, nil))
	g.rule(`{"class":"monitoring","do":"throttle","retryAfter":3,"count":1}`)
	status, _ = g.do("POST", engagementPath, jsonHeader, good)
	require.Equal(t, 429, status)
}
