package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const messages = "/2010-04-01/Accounts/AC1/Messages.json"

var phonePath = "/sim/phones/sms/" + url.PathEscape(number1)

// sms sends as Parley would, with changes to the form.
func (g *rig) sms(change url.Values) (int, string) {
	g.t.Helper()
	form := url.Values{"To": {number1}, "From": {"+15550100900"}, "Body": {"It ships tomorrow."}}
	for k, v := range change {
		form[k] = v
		if v[0] == "" {
			delete(form, k)
		}
	}
	r, err := http.NewRequest("POST", g.url+messages, strings.NewReader(form.Encode()))
	require.NoError(g.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("AC1", "tok-demo")
	res, err := g.http.Do(r)
	require.NoError(g.t, err)
	defer func() { _ = res.Body.Close() }()
	var b strings.Builder
	_, _ = copyTo(&b, res)
	return res.StatusCode, b.String()
}

func TestTwilioIsStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	for name, tc := range map[string]struct {
		form url.Values
		code string
	}{
		"no To":        {url.Values{"To": {""}}, "21604"},
		"bad To":       {url.Values{"To": {"0791234567"}}, "21211"},
		"no From":      {url.Values{"From": {""}}, "21603"},
		"another From": {url.Values{"From": {"+15550100999"}}, "21606"},
		"no Body":      {url.Values{"Body": {""}}, "21602"},
		"1601":         {url.Values{"Body": {strings.Repeat("ü", 1601)}}, "21617"},
		"bad callback": {url.Values{"StatusCallback": {"nowhere"}}, "21609"},
	} {
		status, b := g.sms(tc.form)
		require.Equal(t, 400, status, name)
		var e struct {
			Code, Status int
			Message      string
			MoreInfo     string `json:"more_info"`
		}
		require.NoError(t, json.Unmarshal([]byte(b), &e))
		require.Equal(t, tc.code, strconv.Itoa(e.Code), name)
		require.NotEmpty(t, e.Message)
	}
	status, b := g.sms(url.Values{"Body": {strings.Repeat("ü", 1600)}})
	require.Equal(t, 201, status, b)
	status, b = g.do("POST", messages, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "")
	require.Equal(t, 401, status)
	require.Contains(t, b, "20003")
}

func TestSMSStatusCallbacks(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"smsDelayMs":1}`)
	callback := g.home + "/webhooks/channels/sms/status?message=abc"
	status, b := g.sms(url.Values{"StatusCallback": {callback}})
	require.Equal(t, 201, status)
	sid := field1(t, b, "sid")
	require.Regexp(t, `^SM[0-9a-f]{32}$`, sid)
	require.Equal(t, "queued", field1(t, b, "status"))
	eventually(t, "two callbacks", func() bool { return len(g.parley.all()) == 2 })
	var states []string
	for _, a := range g.parley.all() {
		form, err := url.ParseQuery(string(a.body))
		require.NoError(t, err)
		require.Equal(t, sid, form.Get("MessageSid"))
		require.Equal(t, "/webhooks/channels/sms/status?message=abc", a.path)
		require.Equal(t, twilioSignature("tok-demo", callback, form), a.header.Get("X-Twilio-Signature"))
		states = append(states, form.Get("MessageStatus"))
	}
	require.Equal(t, []string{"sent", "delivered"}, states)

	g.must("PUT", phonePath, `{"delivery":"undelivered","code":"30005"}`, nil)
	g.sms(url.Values{"StatusCallback": {callback}})
	eventually(t, "two more", func() bool { return len(g.parley.all()) == 4 })
	form, _ := url.ParseQuery(string(g.parley.all()[3].body))
	require.Equal(t, "undelivered", form.Get("MessageStatus"))
	require.Equal(t, "30005", form.Get("ErrorCode"))

	var p PhoneView
	g.must("GET", phonePath, "", &p)
	require.Equal(t, []string{"delivered", "undelivered"}, []string{p.Thread[0].Status, p.Thread[1].Status})
	require.Equal(t, map[string]int{"It ships tomorrow.": 2}, p.Counters.DoubledTexts)
	require.Equal(t, "message=abc", p.Thread[0].Ref)
}

func TestPublicURLIsSignedAndReached(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"smsDelayMs":0}`)
	g.sim.cfg.PublicURL = "https://parley.example.test/in"
	var out posted
	g.must("POST", phonePath+"/text", `{"text":"Hello","eventId":"SM00000000000000000000000000000001"}`, &out)
	require.Equal(t, 200, out.Status)
	a := g.parley.all()[0]
	require.Equal(t, "/webhooks/channels/sms", a.path)
	form, _ := url.ParseQuery(string(a.body))
	require.Equal(t, "SM00000000000000000000000000000001", form.Get("MessageSid"))
	require.Equal(t, number1, form.Get("From"))
	require.Equal(t, twilioSignature("tok-demo", "https://parley.example.test/in/webhooks/channels/sms", form), a.header.Get("X-Twilio-Signature"))
	g.sms(url.Values{"StatusCallback": {"https://parley.example.test/in/webhooks/channels/sms/status"}})
	eventually(t, "callback", func() bool { return len(g.parley.all()) == 3 })
	require.Equal(t, "/webhooks/channels/sms/status", g.parley.all()[1].path)
}

