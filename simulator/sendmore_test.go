package simulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func profileOf(body string) string { return requestOf("userprofile.SetUserProfile", body) }

func TestProfilesOfBothShapes(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	for _, body := range []string{
		`{"authenticatedData":{"lp_sdes":[
			{"type":"ctmrinfo","info":{"cstatus":"a","ctype":"gold","customerId":"C-1","balance":-12.5,"currency":"CHF","socialId":"@ada","imei":"1","userName":"ada",
			 "companySize":12,"companyBranch":"b","accountName":"n","role":"r","lastPaymentDate":{"day":1,"month":2,"year":2026},
			 "registrationDate":{"day":3,"month":4,"year":2020},"loginStatus":"in","storeZipCode":"8000","storeNumber":"7","unknown":true}},
			{"type":"personal","personal":{"firstname":"Ada","lastname":"L","age":{"age":36,"year":1990,"month":12,"day":10},"gender":"FEMALE","language":"de-CH",
			 "company":"Acme","contacts":[{"email":"a@example.org","phone":"+41790000000","phoneType":"MOBILE","address":{"country":"CH","region":"ZH"}}]}}]}}`,
		`{"firstName":"Ada","nickName":"ada","privateData":{"mobileNum":"+41790000000","mail":"a@example.org","pushNotificationData":{"serviceName":"s","certName":"c","token":"t"}}}`,
		`{"authenticatedData":{"lp_sdes":[{"type":"ctmrinfo","info":{"ctype":"platinum"}}]}}`,
	} {
		status, b := c.send(profileOf(body))
		require.Equal(t, 200, status, b)
		require.Contains(t, b, "OK User Profile set successfully")
	}
	p := string(c.detail().Profile)
	require.Contains(t, p, `"personal"`, "an element replaces the one of its type only")
	require.Contains(t, p, "platinum")
	require.NotContains(t, p, "gold")
	require.Contains(t, p, `"nickName":"ada"`)

	customer := func(m string) string {
		return `{"authenticatedData":{"lp_sdes":[{"type":"ctmrinfo","info":{` + m + `}}]}}`
	}
	person := func(m string) string {
		return `{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{` + m + `}}]}}`
	}
	for body, says := range map[string]string{
		customer(`"balance":"12"`):                    "balance",
		customer(`"companySize":1.5`):                 "companySize",
		customer(`"lastPaymentDate":"2026-02-01"`):    "lastPaymentDate",
		customer(`"registrationDate":{"month":13}`):   "month",
		customer(`"storeNumber":7`):                   "storeNumber",
		person(`"age":36`):                            "age must be an object",
		person(`"age":{"year":"1990"}`):               "year",
		person(`"gender":"female"`):                   "gender",
		person(`"contacts":[{"address":"CH"}]`):       "address",
		person(`"contacts":[{"phoneType":"mobile"}]`): "phoneType",
		`{"firstName":1}`:                             "firstName",
		`{"privateData":{"mail":1}}`:                  "mail",
		`{"privateData":[]}`:                          "privateData",
		`{"authenticatedData":[]}`:                    "authenticatedData",
	} {
		status, b := c.send(profileOf(body))
		require.Equal(t, 400, status, body)
		require.Contains(t, b, says, body)
	}
}

func TestWhatOnlyAgentsDoIsRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	for body, says := range map[string]string{
		publishOf(c.conv, `{"type":"RichContentEvent","content":{"type":"text","text":"x"}}`, ""):                                     "agents only",
		publishOf(c.conv, `{"type":"ContentEvent","contentType":"text/plain","message":"x","quickReplies":{}}`, ""):                   "agents only",
		strings.Replace(textOf(c.conv, "x", ""), `"event"`, `"messageAudience":"AGENTS_AND_MANAGERS","event"`, 1):                     "agents only",
		fieldOf(c.conv, `{"field":"ParticipantsChange","type":"ADD","role":"MANAGER"}`):                                               "agents only",
		fieldOf(c.conv, `{"field":"Note","note":"x"}`):                                                                                "agents only",
		fieldOf(c.conv, `{"field":"DialogChange","type":"UPDATE","dialog":{"dialogId":"`+c.conv+`","state":"CLOSE","closedBy":"A"}}`): "agents only",
		fieldOf(c.conv, `{"field":"TTRField","ttrType":"CUSTOM","value":-1}`):                                                         "CUSTOM",
	} {
		status, b := c.send(body)
		require.Equal(t, 400, status, body)
		require.Contains(t, b, says)
	}
	status, b := c.send(publishOf(c.conv, `{"type":"ContentEvent","contentType":"text/plain","message":"x"}`,
		`,"metadata":[{"type":"BotResponse","businessCases":["`+strings.Repeat(`x","`, 16)+`x"]}]`))
	require.Equal(t, 400, status, b)
	status, b = c.send(publishOf(c.conv, `{"type":"AcceptStatusEvent","status":"NACK","sequenceList":[0]}`, `,"metadata":[{"type":"ActionReason","reason":"x"}]`))
	require.Equal(t, 200, status, b)
	require.JSONEq(t, `[{"type":"ActionReason","reason":"x"}]`, string(c.detail().Transcript[0].Metadata))
}

func TestOpeningIsValidated(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	for members, says := range map[string]string{
		`"skillId":"orders"`: "skillId",
		`"skillId":2210`:     "wrong type",
		`"campaignInfo":{"campaignId":"","engagementId":"1"}`:           "campaignInfo",
		`"conversationContext":{"type":"SharkContext","visitorId":1}`:   "visitorId",
		`"conversationContext":{"type":"SharkContext","lang":"German"}`: "lang",
		`"conversationContext":{"type":"CustomContext","features":"x"}`: "features",
		`"conversationContext":{"type":"SharkContext","sessionId":""}`:  "sessionId",
		`"ttrDefName":"urgent"`: "ttrDefName",
	} {
		status, b := g.do("POST", openPath, c.header(), strings.Replace(openBody, `"brandId"`, members+`,"brandId"`, 1))
		require.Equal(t, 400, status, members)
		require.Contains(t, b, says)
	}
	c.openWith(`"skillId":"-1","ttrDefName":null,"conversationContext":{"type":"CustomContext","lang":"de"}`)
	require.Equal(t, "NORMAL", c.detail().TTR)
}
