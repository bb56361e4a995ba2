package simulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// closeField ends a conversation for the consumer.
const closeField = `{"field":"ConversationStateField","conversationState":"CLOSE"}`

func TestSendIsStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	stranger := g.consumer("eve")
	closed := g.consumer("cy")
	closed.open()
	status, b := closed.send(fieldOf(closed.conv, closeField))
	require.Equal(t, 200, status, b)
	good := textOf(c.conv, "hello", "")
	event := func(e string) string { return publishOf(c.conv, e, "") }

	for name, tc := range map[string]struct {
		from   *consumerSide
		path   string
		header map[string]string // changed; "" removes
		body   string
		status int
		says   string
	}{
		"no AppJWT":                       {header: map[string]string{"Authorization": ""}, body: good, status: 401, says: "40105"},
		"a forged AppJWT":                 {header: map[string]string{"Authorization": c.app + "x"}, body: good, status: 401, says: "40102"},
		"a ConsumerJWS as AppJWT":         {header: map[string]string{"Authorization": c.jws}, body: good, status: 401, says: "40102"},
		"no ConsumerJWS":                  {header: map[string]string{"X-LP-ON-BEHALF": ""}, body: good, status: 401, says: "40104"},
		"a forged ConsumerJWS":            {header: map[string]string{"X-LP-ON-BEHALF": "a.b.c"}, body: good, status: 401, says: "40103"},
		"an AppJWT as ConsumerJWS":        {header: map[string]string{"X-LP-ON-BEHALF": c.app}, body: good, status: 401, says: "40103"},
		"an AppJWT of another account":    {header: map[string]string{"Authorization": g.appOf("qa1", "c2", "s2")}, body: good, status: 400, says: "40001"},
		"another consumer's conversation": {from: stranger, body: good, status: 401, says: "another consumer"},
		"another consumer's close":        {from: stranger, body: fieldOf(c.conv, closeField), status: 401, says: "another consumer"},
		"no version":                      {path: strings.TrimSuffix(sendPath, "?v=3"), body: good, status: 400, says: "v=3"},
		"wrong Content-Type":              {header: map[string]string{"Content-Type": "text/plain"}, body: good, status: 400, says: "Content-Type"},
		"Client-Properties is no JSON":    {header: map[string]string{"Client-Properties": "x"}, body: good, status: 400, says: "not a JSON object"},
		"Client-Properties without type":  {header: map[string]string{"Client-Properties": `{"appId":"x"}`}, body: good, status: 400, says: "type is missing"},
		"Client-Properties, unknown feature": {header: map[string]string{"Client-Properties": `{"type":".ClientProperties","features":["FLY"]}`},
			body: good, status: 400, says: "unknown feature"},
		"not JSON":                  {body: "{", status: 400, says: "not JSON"},
		"a batch":                   {body: "[" + good + "]", status: 400, says: "one request object"},
		"no kind":                   {body: strings.Replace(good, `"kind":"req",`, "", 1), status: 400, says: "kind"},
		"no id":                     {body: strings.Replace(good, `"id":"1",`, "", 1), status: 400, says: "id must be"},
		"a long id":                 {body: strings.Replace(good, `"id":"1"`, `"id":"`+strings.Repeat("x", 65)+`"`, 1), status: 400, says: "id must be"},
		"no type":                   {body: strings.Replace(good, `"type":"ms.PublishEvent",`, "", 1), status: 400, says: "type is required"},
		"an unknown type":           {body: strings.Replace(good, "ms.PublishEvent", "ms.Publish", 1), status: 400, says: "unknown or unsupported"},
		"no body":                   {body: `{"kind":"req","id":"1","type":"ms.PublishEvent"}`, status: 400, says: "body must be"},
		"no dialog":                 {body: strings.Replace(good, "dialogId", "dialog", 1), status: 400, says: "dialogId"},
		"an unknown dialog":         {body: textOf("nowhere", "x", ""), status: 400, says: "unknown dialog"},
		"another conversationId":    {body: strings.Replace(good, `"event"`, `"conversationId":"x","event"`, 1), status: 400, says: "conversationId"},
		"an empty text":             {body: textOf(c.conv, "", ""), status: 400, says: "empty"},
		"a long text":               {body: textOf(c.conv, strings.Repeat("ü", 8001), ""), status: 400, says: "too long"},
		"another content type":      {body: event(`{"type":"ContentEvent","contentType":"text/html","message":"x"}`), status: 400, says: "contentType"},
		"an unknown event":          {body: event(`{"type":"Wave"}`), status: 400, says: "unknown type of event"},
		"an unknown chat state":     {body: event(`{"type":"ChatStateEvent","chatState":"TYPING"}`), status: 400, says: "chatState"},
		"an unknown status":         {body: event(`{"type":"AcceptStatusEvent","status":"SEEN","sequenceList":[0]}`), status: 400, says: "unknown status"},
		"an empty sequenceList":     {body: event(`{"type":"AcceptStatusEvent","status":"READ","sequenceList":[]}`), status: 400, says: "sequenceList"},
		"a negative sequence":       {body: event(`{"type":"AcceptStatusEvent","status":"READ","sequenceList":[-1]}`), status: 400, says: "sequenceList"},
		"metadata is no array":      {body: publishOf(c.conv, `{"type":"ContentEvent","contentType":"text/plain","message":"x"}`, `,"metadata":{}`), status: 400, says: "metadata"},
		"a long ExternalId":         {body: textOf(c.conv, "x", strings.Repeat("i", 65)), status: 400, says: "ExternalId"},
		"text when closed":          {from: closed, body: textOf(closed.conv, "x", ""), status: 400, says: "Bad Request, Conversation is close"},
		"a receipt when closed":     {from: closed, body: publishOf(closed.conv, `{"type":"AcceptStatusEvent","status":"READ","sequenceList":[0]}`, ""), status: 400, says: "is close"},
		"closing twice":             {from: closed, body: fieldOf(closed.conv, closeField), status: 400, says: "is close"},
		"closing nothing":           {body: fieldOf("nowhere", closeField), status: 400, says: "unknown conversation"},
		"no field":                  {body: fieldOf(c.conv, `"x"`), status: 400, says: "conversationField"},
		"an unknown field":          {body: fieldOf(c.conv, `{"field":"Colour"}`), status: 400, says: "unknown field"},
		"an agent's field":          {body: fieldOf(c.conv, `{"field":"Skill","skill":"1"}`), status: 400, says: "agents only"},
		"opening by field":          {body: fieldOf(c.conv, `{"field":"ConversationStateField","conversationState":"OPEN"}`), status: 400, says: "CLOSE"},
		"DialogChange, no dialog":   {body: fieldOf(c.conv, `{"field":"DialogChange","type":"UPDATE"}`), status: 400, says: "dialog.dialogId"},
		"an unknown TTR":            {body: fieldOf(c.conv, `{"field":"TTRField","ttrType":"NOW"}`), status: 400, says: "ttrType"},
		"CSAT when open":            {body: fieldOf(c.conv, `{"field":"CSATRate","csatRate":5,"csatResolutionConfirmation":true,"status":"FILLED"}`), status: 400, says: "closed conversation"},
		"CSAT of 6":                 {from: closed, body: fieldOf(closed.conv, `{"field":"CSATRate","csatRate":6,"csatResolutionConfirmation":true,"status":"FILLED"}`), status: 400, says: "1 to 5"},
		"CSAT of 0":                 {from: closed, body: fieldOf(closed.conv, `{"field":"CSATRate","csatRate":0,"csatResolutionConfirmation":true,"status":"FILLED"}`), status: 400, says: "1 to 5"},
		"CSAT without status":       {from: closed, body: fieldOf(closed.conv, `{"field":"CSATRate","csatRate":5}`), status: 400, says: "status must be"},
		"CSAT FILLED with one":      {from: closed, body: fieldOf(closed.conv, `{"field":"CSATRate","csatRate":5,"status":"FILLED"}`), status: 400, says: "does not fit"},
		"a profile of another kind": {body: `{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{"authenticatedData":{"lp_sdes":[{"type":"cart"}]}}}`, status: 400, says: "ctmrinfo and personal"},
	} {
		t.Run(name, func(t *testing.T) {
			from, path := tc.from, tc.path
			if from == nil {
				from = c
			}
			if path == "" {
				path = sendPath
			}
			h := from.header()
			for k, v := range tc.header {
				h[k] = v
				if v == "" {
					delete(h, k)
				}
			}
			status, b := g.do("POST", path, h, tc.body)
			require.Equal(t, tc.status, status, b)
			require.Contains(t, b, tc.says)
			var seen struct{ Entries []Wire }
			g.must("GET", "/sim/wire?class=send&rejected=1&limit=1", "", &seen)
			require.NotEmpty(t, seen.Entries[0].Rejected)
		})
	}
	var d DetailView
	g.must("GET", "/sim/conversations/"+c.conv, "", &d)
	require.Zero(t, d.Counters.Published, "nothing that was refused had an effect")
	g.must("GET", "/sim/conversations/"+closed.conv, "", &d)
	require.Equal(t, 3, d.Counters.WhileClosed)
	require.Equal(t, 1, d.Counters.ContentWhileClosed)
}

func TestConversationIsStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	with := func(old, new string) string { return strings.Replace(openBody, old, new, 1) }
	for name, tc := range map[string]struct{ body, says string }{
		"an object":            {`{}`, "array"},
		"one request":          {`[{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{}}]`, "at least two"},
		"the other order":      {`[{"kind":"req","id":"2","type":"cm.ConsumerRequestConversation","body":{"brandId":"` + site + `"}},{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{}}]`, "first"},
		"no brand":             {with(`"brandId":"`+site+`"`, ``), "Brand Id is missing"},
		"another brand":        {with(site, "1"), "brandId"},
		"another channel type": {with(`"brandId"`, `"channelType":"CHAT","brandId"`), "MESSAGING"},
		"an unknown urgency":   {with(`"brandId"`, `"ttrDefName":"ASAP","brandId"`), "ttrDefName"},
		"half a campaign":      {with(`"brandId"`, `"campaignInfo":{"campaignId":"1"},"brandId"`), "campaignInfo"},
		"a context of no type": {with(`"brandId"`, `"conversationContext":{"lang":"de"},"brandId"`), "conversationContext"},
		"a number as name":     {with(`"body":{}`, `"body":{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"firstname":1}}]}}`), "firstname"},
		"an unknown phoneType": {with(`"body":{}`, `"body":{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"contacts":[{"phone":"1","phoneType":"CELL"}]}}]}}`), "phoneType"},
	} {
		t.Run(name, func(t *testing.T) {
			status, b := g.do("POST", openPath, c.header(), tc.body)
			require.Equal(t, 400, status, b)
			require.Contains(t, b, tc.says)
		})
	}
	c.open()
	status, b := g.do("POST", openPath, c.header(), openBody)
	require.Equal(t, 400, status)
	require.Contains(t, b, "Consumer already has an open conversation")
	require.Contains(t, b, "40000")

	g.must("PUT", "/sim/settings", `{"alreadyOpen":"existing"}`, nil)
	first := c.conv
	require.Equal(t, first, c.open())
}

func TestTokensAreStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	path := "/sentinel/api/account/" + site + "/app/token?v=1.0&grant_type=client_credentials"
	good := "client_id=" + client + "&client_secret=" + secret
	for name, tc := range map[string]struct {
		path, body string
		header     map[string]string
		status     int
	}{
		"wrong secret":    {path, "client_id=" + client + "&client_secret=x", form, 401},
		"unknown client":  {path, "client_id=x&client_secret=" + secret, form, 401},
		"unknown account": {strings.Replace(path, site, "1", 1), good, form, 401},
		"no grant type":   {strings.Replace(path, "&grant_type=client_credentials", "", 1), good, form, 400},
		"no version":      {strings.Replace(path, "v=1.0&", "", 1), good, form, 400},
		"no secret":       {path, "client_id=" + client, form, 400},
		"JSON":            {path, "{}", map[string]string{"Content-Type": "application/json"}, 400},
		"in the query":    {path + "&" + good, "", nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			status, b := g.do("POST", tc.path, tc.header, tc.body)
			require.Equal(t, tc.status, status, b)
		})
	}
	app := g.app()
	require.Equal(t, g.jws(app, "ada"), g.jws("Bearer "+app, "ada"), "Bearer is accepted")
	var all Counters
	g.must("GET", "/sim/counters", "", &all)
	require.EqualValues(t, 1, all.Warnings["Authorization has a Bearer prefix"])

	status, b := g.do("GET", "/sim/wire?bodies=1", nil, "")
	require.Equal(t, 200, status)
	require.NotContains(t, b, secret)
	require.NotContains(t, b, app)
}

func TestDomains(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	host := strings.TrimPrefix(g.url, "http://")
	var one baseURI
	g.must("GET", "/api/account/"+site+"/service/asyncMessagingEnt/baseURI.json?version=1.0", "", &one)
	require.Equal(t, baseURI{Service: "asyncMessagingEnt", Account: site, BaseURI: host}, one)
	var all struct{ BaseURIs []baseURI }
	g.must("GET", "/api/account/"+site+"/service/baseURI.json?version=1.0", "", &all)
	require.Len(t, all.BaseURIs, len(services))
	for _, path := range []string{"/api/account/1/service/idp/baseURI.json?version=1.0", "/api/account/" + site + "/service/nope/baseURI.json?version=1.0", "/api/account/" + site + "/service/idp/baseURI.json"} {
		status, _ := g.do("GET", path, nil, "")
		require.Equal(t, 400, status, path)
	}
}
