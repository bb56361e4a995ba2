package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// opening is the one CONVERSATION request of a conversation, as Parley wrote it: the
// profile's and the conversation's part.
func (s *stack) opening(conversation string) (profile, conv tree) {
	s.t.Helper()
	calls := s.calls("conversation", in(conversation))
	require.Len(s.t, calls, 1)
	s.announces(calls[0])
	assert.Contains(s.t, calls[0].Path, "/messaging/consumer/conversation")
	batch := parsed(s.t, `{"batch":`+calls[0].Request.Body+`}`)["batch"].([]any)
	require.Len(s.t, batch, 2)
	profile, conv = batch[0].(map[string]any), batch[1].(map[string]any)
	assert.Equal(s.t, "userprofile.SetUserProfile", profile["type"])
	assert.Equal(s.t, "cm.ConsumerRequestConversation", conv["type"])
	assert.Equal(s.t, "MESSAGING", conv.at("body.channelType"))
	return profile, conv
}

// element is the data element of one type in a request that sets a profile.
func element(t testing.TB, request tree, kind, inside string) tree {
	t.Helper()
	list, _ := request.at("body.authenticatedData.lp_sdes").([]any)
	for _, e := range list {
		if m := tree(e.(map[string]any)); m["type"] == kind {
			return m[inside].(map[string]any)
		}
	}
	t.Errorf("no element %s in %v", kind, request)
	return tree{}
}

// everything is all that a channel can know of a consumer.
const everything = `{"firstName":"Mira","lastName":"%","phone":"+41790000000","email":"mira@example.org","language":"de-CH","gender":"OTHER",
	"company":"Kahn AG","age":{"year":1990,"month":2,"day":3},"contacts":[{"email":"work@example.org","phoneType":"WORK","phone":"+41440000000","country":"CH","region":"ZH"}],
	"customer":{"id":"C-77120","type":"gold","status":"active","balance":12.5,"currency":"CHF","socialId":"tg_998877","imei":"35","userName":"mira.k",
		"companySize":12,"companyBranch":"B1","accountName":"AN","role":"buyer","lastPayment":{"day":1,"month":2,"year":2026},
		"registration":{"day":4,"month":5,"year":2020},"loginStatus":"in"}}`

// knows tells the phone what its channel knows of the consumer.
func (p *phone) knows(profile string) {
	p.s.t.Helper()
	_, last, _ := strings.Cut(p.name, " ")
	p.s.must(http.MethodPut, p.path(""), map[string]any{"profile": parsed(p.s.t, strings.ReplaceAll(profile, "%", last))}, nil)
}

func TestRow_OpenConversationWithProfile(t *testing.T) {
	s := row(t)
	p := s.newPhone("web")
	p.name = "Mira Kahn-" + random(4)
	s.secret(p.name)
	p.knows(everything)
	p.says("Hello, here is all about me")
	id := p.conversation(1)
	profile, conv := s.opening(id)
	assert.Equal(t, site, conv.at("body.brandId"))

	personal := element(t, profile, "personal", "personal")
	assert.Equal(t, p.name, personal["firstname"].(string)+" "+personal["lastname"].(string))
	assert.Equal(t, "de-CH", personal["language"])
	assert.Equal(t, "OTHER", personal["gender"])
	assert.Equal(t, "Kahn AG", personal["company"])
	assert.EqualValues(t, 1990, personal.at("age.year"))
	contacts := personal["contacts"].([]any)
	require.Len(t, contacts, 2)
	assert.Equal(t, map[string]any{"email": "work@example.org", "phone": "+41440000000", "phoneType": "WORK",
		"address": map[string]any{"country": "CH", "region": "ZH"}}, contacts[1])
	customer := element(t, profile, "ctmrinfo", "info")
	for name, want := range map[string]any{
		"customerId": "C-77120", "ctype": "gold", "cstatus": "active", "balance": 12.5, "currency": "CHF", "socialId": "tg_998877", "imei": "35",
		"userName": "mira.k", "companySize": 12.0, "companyBranch": "B1", "accountName": "AN", "role": "buyer", "loginStatus": "in",
		"lastPaymentDate": map[string]any{"day": 1.0, "month": 2.0, "year": 2026.0}, "registrationDate": map[string]any{"day": 4.0, "month": 5.0, "year": 2020.0},
	} {
		assert.Equal(t, want, customer[name], name)
	}

	sms, other := s.opened("sms")
	profile, _ = s.opening(other)
	contacts = element(t, profile, "personal", "personal")["contacts"].([]any)
	assert.Equal(t, sms.consumer, contacts[0].(map[string]any)["phone"])
}

