package pagetest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// miniParley does what Parley does, in memory and one event after the other, so
// that the page can be driven without a database and without Temporal.
type miniParley struct {
	t      *testing.T
	srv    *httptest.Server
	client *http.Client
	work   chan func()
	done   chan struct{}

	mu     sync.Mutex
	far    string // the simulator
	refuse int    // what webhooks are answered with, instead of 2xx

	app   string
	jws   map[address]string
	open  map[address]*talk
	convs map[string]*talk
	sent  map[string]mark // by the provider's id
	next  int
}

type address struct{ channel, consumer string }

type mark struct {
	talk     *talk
	sequence int
}

// talk is one conversation.
type talk struct {
	at     address
	id     string
	dialog string         // the one that is open: MAIN, or the survey bot's
	refs   map[int]string // the provider's ids of the consumer's messages, by sequence
	offers []offer        // what can be clicked, the newest last
	closed bool
	asked  int // 0 nothing, 1 the rating, 2 whether it was solved
	rate   int
}

func newMiniParley(t *testing.T) *miniParley {
	p := &miniParley{
		t: t, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, work: make(chan func(), 1000), done: make(chan struct{}),
		jws: map[address]string{}, open: map[address]*talk{}, convs: map[string]*talk{}, sent: map[string]mark{},
	}
	p.srv = httptest.NewServer(http.HandlerFunc(p.webhook))
	go func() {
		defer close(p.done)
		for f := range p.work {
			f()
		}
	}()
	return p
}

func (p *miniParley) close() {
	p.srv.Close()
	close(p.work)
	<-p.done
	p.client.CloseIdleConnections()
}

// talkTo names the far side.
func (p *miniParley) talkTo(far string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.far = far
}

func (p *miniParley) at(path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.far + path
}

func (p *miniParley) refuseWith(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = status
}

func (p *miniParley) webhook(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	refuse := p.refuse
	p.mu.Unlock()
	if refuse != 0 {
		w.WriteHeader(refuse)
		return
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/webhooks/liveperson/"):
		p.work <- func() { p.notified(body) }
	case path == "/webhooks/channels/sms":
		form, _ := url.ParseQuery(string(body))
		p.work <- func() {
			p.wrote(address{"sms", form.Get("From")}, said{ref: form.Get("MessageSid"), text: form.Get("Body"), files: mmsFiles(form)})
		}
	case path == "/webhooks/channels/sms/status":
		form, _ := url.ParseQuery(string(body))
		p.work <- func() { p.receipt(form.Get("MessageSid"), form.Get("MessageStatus")) }
	default:
		p.work <- func() { p.events(body) }
		w.WriteHeader(http.StatusAccepted)
	}
}

// events are those of the http channel.
func (p *miniParley) events(body []byte) {
	var in struct {
		Events []struct {
			Type         string
			Typing       bool
			Conversation struct {
				Participant struct{ ID, DisplayName, Language string }
			}
			Message struct {
				ID, Text    string
				Choice      struct{ ID, Title string }
				Attachments []attached
			}
			Status struct{ MessageID, State string }
		}
	}
	_ = json.Unmarshal(body, &in)
	for _, e := range in.Events {
		at := address{"web", e.Conversation.Participant.ID}
		talk := p.open[at]
		switch e.Type {
		case "message", "reply":
			p.wrote(at, said{
				name: e.Conversation.Participant.DisplayName, language: e.Conversation.Participant.Language, ref: e.Message.ID,
				text: e.Message.Text + e.Message.Choice.Title, choice: e.Message.Choice.ID, files: e.Message.Attachments,
			})
		case "typing":
			state := map[bool]string{true: "COMPOSING", false: "ACTIVE"}[e.Typing]
			if talk != nil && !talk.closed {
				p.publish(talk, map[string]any{"type": "ChatStateEvent", "chatState": state})
			}
		case "status":
			p.receipt(e.Status.MessageID, e.Status.State)
		case "close":
			if talk != nil && !talk.closed {
				p.field(talk, map[string]any{"field": "ConversationStateField", "conversationState": "CLOSE"})
			}
		}
	}
}

// said is what a consumer wrote, chose or sent.
type said struct {
	name, language, ref, text, choice string
	files                             []attached
}

