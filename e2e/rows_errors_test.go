package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// attempts are the answers that each attempt to send a text got, and the time
// between the first two.
func (s *stack) attempts(text string) (statuses []int, gap time.Duration) {
	s.t.Helper()
	var at []time.Time
	for _, w := range s.calls("send", about(text)) {
		when, err := time.Parse(time.RFC3339, w.At)
		require.NoError(s.t, err)
		statuses, at = append(statuses, w.Status), append(at, when)
	}
	if len(at) > 1 {
		gap = at[1].Sub(at[0])
	}
	return statuses, gap
}

func TestRow_ErrorsOfTheCloud(t *testing.T) {
	s := row(t)
	for _, c := range []struct {
		what     string
		rule     simulator.Rule
		statuses []int
		gap      time.Duration // at least
	}{
		{"an AppJWT that is not accepted is renewed", simulator.Rule{Do: "expire"}, []int{401, 200}, 0},
		{"a ConsumerJWS that is not accepted is renewed", simulator.Rule{Do: "reject-jws"}, []int{401, 200}, 0},
		{"too many requests", simulator.Rule{Do: "throttle"}, []int{429, 200}, time.Second},
		{"too many requests, and how long to wait", simulator.Rule{Do: "throttle", RetryAfter: 3}, []int{429, 200}, 3 * time.Second},
		{"500", simulator.Rule{Do: "fail-before", Status: 500}, []int{500, 200}, 5 * time.Second},
		{"503", simulator.Rule{Do: "fail-before", Status: 503}, []int{503, 200}, 5 * time.Second},
		{"500, after it was done", simulator.Rule{Do: "fail-after", Status: 500}, []int{500}, 0},
		{"no answer, after it was done", simulator.Rule{Do: "drop-after"}, []int{0}, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := s.as(t)
			p, id := s.opened("sms")
			text := "Words that meet trouble, " + random(6)
			c.rule.Class, c.rule.Count, c.rule.Match = "send", 1, text
			s.breaks(c.rule)
			p.says(text)
			p.says("Words behind them, " + p.name)
			s.onDesk(id, "Words behind them, "+p.name)
			d, err := s.detail(id)
			require.NoError(t, err)
			assert.Equal(t, []string{text, "Words behind them, " + p.name}, said(d)[1:], "once, and in order")
			statuses, gap := s.attempts(text)
			assert.Equal(t, c.statuses, statuses)
			assert.GreaterOrEqual(t, gap, c.gap)
		})
	}
	for _, status := range []int{400, 403, 404, 422} {
		t.Run(fmt.Sprint(status, " is final"), func(t *testing.T) {
			t.Parallel()
			s := s.as(t)
			p, id := s.opened("sms")
			text := "Words that are not wanted, " + random(6)
			s.breaks(simulator.Rule{Class: "send", Do: "fail-before", Status: status, Match: text})
			p.says(text)
			if status == http.StatusForbidden { // the account's matter, not the message's: it waits
				eventually(t, "it was tried", holds(func() bool { return s.broke(text) > 0 }))
				eventually(t, "somebody is asked to look", func() error {
					return s.found(1, fmt.Sprintf(`ParleyConversation = %q AND ParleyAttention = "parked"`, id))
				})
				return
			}
			p.says("Words behind them, " + p.name)
			s.onDesk(id, "Words behind them, "+p.name)
			statuses, _ := s.attempts(text)
			assert.Equal(t, []int{status}, statuses)
			eventually(t, "it is kept", func() error {
				var n int
				err := s.row("SELECT count(*) FROM dead_letters WHERE convert_from(body, 'UTF8') LIKE '%' || $1 || '%'", text).Scan(&n)
				if err == nil && n != 1 {
					err = errNotYet
				}
				return err
			})
		})
	}
}