func TestRow_RouteByCampaign(t *testing.T) {
	s := row(t)
	_, id := s.opened("web-routed")
	_, conv := s.opening(id)
	assert.Equal(t, "3344", conv.at("body.campaignInfo.campaignId"))
	assert.Equal(t, "5566", conv.at("body.campaignInfo.engagementId"))
	assert.Equal(t, "SharkContext", conv.at("body.conversationContext.type"))
	assert.Equal(t, "de-CH", conv.at("body.conversationContext.lang"), "the channel's")
	for _, name := range []string{"visitorId", "sessionId", "interactionContextId"} {
		assert.NotEmpty(t, conv.at("body.conversationContext."+name), name)
	}
	d, err := s.detail(id)
	require.NoError(t, err)
	assert.Equal(t, "2210", d.Skill, "the campaign's")
	asked := s.calls("monitoring", about(d.Consumer))
	require.NotEmpty(t, asked)
	assert.Equal(t, []any{"sec://orders"}, parsed(t, asked[0].Request.Body)["entryPoints"])
	assert.Contains(t, asked[0].Path, "/app/"+s.env["PARLEY_ACCOUNT_MAIN_CLIENT_ID"]+"/engagement")
}

// Without an answer of the Monitoring API a conversation is opened all the same.
func TestRow_RouteByCampaignThatDoesNotAnswer(t *testing.T) {
	s := strained(t)
	s.breaks(simulator.Rule{Class: "monitoring", Do: "warm-up"})
	_, id := s.opened("web-routed")
	_, conv := s.opening(id)
	assert.Nil(t, conv.at("body.campaignInfo"))
}

func TestRow_RouteBySkill(t *testing.T) {
	s := row(t)
	p := s.newPhone("web-routed")
	p.says("Where is my INVOICE of last month?")
	id := p.conversation(1)
	_, conv := s.opening(id)
	assert.Equal(t, "2211", conv.at("body.skillId"))
	assert.Nil(t, conv.at("body.campaignInfo"))
	d, err := s.detail(id)
	require.NoError(t, err)
	assert.Equal(t, "2211", d.Skill)
}

func TestRow_SetUrgency(t *testing.T) {
	s := row(t)
	p := s.newPhone("web-routed")
	p.says("My router is burning right now")
	first := p.conversation(1)
	_, conv := s.opening(first)
	assert.Equal(t, "URGENT", conv.at("body.ttrDefName"))

	_, second := func() (*phone, string) {
		q, id := s.opened("web-routed")
		q.says("And now it is burning too")
		return q, id
	}()
	d := s.until(second, "the urgency is raised", func(d simulator.DetailView) bool { return d.TTR == "URGENT" })
	var raised []tree
	for _, m := range s.sent(d.ID) {
		if m["type"] == "cm.UpdateConversationField" {
			raised = append(raised, m)
		}
	}
	require.Len(t, raised, 1)
	assert.Equal(t, map[string]any{"field": "TTRField", "ttrType": "URGENT"}, raised[0].at("body.conversationField"))
}