func TestOptOut(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"smsStatus":false}`)
	g.must("POST", phonePath+"/text", `{"text":" stop "}`, nil)
	require.Len(t, g.parley.all(), 1, "STOP still reaches the webhook")
	status, b := g.sms(nil)
	require.Equal(t, 400, status)
	require.Contains(t, b, "21610")
	g.must("POST", phonePath+"/text", `{"text":"start again?"}`, nil)
	status, _ = g.sms(nil)
	require.Equal(t, 400, status, "only the word alone counts")
	g.must("POST", phonePath+"/text", `{"text":"START"}`, nil)
	status, _ = g.sms(nil)
	require.Equal(t, 201, status)
	var p PhoneView
	g.must("GET", phonePath, "", &p)
	require.Equal(t, 1, p.Counters.Received)
	require.Equal(t, 2, p.Counters.Rejected)
}

func TestDuplicatesAndRetries(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	body := `{"text":"once","eventId":"SM1","retry":true}`
	g.parley.answer(func(n int, _ arrival) int {
		if n < 3 {
			return 503
		}
		return 200
	})
	var out posted
	g.must("POST", phonePath+"/text", body, &out)
	require.Equal(t, 3, out.Attempts)
	require.Equal(t, 200, out.Status)
	g.must("POST", phonePath+"/text", body, nil)
	all := g.parley.all()
	require.Len(t, all, 4)
	require.Equal(t, all[0].body, all[3].body)
	var p PhoneView
	g.must("GET", phonePath, "", &p)
	require.Len(t, p.Thread, 1, "the phone shows it once")
	require.Equal(t, "accepted", p.Thread[0].Status)
	require.Equal(t, all[0].header.Get("I-Twilio-Idempotency-Token"), all[1].header.Get("I-Twilio-Idempotency-Token"))

	require.NoError(t, g.sim.SetParleyURL("http://127.0.0.1:1"))
	g.must("POST", phonePath+"/text", `{"text":"lost"}`, &out)
	require.Equal(t, posted{EventID: out.EventID, MessageID: out.MessageID, Status: 0, Attempts: 2, Ms: out.Ms, Error: out.Error}, out,
		"Twilio tries once more when the connection failed")
	require.NotEmpty(t, out.Error)
}

// deliver posts to the http provider as Parley would.
func (g *rig) deliver(id, body string) (int, string) {
	g.t.Helper()
	keys, _ := webhookKeys([]string{whsec})
	at := strconv.FormatInt(time.Now().Unix(), 10)
	return g.do("POST", "/provider/http/web", map[string]string{
		"Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": at, "webhook-signature": standardSignature(keys[0], id, at, []byte(body)),
	}, body)
}

func TestHTTPChannel(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	keys, _ := webhookKeys([]string{whsec})
	var out posted
	g.must("POST", "/sim/phones/web/u-42/text", `{"text":"Hello","name":"Ada","eventId":"evt_1","messageId":"m-900"}`, &out)
	require.Equal(t, "m-900", out.MessageID)
	a := g.parley.all()[0]
	require.NoError(t, verifyStandard(keys, a.header, a.body, time.Now()))
	require.Equal(t, "evt_1", a.header.Get("webhook-id"))
	var in struct{ Events []map[string]any }
	require.NoError(t, json.Unmarshal(a.body, &in))
	delete(in.Events[0], "time")
	require.Equal(t, map[string]any{
		"id": "evt_1", "type": "message", "conversation": map[string]any{"id": "c-u-42", "participant": map[string]any{"id": "u-42", "displayName": "Ada"}},
		"message": map[string]any{"id": "m-900", "text": "Hello"},
	}, in.Events[0])

	text := `{"id":"out-id-1","conversation":{"id":"c-u-42"},"kind":"choices","text":"Solved?","choices":[{"id":"y","title":"Yes"}]}`
	status, b := g.deliver("out-id-1", text)
	require.Equal(t, 200, status, b)
	id := field1(t, b, "messageId")
	status, again := g.deliver("out-id-1", text)
	require.Equal(t, 200, status)
	require.Equal(t, b, again, "the same webhook-id is answered the same")
	eventually(t, "receipt", func() bool { return len(g.parley.all()) == 2 })
	require.Contains(t, string(g.parley.all()[1].body), `"status":{"messageId":"`+id+`","state":"delivered"}`)

	g.deliver("t1", `{"conversation":{"id":"c-u-42"},"kind":"typing","typing":true}`)
	g.deliver("r1", `{"conversation":{"id":"c-u-42"},"kind":"read","messageIds":["m-900"]}`)
	var p PhoneView
	g.must("GET", "/sim/phones/web/u-42", "", &p)
	require.True(t, p.Typing)
	require.True(t, p.Thread[0].Read)
	require.Equal(t, PhoneCounters{Received: 1, Repeats: 1, Posted: 1, Acknowledged: 1, Typing: 1, DoubledTexts: map[string]int{}}, p.Counters)

	for _, path := range []string{"/choice", "/typing", "/read", "/close"} {
		g.must("POST", "/sim/phones/web/u-42"+path, `{"messageId":"`+id+`","id":"y","title":"Yes","on":true}`, &out)
		require.Equal(t, 200, out.Status, path)
	}
	var kinds []string
	for _, a := range g.parley.all()[2:] {
		require.NoError(t, verifyStandard(keys, a.header, a.body, time.Now()))
		require.NoError(t, json.Unmarshal(a.body, &in))
		kinds = append(kinds, in.Events[0]["type"].(string))
	}
	require.Equal(t, []string{"reply", "typing", "status", "close"}, kinds)
	require.Equal(t, 409, g.control("POST", phonePath+"/typing", `{"on":true}`, nil))
	g.must("POST", "/sim/phones/web/u-42/status", `{"messageId":"`+id+`","state":"failed","code":"x"}`, nil)
}

func TestHTTPProviderIsStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	for name, body := range map[string]string{
		"no JSON": `x`, "no conversation": `{"id":"1","kind":"text","text":"x"}`, "no id": `{"conversation":{"id":"c-1"},"kind":"text","text":"x"}`,
		"no text": `{"id":"1","conversation":{"id":"c-1"},"kind":"text"}`, "unknown kind": `{"id":"1","conversation":{"id":"c-1"},"kind":"smoke"}`,
		"no choices": `{"id":"1","conversation":{"id":"c-1"},"kind":"choices","text":"x"}`, "typing what": `{"conversation":{"id":"c-1"},"kind":"typing"}`,
		"read what": `{"conversation":{"id":"c-1"},"kind":"read"}`,
	} {
		status, b := g.deliver("1", body)
		require.Equal(t, 400, status, name)
		require.Contains(t, b, `"class":"permanent"`)
	}
	status, b := g.do("POST", "/provider/http/web", map[string]string{"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}, `{}`)
	require.Equal(t, 401, status)
	require.Contains(t, b, `"class":"auth"`)
	status, _ = g.deliver("1", `{"id":"1","conversation":{"id":"elsewhere"},"kind":"text","text":"x"}`)
	require.Equal(t, 404, status)
	require.EqualValues(t, 10, g.sim.totals().Phones.Rejected)
}

func TestHTTPRepeatAfterLostAnswer(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"httpReceipts":false}`)
	g.rule(`{"class":"http","do":"fail-after","count":1}`)
	text := `{"id":"1","conversation":{"id":"c-u"},"kind":"text","text":"x"}`
	status, _ := g.deliver("1", text)
	require.Equal(t, 503, status)
	status, _ = g.deliver("1", text)
	require.Equal(t, 200, status)
	var p PhoneView
	g.must("GET", "/sim/phones/web/u", "", &p)
	require.Len(t, p.Thread, 1)
	require.Equal(t, 1, p.Thread[0].Repeats)
}