// wrote is a message of the consumer's: content, a click, or an answer to a survey.
func (p *miniParley) wrote(at address, m said) {
	talk := p.open[at]
	if talk != nil && talk.closed {
		p.answered(talk, m.text)
		return
	}
	if talk == nil {
		talk = p.begin(at, m)
	}
	if p.clicked(talk, m) {
		return
	}
	if m.text != "" {
		seq := p.publish(talk, map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": m.text})
		talk.refs[seq] = m.ref
	}
	for _, f := range m.files {
		talk.refs[p.passOn(talk, f)] = m.ref
	}
}

func (p *miniParley) begin(at address, m said) *talk {
	personal := map[string]any{}
	if first, last, ok := strings.Cut(m.name, " "); ok {
		personal["firstname"], personal["lastname"] = first, last
	}
	if m.language != "" {
		personal["language"] = m.language
	}
	if at.channel == "sms" {
		personal["contacts"] = []any{map[string]string{"phone": at.consumer, "phoneType": "MOBILE"}}
	}
	var out []struct {
		Body struct{ ConversationID string }
	}
	p.call("POST", "/api/account/40112233/messaging/consumer/conversation?v=3", at, []any{
		map[string]any{"kind": "req", "id": "1", "type": "userprofile.SetUserProfile", "body": map[string]any{"authenticatedData": map[string]any{
			"lp_sdes": []any{map[string]any{"type": "personal", "personal": personal}}}}},
		map[string]any{"kind": "req", "id": "2", "type": "cm.ConsumerRequestConversation", "body": map[string]any{
			"brandId": "40112233", "skillId": "2210", "campaignInfo": map[string]string{"campaignId": "3344", "engagementId": "5566"},
		}},
	}, &out)
	if len(out) < 2 {
		p.t.Error("CONVERSATION was not answered as expected")
		return &talk{at: at, refs: map[int]string{}}
	}
	k := &talk{at: at, id: out[1].Body.ConversationID, refs: map[int]string{}}
	k.dialog = k.id
	p.open[at], p.convs[k.id] = k, k
	return k
}

// answered takes the two answers of the survey.
func (p *miniParley) answered(k *talk, text string) {
	if k.asked == 1 {
		k.rate, _ = strconv.Atoi(text)
		k.asked = 2
		p.deliver(k, -1, "Was your issue solved?", []option{{ID: "yes", Title: "Yes"}, {ID: "no", Title: "No"}})
		return
	}
	p.field(k, map[string]any{
		"field": "CSATRate", "csatRate": k.rate, "csatResolutionConfirmation": strings.EqualFold(text, "yes"), "status": "FILLED",
	})
	delete(p.open, k.at)
	p.deliver(k, -1, "Thank you!", nil)
}

// receipt is what the channel says about a message of ours.
func (p *miniParley) receipt(id, state string) {
	m, ok := p.sent[id]
	status := map[string]string{"delivered": "ACCEPT", "read": "READ"}[state]
	if ok && m.sequence >= 0 && status != "" && !m.talk.closed {
		p.publish(m.talk, map[string]any{"type": "AcceptStatusEvent", "status": status, "sequenceList": []int{m.sequence}})
	}
}

// notified is a webhook of the cloud.
func (p *miniParley) notified(body []byte) {
	var in struct {
		Body struct{ Changes []change }
	}
	_ = json.Unmarshal(body, &in)
	for _, c := range in.Body.Changes {
		k := p.convs[c.ConversationID+c.Result.ConvID]
		switch {
		case k == nil || c.OriginatorMetadata.Role == "CONSUMER":
		case c.Result.ConvID != "":
			p.stands(k, c)
		case (c.Event.Type == "ContentEvent" || c.Event.Type == "RichContentEvent") && c.MessageAudience != "AGENTS_AND_MANAGERS":
			p.content(k, c)
		case c.Event.Type == "ChatStateEvent":
			p.provider(k, map[string]any{"kind": "typing", "typing": c.Event.ChatState == "COMPOSING"})
		case c.Event.Type == "AcceptStatusEvent" && c.Event.Status == "READ":
			var refs []string
			for _, n := range c.Event.SequenceList {
				if k.refs[n] != "" {
					refs = append(refs, k.refs[n])
				}
			}
			if len(refs) > 0 {
				p.provider(k, map[string]any{"kind": "read", "messageIds": refs})
			}
		}
	}
}

func five() []option {
	var all []option
	for i := 1; i <= 5; i++ {
		all = append(all, option{ID: fmt.Sprint("rate_", i), Title: strconv.Itoa(i)})
	}
	return all
}

func (p *miniParley) deliver(k *talk, sequence int, text string, choices []option) {
	if k.at.channel == "sms" {
		p.sms(k, sequence, text, "")
		return
	}
	out := map[string]any{"kind": "text", "text": text}
	if choices != nil {
		out["kind"], out["choices"] = "choices", choices
	}
	p.sent[p.provider(k, out)] = mark{k, sequence}
}

// provider posts to the http channel, signed by Standard Webhooks.
func (p *miniParley) provider(k *talk, out map[string]any) string {
	if k.at.channel != "web" {
		return ""
	}
	p.next++
	id, at := fmt.Sprint("mini-", p.next), strconv.FormatInt(time.Now().Unix(), 10)
	out["id"], out["conversation"] = id, map[string]string{"id": "c-" + k.at.consumer}
	body, _ := json.Marshal(out)
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(whsec, "whsec_"))
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	r, _ := http.NewRequest(http.MethodPost, p.at("/provider/http/web"), bytes.NewReader(body))
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id}, "Webhook-Timestamp": {at},
		"Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
	var answer struct{ MessageID string }
	p.do(r, &answer)
	return answer.MessageID
}