// A message that meets a closed conversation goes into a new one, once.
func TestRow_MessageToClosedConversation(t *testing.T) {
	s := row(t)
	p, id := s.opened("web-quiet")
	text := "Words on their way while it closes, " + random(6)
	s.breaks(simulator.Rule{Class: "send", Do: "delay", DelayMs: 3000, Count: 1, Match: text})
	p.says(text)
	eventually(t, "it is on its way", holds(func() bool { return s.broke(text) == 1 }))
	s.agent(id, "close", nil)
	second := p.conversation(2)
	s.onDesk(second, text)
	p.says("And what comes behind it")
	s.onDesk(second, "And what comes behind it")
	statuses, _ := s.attempts(text)
	assert.Equal(t, []int{http.StatusBadRequest, http.StatusOK}, statuses)
	d, err := s.detail(second)
	require.NoError(t, err)
	assert.Equal(t, []string{text, "And what comes behind it"}, said(d))
	assert.Len(t, mustConversations(p), 2)
}

// api calls the cloud as a connector does that is not Parley.
func (s *stack) api(path string, header http.Header, contentType, body string) tree {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.far+path, strings.NewReader(body))
	require.NoError(s.t, err)
	for name, v := range header {
		r.Header[name] = v
	}
	r.Header.Set("Content-Type", contentType)
	response, err := s.http.Do(r)
	require.NoError(s.t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, 2, response.StatusCode/100, "%s: %s", path, b)
	if b = bytes.TrimSpace(b); b[0] == '[' {
		b = fmt.Appendf(nil, `{"batch":%s}`, b)
	}
	return parsed(s.t, string(b))
}

// opensAlone opens a conversation for a consumer without Parley, and returns its ID.
func (s *stack) opensAlone(account, consumer string) string {
	s.t.Helper()
	env := func(name string) string { return s.env["PARLEY_ACCOUNT_"+strings.ToUpper(account)+"_"+name] }
	site, form := env("SITE_ID"), url.Values{"client_id": {env("CLIENT_ID")}, "client_secret": {env("CLIENT_SECRET")}}
	app := s.api("/sentinel/api/account/"+site+"/app/token?v=1.0&grant_type=client_credentials", nil, "application/x-www-form-urlencoded", form.Encode())
	header := http.Header{"Authorization": {app["access_token"].(string)}}
	ext, err := json.Marshal(map[string]string{"ext_consumer_id": consumer})
	require.NoError(s.t, err)
	jws := s.api("/api/account/"+site+"/consumer?v=1.0", header, "application/json", string(ext))
	header["X-Lp-On-Behalf"] = []string{jws["token"].(string)}
	got := s.api("/api/account/"+site+"/messaging/consumer/conversation?v=3", header, "application/json", fmt.Sprintf(
		`[{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{}},{"kind":"req","id":"2","type":"cm.ConsumerRequestConversation","body":{"brandId":%q}}]`, site))
	return tree(got["batch"].([]any)[1].(map[string]any)).at("body.conversationId").(string)
}

// Where CONVERSATION is refused because there is one, that one is used.
func TestRow_ConversationThatIsOpenAlready(t *testing.T) {
	s := strained(t)
	s.set(`{"engagements":[{"campaignId":"3344","engagementId":"5599"}]}`)
	p, first := s.opened("web-quiet")
	d, err := s.detail(first)
	require.NoError(t, err)
	s.agent(first, "close", nil)
	s.over(first)
	eventually(t, "the conversation's workflow has ended", func() error {
		return s.found(1, fmt.Sprintf(`ParleyConversation = %q AND ExecutionStatus = "Completed"`, first))
	})
	s.fault(simulator.Faults{Webhooks: simulator.WebhookFaults{Hold: true}}) // nobody tells
	second := s.opensAlone("quiet", d.Consumer)
	p.says("Words for the one that is open")
	s.onDesk(second, "Words for the one that is open")
	refused := s.calls("conversation", func(w simulator.Wire) bool { return w.Status == http.StatusBadRequest })
	require.Len(t, refused, 1)
	assert.Contains(t, refused[0].Response.Body, "already has an open conversation")
	s.fault(simulator.Faults{})
	p.hears(second, "I see you")
	assert.Len(t, mustConversations(p), 2)
}

