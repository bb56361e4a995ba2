package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// httpError is the error envelope of the http channel.
func httpError(status int, code, class, message string) *reply {
	return &reply{status: status, reason: message, body: map[string]any{
		"error": map[string]string{"code": code, "class": class, "message": message},
	}}
}

func permanent(message string) *reply {
	return httpError(http.StatusBadRequest, "invalid", "permanent", message)
}

// outbound is what Parley posts for a consumer of the http channel.
type outbound struct {
	ID           string `json:"id"`
	Conversation *struct {
		ID string `json:"id"`
	} `json:"conversation"`
	Kind       string         `json:"kind"`
	Text       string         `json:"text"`
	Choices    []choiceView   `json:"choices"`
	Blocks     []webBlock     `json:"blocks"`
	Attachment *webAttachment `json:"attachment"`
	Part       int            `json:"part"`
	Parts      int            `json:"parts"`
	Typing     *bool          `json:"typing"`
	MessageIDs []string       `json:"messageIds"`
}

// httpReceive is POST /provider/http/{channel}.
func (s *Simulator) httpReceive(c *call) reply {
	c.seen.summary = "http channel"
	ch := s.channel(c.r.PathValue("channel"))
	if ch == nil || ch.cfg.Kind != kindHTTP {
		return *httpError(http.StatusNotFound, "unknown", "permanent", "unknown channel")
	}
	c.seen.channel = ch.cfg.Name
	if err := verifyStandard(ch.keys, c.r.Header, c.body, s.now()); err != nil {
		return ch.refused(nil, httpError(http.StatusUnauthorized, "signature", "auth", err.Error()))
	}
	var in outbound
	strict := json.NewDecoder(bytes.NewReader(c.body))
	strict.DisallowUnknownFields()
	if !isObject(c.body) || strict.Decode(&in) != nil {
		return ch.refused(nil, permanent("body must be an object of the documented shape"))
	}
	if bad := in.check(); bad != nil {
		return ch.refused(nil, bad)
	}
	c.seen.summary = in.Kind + " → phone"

	ch.mu.Lock()
	defer ch.mu.Unlock()
	p := ch.thread(in.Conversation.ID)
	if p == nil {
		ch.rejected++
		return *httpError(http.StatusNotFound, "conversation", "permanent", "unknown conversation")
	}
	return ch.take(c, p, &in)
}

func (o *outbound) check() *reply {
	switch {
	case o.Conversation == nil || o.Conversation.ID == "":
		return permanent("conversation.id is required")
	case o.Kind != "typing" && o.Kind != "read" && o.ID == "":
		return permanent("id is required")
	}
	switch o.Kind {
	case "text", "choices":
		if o.Text == "" {
			return permanent("text must not be empty")
		}
		if o.Kind == "choices" {
			return checkChoices(o.Choices)
		}
	case "typing":
		if o.Typing == nil {
			return permanent("typing is required")
		}
	case "read":
		if len(o.MessageIDs) == 0 {
			return permanent("messageIds must not be empty")
		}
	case "media":
		return o.checkMedia()
	case "rich":
		return o.checkRich()
	default:
		return permanent("unknown kind")
	}
	return nil
}

// take accepts what Parley posted, once for each webhook-id. The channel is locked.
func (ch *channel) take(c *call, p *phone, in *outbound) reply {
	id, sum := c.r.Header.Get("webhook-id"), sha256.Sum256(c.body)
	if before, ok := ch.answered[id]; ok {
		p.counters.Repeats++
		if before.body != sum {
			c.warn("the same webhook-id with another body")
		}
		if m, ok := before.reply.body.(map[string]string); ok {
			if known := ch.outs[m["messageId"]]; known != nil {
				known.repeats++
				p.show(known)
			}
		}
		c.seen.summary += " (repeat)"
		return before.reply
	}
	out := reply{status: http.StatusOK, body: ch.apply(p, in, c.body)}
	if len(ch.answered) >= keptSends {
		clear(ch.answered)
	}
	ch.answered[id] = answeredSend{body: sum, reply: out}
	return out
}

func (ch *channel) apply(p *phone, in *outbound, raw []byte) map[string]string {
	switch in.Kind {
	case "typing":
		p.typing = *in.Typing
		p.counters.Typing++
		p.show(nil)
		return map[string]string{}
	case "read":
		for _, id := range in.MessageIDs {
			if m := p.byID[id]; m != nil && !m.out && !m.read {
				m.read = true
				p.show(m)
			}
		}
		return map[string]string{}
	}
	m := &phoneMessage{id: newID("out-"), out: true, kind: in.Kind, text: in.Text, choices: in.Choices, status: "sent", ref: in.ID, raw: raw}
	if a := in.Attachment; a != nil {
		m.media = []phoneMedia{{URL: a.URL, MIME: a.MIME, Name: a.Name, Size: a.Size}}
	}
	p.add(m)
	if m.media != nil && ch.sim.settings.Load().FetchMedia {
		ch.sim.soon(0, func() { ch.sim.fetched(p, m) })
	} else {
		ch.sim.receipt(p, m)
	}
	return map[string]string{"messageId": m.id}
}