func TestEmitToChannel(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	var d delivery
	g.must("POST", "/sim/channels/web/emit?eventId=e1", `{"events":[{"weird":1}]}`, &d)
	require.Equal(t, 200, d.Status)
	g.must("POST", "/sim/channels/web/emit?signature=none", `{}`, nil)
	g.must("POST", "/sim/channels/sms/emit?route=status", `MessageSid=SM1`, nil)
	g.must("POST", "/sim/channels/sms/emit?signature=bad", `MessageSid=SM1`, nil)
	all := g.parley.all()
	require.Equal(t, `{"events":[{"weird":1}]}`, string(all[0].body))
	require.Empty(t, all[1].header.Get("webhook-signature"))
	require.Equal(t, "/webhooks/channels/sms/status", all[2].path)
	form, _ := url.ParseQuery(string(all[2].body))
	require.Equal(t, twilioSignature("tok-demo", g.home+"/webhooks/channels/sms/status", form), all[2].header.Get("X-Twilio-Signature"))
	require.NotEqual(t, twilioSignature("tok-demo", g.home+"/webhooks/channels/sms", form), all[3].header.Get("X-Twilio-Signature"))
}

// The desk shows whose phone it is: by the profile's number, else by the text.
func TestPhoneOfAConversation(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	g.must("POST", phonePath+"/text", `{"text":"hello"}`, nil)
	g.must("POST", "/sim/phones/web/u-7/text", `{"text":"from the web"}`, nil)
	known, guessed := g.consumer("known"), g.consumer("guessed")
	status, b := g.do("POST", openPath, known.header(), strings.Replace(openBody, `"body":{}`,
		`"body":{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"contacts":[{"phone":"`+number1+`","phoneType":"MOBILE"}]}}]}}`, 1))
	require.Equal(t, 200, status, b)
	guessed.open()
	guessed.send(textOf(guessed.conv, "from the web", ""))
	var list struct{ Conversations []ConversationView }
	g.must("GET", "/sim/conversations?consumer=known", "", &list)
	require.Equal(t, &phoneRef{"sms", number1}, list.Conversations[0].Phone)
	g.must("GET", "/sim/conversations?consumer=guessed", "", &list)
	require.Equal(t, &phoneRef{"web", "u-7"}, list.Conversations[0].Phone)
}