// The answer to CONVERSATION is lost: there is one conversation all the same.
func TestRow_AnswerToConversationIsLost(t *testing.T) {
	s := row(t)
	p := s.newPhone("sms")
	s.breaks(simulator.Rule{Class: "conversation", Do: "drop-after", Count: 1, Match: p.consumer})
	p.says("Is anybody there, please? " + p.name)
	id := p.conversation(1)
	s.onDesk(id, "Is anybody there, please? "+p.name)
	p.hears(id, "Yes, I am here")
	assert.Len(t, mustConversations(p), 1)
}

// An AppJWT is renewed before it ends, and by one caller for all.
func TestRow_TokensAreRenewed(t *testing.T) {
	s := strained(t)
	var phones []*phone
	var ids []string
	for range 12 {
		p := s.newPhone("web")
		p.says("The first words of " + p.name)
		phones = append(phones, p)
	}
	for _, p := range phones {
		id := p.conversation(1)
		s.onDesk(id, "The first words of "+p.name)
		ids = append(ids, id)
	}
	tokens := func() int { return len(s.calls("token", func(w simulator.Wire) bool { return w.Account == "main" })) }
	before := tokens()
	s.set(`{"appJwtLifetimeSec":12}`)
	s.must(http.MethodPost, "/sim/expire-tokens", map[string]string{"account": "main"}, nil)
	var wg sync.WaitGroup
	for _, p := range phones {
		wg.Go(func() {
			_, err := p.send("Words with no valid token, "+p.name, false)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	for i, p := range phones {
		s.onDesk(ids[i], "Words with no valid token, "+p.name)
	}
	assert.Equal(t, before+1, tokens(), "one renewed it for all")

	refused := func() int {
		return len(s.calls("send", func(w simulator.Wire) bool { return w.Account == "main" && w.Status == http.StatusUnauthorized }))
	}
	was, until := refused(), tokens()+1
	for i := 0; tokens() < until; i++ {
		text := fmt.Sprintf("Words %d while tokens come and go", i)
		phones[0].says(text)
		s.onDesk(ids[0], text)
		require.Less(t, i, 2000)
	}
	assert.Equal(t, was, refused(), "renewed before it ended")
}

// An account whose far side is down does not slow the others: after a few attempts
// nothing is tried there for a while, and then one call looks whether it is back.
func TestRow_DeadAccountDoesNotSlowOthers(t *testing.T) {
	s := row(t)
	require.NoError(t, gone.leads(s.far))
	gone.off.Store(true)
	const consumers = 30
	var phones []*phone
	for range consumers {
		p := s.newPhone("web-gone")
		p.says("Is anybody there, please? " + p.name)
		phones = append(phones, p)
	}
	circuit := func(value int) func() bool {
		return func() bool {
			_, metrics, err := s.get("http://" + s.workers[0].ops + "/metrics")
			require.NoError(t, err)
			return strings.Contains(metrics, fmt.Sprintf("parley_circuit_open{account=\"gone\"} %d\n", value))
		}
	}
	other := func(when string) {
		began := time.Now()
		p, id := s.opened("web")
		p.hears(id, "I am there at once")
		t.Logf("a conversation of another account took %s %s", time.Since(began).Round(time.Millisecond), when)
	}
	other("while nobody answers there")
	eventually(t, "the account is taken to be down", holds(circuit(1)))
	other("while nobody is asked there")
	met := gone.refused.Load()
	gone.off.Store(false)
	for _, p := range phones {
		eventuallyWithin(t, 3*patience, "everything arrives when the account is back", p.arrived)
	}
	eventually(t, "the account is taken to be up", holds(circuit(0)))
	t.Logf("%d requests met nobody", met)
	for _, p := range phones {
		assert.Len(t, mustConversations(p), 1)
	}
}