func TestRow_SendText(t *testing.T) {
	s := row(t)
	p, id := s.opened("sms")
	const text = "Grüezi 👋\nzweite Zeile, \"mit\" <Zeichen> & \\"
	p.says(text)
	s.onDesk(id, text)
	sent := s.sent(id)
	last := sent[len(sent)-1]
	assert.Equal(t, "req", last["kind"])
	assert.Equal(t, "ms.PublishEvent", last["type"])
	assert.Equal(t, map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": text}, last.at("body.event"))
	assert.Equal(t, id, last.at("body.dialogId"))
	assert.Equal(t, id, last.at("body.conversationId"))
	ids := map[any]bool{}
	for _, m := range sent {
		assert.False(t, ids[m["id"]], "each request has an ID of its own")
		ids[m["id"]] = true
	}
}

func TestRow_MetadataAndExternalID(t *testing.T) {
	s := row(t)
	p, id := s.opened("web")
	p.says("This message bears an ID")
	s.onDesk(id, "This message bears an ID")
	for _, m := range s.sent(id) {
		list, _ := m["metadata"].([]any)
		if m.at("body.event.type") != "ContentEvent" {
			continue
		}
		require.Len(t, list, 1)
		external := list[0].(map[string]any)
		assert.Equal(t, "ExternalId", external["type"])
		assert.NotEmpty(t, external["id"])
		assert.LessOrEqual(t, len(external["id"].(string)), 64)
	}
	const given = `[{"type":"BotResponse","externalConversationId":"x-77","intents":[{"id":"i1","name":"parcel","confidenceScore":0.5}]}]`
	s.agent(id, "event", map[string]any{
		"event": map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": "A bot's answer"}, "metadata": parsed(t, `{"m":`+given+`}`)["m"],
	})
	p.gets("the bot's answer", saying("A bot's answer"))
	p.says("Thank you, bot") // lines of the journal are written with the next batch
	eventually(t, "what came along is in the journal", func() error {
		var detail string
		err := s.row("SELECT detail FROM journal WHERE what = 'metadata' AND conversation = $1", id).Scan(&detail)
		if err == nil {
			assert.JSONEq(t, given, detail)
		}
		return err
	})
}

func TestRow_UpdateProfileMidConversation(t *testing.T) {
	s := row(t)
	p, id := s.opened("web")
	p.says("Nothing has changed so far")
	s.onDesk(id, "Nothing has changed so far")
	d, err := s.detail(id)
	require.NoError(t, err)
	mine := func() (all []tree) {
		for _, w := range s.calls("send", about("userprofile.SetUserProfile")) {
			if strings.Contains(w.Request.Body, p.name) || strings.Contains(w.Request.Body, "C-"+p.consumer) {
				s.announces(w)
				all = append(all, parsed(t, w.Request.Body))
			}
		}
		return all
	}
	assert.Empty(t, mine(), "what is the same is not told again")
	p.event("profile", map[string]any{"profile": map[string]any{"customer": map[string]any{"id": "C-" + p.consumer, "type": "platinum"}}})
	s.until(id, "the agents see the new profile", func(d simulator.DetailView) bool { return strings.Contains(string(d.Profile), "platinum") })
	updates := mine()
	require.Len(t, updates, 1)
	assert.Equal(t, "platinum", element(t, updates[0], "ctmrinfo", "info")["ctype"])
	p.says("It is the same again now")
	s.onDesk(id, "It is the same again now")
	assert.Len(t, mine(), 1)
	assert.Equal(t, d.ID, p.conversation(1))
}

// Several accounts, and several channels of each, live in one process: each has its
// own way in, and nobody sees what is not theirs.
func TestRow_SeveralAccountsAndChannels(t *testing.T) {
	s := row(t)
	accounts := map[string]string{"sms": "main", "sms-two": "main", "web": "main", "web-told": "main", "sms-care": "care", "web-care": "care", "web-quiet": "quiet"}
	for channel, account := range accounts {
		p, id := s.opened(channel)
		d, err := s.detail(id)
		require.NoError(t, err)
		assert.Equal(t, account, d.Account, channel)
		p.hears(id, "This is for "+channel)
		assert.Len(t, mustConversations(p), 1)
	}
	// One telephone, two of our numbers of the same account: two conversations.
	p := s.newPhone("sms")
	q := &phone{s: s, channel: "sms-two", consumer: p.consumer, name: p.name}
	p.says("I write to the first number")
	q.says("I write to the second number")
	eventually(t, "each number has its conversation", func() error {
		n := 0
		for _, c := range []string{"I write to the first number", "I write to the second number"} {
			for _, w := range s.calls("send", about(c)) {
				if w.Status == http.StatusOK {
					n++
				}
			}
		}
		if n != 2 {
			return errNotYet
		}
		return nil
	})
	firsts, seconds := s.calls("send", about("I write to the first number")), s.calls("send", about("I write to the second number"))
	assert.NotEqual(t, firsts[0].Conversation, seconds[0].Conversation)
	// A webhook signed by one account is not taken for another's.
	status, _ := s.knock("/webhooks/liveperson/nobody", "application/json", "{}")
	assert.Equal(t, http.StatusNotFound, status)
}