// fetched gets a message's file, and reports the message as failed without it.
func (s *Simulator) fetched(p *phone, m *phoneMessage) {
	if s.fetchAll(p, m, func(string) int64 { return longestFile }) != nil {
		s.status(p, m, "failed", "media")
		return
	}
	s.receipt(p, m)
}

// receipt reports what became of a message on the http channel.
func (s *Simulator) receipt(p *phone, m *phoneMessage) {
	if !s.settings.Load().HTTPReceipts || p.delivery == "none" {
		return
	}
	state, code := "delivered", ""
	if p.delivery != "delivered" {
		state, code = "failed", p.code
	}
	s.soon(0, func() { s.status(p, m, state, code) })
}

// status sends a status of one message, and keeps it.
func (s *Simulator) status(p *phone, m *phoneMessage, state, code string) posted {
	ch := p.channel
	ch.mu.Lock()
	if ch.phones[p.consumer] != p { // forgotten by a reset
		ch.mu.Unlock()
		return posted{}
	}
	if m.status != "read" || state != "delivered" {
		m.status, m.code = state, code
	}
	m.read = m.read || state == "read"
	p.show(m)
	e := p.event("status", "")
	e["status"] = statusOf(m.id, state, code)
	ch.mu.Unlock()
	return s.postEvents(ch, state, e["id"].(string), []map[string]any{e}, false)
}

func statusOf(id, state, code string) map[string]string {
	st := map[string]string{"messageId": id, "state": state}
	if code != "" {
		st["code"] = code
	}
	return st
}

// event is what all events of a phone have in common. The channel is locked.
func (p *phone) event(kind, id string) map[string]any {
	if id == "" {
		id = newID("evt-")
	}
	who := map[string]any{"id": p.consumer}
	if p.name != "" {
		who["displayName"] = p.name
	}
	for name, v := range p.profile {
		who[name] = v
	}
	return map[string]any{
		"id": id, "type": kind, "time": stamp(p.channel.sim.now()),
		"conversation": map[string]any{"id": p.conversation, "participant": who},
	}
}

// postEvents posts a signed batch to Parley's route for the channel.
func (s *Simulator) postEvents(ch *channel, summary, id string, events []map[string]any, patient bool) posted {
	body := marshal(map[string]any{"events": events})
	d, attempts := s.postSigned(ch, "events", summary+" ← phone", id, body, "good", patient)
	return posted{EventID: id, Status: d.Status, Attempts: attempts, Ms: d.Ms, Error: d.Error}
}

// postSigned posts a body under Standard Webhooks. The signature is good, bad or none.
func (s *Simulator) postSigned(ch *channel, class, summary, id string, body []byte, signature string, patient bool) (delivery, int) {
	at := strconv.FormatInt(s.now().Unix(), 10)
	key := ch.keys[0]
	if signature == "bad" {
		key = []byte("not the secret")
	}
	header := http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id}, "Webhook-Timestamp": {at},
		"Webhook-Signature": {standardSignature(key, id, at, body)},
	}
	if signature == "none" {
		header.Del("Webhook-Signature")
	}
	// A refusal of what is wrong is final; everything else is worth another try.
	again := func(_ int, d delivery) bool {
		return patient && d.Status/100 != 2 && (d.Status == 429 || d.Status/100 != 4)
	}
	target := s.settings.Load().ParleyURL + channelRoute(ch)
	return s.postToChannel(ch, class, summary, target, header, body, 10*time.Second, again)
}

func channelRoute(ch *channel) string { return "/webhooks/channels/" + ch.cfg.Name }

// capabilities is GET /provider/http/{channel}/.capabilities.
func (s *Simulator) capabilities(r *http.Request) (any, error) {
	if ch := s.channel(r.PathValue("channel")); ch == nil || ch.cfg.Kind != kindHTTP {
		return nil, unknown("no such channel")
	}
	return map[string]any{
		"kinds": []string{"text", "choices", "media", "rich", "typing", "read"}, "text": map[string]any{"max": 8000, "unit": "characters"},
		"choices": 24, "media": map[string]any{"max": longestFile, "mime": []string{"image/", "audio/", "video/", "application/", "text/"}},
		"receipts": true, "typing": true,
	}, nil
}

func number(n int) string { return strconv.Itoa(n) }