func (p *miniParley) publish(k *talk, event map[string]any) int {
	var out struct{ Body struct{ Sequence int } }
	p.next++
	p.call("POST", sendPath, k.at, map[string]any{
		"kind": "req", "id": strconv.Itoa(p.next), "type": "ms.PublishEvent", "body": map[string]any{"dialogId": k.dialog, "event": event},
		"metadata": []any{map[string]string{"type": "ExternalId", "id": fmt.Sprintf("%032x", p.next)}},
	}, &out)
	return out.Body.Sequence
}

func (p *miniParley) field(k *talk, field map[string]any) {
	p.call("POST", sendPath, k.at, map[string]any{
		"kind": "req", "id": "1", "type": "cm.UpdateConversationField", "body": map[string]any{"conversationId": k.id, "conversationField": field},
	}, nil)
}

const sendPath = "/api/account/40112233/messaging/consumer/conversation/send?v=3"

// call is a request on behalf of a consumer.
func (p *miniParley) call(method, path string, at address, body, out any) {
	if p.app == "" {
		form := url.Values{"client_id": {"client-1"}, "client_secret": {"secret-1"}}
		r, _ := http.NewRequest(http.MethodPost, p.at("/sentinel/api/account/40112233/app/token?v=1.0&grant_type=client_credentials"), strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var token struct {
			AccessToken string `json:"access_token"`
		}
		p.do(r, &token)
		p.app = token.AccessToken
	}
	if p.jws[at] == "" {
		var token struct{ Token string }
		p.do(p.request(http.MethodPost, "/api/account/40112233/consumer?v=1.0", "", map[string]string{"ext_consumer_id": at.channel + "/" + at.consumer}), &token)
		p.jws[at] = token.Token
	}
	p.do(p.request(method, path, p.jws[at], body), out)
}

func (p *miniParley) request(method, path, jws string, body any) *http.Request {
	b, _ := json.Marshal(body)
	r, _ := http.NewRequest(method, p.at(path), bytes.NewReader(b))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", p.app)
	r.Header.Set("Client-Properties", `{"type": ".ClientProperties", "features": ["RICH_CONTENT", "QUICK_REPLIES", "MULTI_DIALOG", "PHOTO_SHARING", "FILE_SHARING"]}`)
	if jws != "" {
		r.Header.Set("X-LP-ON-BEHALF", jws)
	}
	return r
}

func (p *miniParley) do(r *http.Request, out any) {
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Log("a far side did not answer:", err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode > 299 {
		p.t.Logf("%s: %d %s", r.URL.Path, res.StatusCode, b)
	}
	if out != nil {
		_ = json.Unmarshal(b, out)
	}
}
