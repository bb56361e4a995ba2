package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// posted is how an event of a phone went.
type posted struct {
	EventID   string  `json:"eventId"`
	MessageID string  `json:"messageId"`
	Status    int     `json:"status"`
	Attempts  int     `json:"attempts"`
	Ms        float64 `json:"ms"`
	Error     string  `json:"error"`
}

// gesture is what is asked of a phone.
type gesture struct {
	Text         string   `json:"text"`
	Name         string   `json:"name"`
	EventID      string   `json:"eventId"`
	MessageID    string   `json:"messageId"`
	Retry        bool     `json:"retry"`
	On           bool     `json:"on"`
	MessageIDs   []string `json:"messageIds"`
	ID           string   `json:"id"`
	Title        string   `json:"title"`
	State        string   `json:"state"`
	Code         string   `json:"code"`
	Delivery     string   `json:"delivery"`
	Conversation string   `json:"conversation"`

	Attachments []attachment               `json:"attachments"`
	Profile     map[string]json.RawMessage `json:"profile"`

	base  string // of this server, for the files' URLs
	media []phoneMedia
}

func (s *Simulator) phoneRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /sim/phones", handle(s.allPhones))
	m.HandleFunc("GET /sim/phones/{channel}", handle(s.channelPhones))
	m.HandleFunc("GET /sim/phones/{channel}/{consumer}", handle(s.onPhone((*Simulator).showPhone)))
	m.HandleFunc("PUT /sim/phones/{channel}/{consumer}", handle(s.onPhone((*Simulator).setPhone)))
	for name, f := range map[string]func(*Simulator, *channel, string, gesture) (any, error){
		"text": (*Simulator).phoneText, "choice": (*Simulator).phoneChoice, "typing": (*Simulator).phoneTyping,
		"read": (*Simulator).phoneRead, "status": (*Simulator).phoneStatus, "close": (*Simulator).phoneClose,
		"profile": (*Simulator).phoneProfile,
	} {
		m.HandleFunc("POST /sim/phones/{channel}/{consumer}/"+name, handle(s.onPhone(f)))
	}
	m.HandleFunc("POST /sim/channels/{channel}/emit", handle(s.emitChannel))
}

func (s *Simulator) allPhones(*http.Request) (any, error) {
	all := []PhoneSummary{}
	for _, c := range s.channels {
		all = append(all, c.summaries()...)
	}
	return map[string]any{"phones": latestFirst(all)}, nil
}

func (s *Simulator) channelPhones(r *http.Request) (any, error) {
	c := s.channel(r.PathValue("channel"))
	if c == nil {
		return nil, unknown("no such channel")
	}
	return map[string]any{"phones": latestFirst(c.summaries())}, nil
}

// onPhone reads what is asked of which phone.
func (s *Simulator) onPhone(f func(*Simulator, *channel, string, gesture) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		c := s.channel(r.PathValue("channel"))
		if c == nil {
			return nil, unknown("no such channel")
		}
		consumer := r.PathValue("consumer")
		if c.cfg.Kind == kindTwilio && !e164.MatchString(consumer) {
			return nil, badRequest("a phone of this channel is a number like +15550100200")
		}
		var g gesture
		if err := read(r, &g); err != nil {
			return nil, err
		}
		g.base = base(r)
		return f(s, c, consumer, g)
	}
}

func (s *Simulator) showPhone(c *channel, consumer string, _ gesture) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.phones[consumer]; p != nil {
		return p.view(), nil
	}
	none := &phone{channel: c, consumer: consumer, conversation: "c-" + consumer, delivery: "delivered"}
	return none.view(), nil
}

func (s *Simulator) setPhone(c *channel, consumer string, g gesture) (any, error) {
	switch g.Delivery {
	case "", "delivered", "failed", "undelivered", "none":
	default:
		return nil, badRequest("delivery is delivered, failed, undelivered or none")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.phone(consumer)
	if g.Name != "" {
		p.name = g.Name
	}
	if g.Delivery != "" {
		p.delivery, p.code = g.Delivery, g.Code
	}
	if g.Profile != nil {
		p.profile = g.Profile
	}
	if g.Conversation != "" {
		p.conversation = g.Conversation
		c.threads[g.Conversation] = p
	}
	p.show(nil)
	return p.view(), nil
}

// phoneText writes a text. Under an eventId or messageId that was used before it is
// a duplicate, which the phone shows once.
func (s *Simulator) phoneText(c *channel, consumer string, g gesture) (any, error) {
	if g.Text == "" && len(g.Attachments) == 0 {
		return nil, badRequest("text must not be empty")
	}
	return s.write(c, consumer, g, "message", func(m map[string]any) {
		if g.Text != "" {
			m["text"] = g.Text
		}
	})
}

// phoneProfile tells Parley of a changed profile, alone.
func (s *Simulator) phoneProfile(c *channel, consumer string, g gesture) (any, error) {
	if c.cfg.Kind == kindHTTP && g.Profile != nil {
		c.mu.Lock()
		c.phone(consumer).profile = g.Profile
		c.mu.Unlock()
	}
	return s.sendsEvent(c, consumer, "profile", g, func(map[string]any) {})
}

func (s *Simulator) phoneChoice(c *channel, consumer string, g gesture) (any, error) {
	if g.Title == "" || (c.cfg.Kind == kindHTTP && (g.ID == "" || g.MessageID == "")) {
		return nil, badRequest("messageId, id and title are required")
	}
	to := g.MessageID
	g.MessageID, g.Text = "", g.Title
	return s.write(c, consumer, g, "reply", func(m map[string]any) {
		m["replyTo"] = to
		m["choice"] = map[string]string{"id": g.ID, "title": g.Title}
	})
}

// sendsEvent posts an event that only the http channel has.
func (s *Simulator) sendsEvent(c *channel, consumer, kind string, g gesture, fill func(map[string]any)) (any, error) {
	if c.cfg.Kind != kindHTTP {
		return nil, impossible("SMS has no such thing")
	}
	c.mu.Lock()
	p := c.phone(consumer)
	e := p.event(kind, g.EventID)
	c.mu.Unlock()
	fill(e)
	return s.postEvents(c, kind, e["id"].(string), []map[string]any{e}, g.Retry), nil
}

func (s *Simulator) phoneTyping(c *channel, consumer string, g gesture) (any, error) {
	return s.sendsEvent(c, consumer, "typing", g, func(e map[string]any) { e["typing"] = g.On })
}

func (s *Simulator) phoneClose(c *channel, consumer string, g gesture) (any, error) {
	return s.sendsEvent(c, consumer, "close", g, func(map[string]any) {})
}

// phoneRead tells Parley which messages the consumer has read, in one batch.
func (s *Simulator) phoneRead(c *channel, consumer string, g gesture) (any, error) {
	if c.cfg.Kind != kindHTTP {
		return nil, impossible("SMS has no read marks")
	}
	c.mu.Lock()
	p := c.phone(consumer)
	if len(g.MessageIDs) == 0 {
		for _, m := range p.thread {
			if m.out && m.kind != "system" && m.status != "read" {
				g.MessageIDs = append(g.MessageIDs, m.id)
			}
		}
	}
	var events []map[string]any
	for _, id := range g.MessageIDs {
		if m := p.byID[id]; m != nil && m.out {
			m.status, m.read = "read", true
			p.show(m)
		}
		e := p.event("status", "")
		e["status"] = statusOf(id, "read", "")
		events = append(events, e)
	}
	c.mu.Unlock()
	if len(events) == 0 {
		return posted{}, nil
	}
	return s.postEvents(c, "read", events[0]["id"].(string), events, g.Retry), nil
}

// phoneStatus reports any state of a message that Parley sent, as often as asked.
func (s *Simulator) phoneStatus(c *channel, consumer string, g gesture) (any, error) {
	c.mu.Lock()
	m := c.outs[g.MessageID]
	c.mu.Unlock()
	if m == nil || m.phone.consumer != consumer {
		return nil, unknown("no such message from Parley")
	}
	if g.State == "" {
		return nil, badRequest("state is required")
	}
	if c.cfg.Kind == kindHTTP {
		return s.status(m.phone, m, g.State, g.Code), nil
	}
	c.mu.Lock()
	m.status, m.code = g.State, g.Code
	m.phone.show(m)
	target := s.publicURL() + channelRoute(c) + "/status"
	if m.ref != "" {
		target += "?" + m.ref
	}
	c.mu.Unlock()
	d := s.callBack(c, consumer, m.id, g.State, g.Code, target)
	return posted{EventID: m.id, MessageID: m.id, Status: d.Status, Attempts: 1, Ms: d.Ms, Error: d.Error}, nil
}

// emitChannel is POST /sim/channels/{channel}/emit: any body from the provider.
func (s *Simulator) emitChannel(r *http.Request) (any, error) {
	c := s.channel(r.PathValue("channel"))
	if c == nil {
		return nil, unknown("no such channel")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return nil, badRequest("the body could not be read")
	}
	q := r.URL.Query()
	if c.cfg.Kind == kindHTTP {
		id := q.Get("eventId")
		if id == "" {
			id = newID("evt-")
		}
		d, _ := s.postSigned(c, "emit", "raw event", id, body, q.Get("signature"), false)
		return d, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest("the body is not a form")
	}
	target := s.publicURL() + channelRoute(c)
	if route := q.Get("route"); route != "" {
		target += "/" + route
	}
	signature := q.Get("signature")
	switch signature {
	case "bad":
		signature = twilioSignature("not the token", target, form)
	case "good":
		signature = ""
	}
	d, _ := s.twilioPost(c, "emit", "raw form", target, form, signature, false)
	return d, nil
}

// postToChannel posts to Parley, again while it is told to, with growing pauses
// and for as long as a sender has patience.
func (s *Simulator) postToChannel(ch *channel, class, summary, target string, header http.Header, body []byte, timeout time.Duration, again func(int, delivery) bool) (delivery, int) {
	patience := time.Now().Add(ms(s.settings.Load().SenderPatienceMs))
	pause := 200 * time.Millisecond
	for attempt := 1; ; attempt++ {
		e := s.postOnce(target, header, body, timeout)
		e.class, e.summary, e.attempt, e.channel = class, summary, attempt, ch.cfg.Name
		s.wire.add(e)
		d := delivery{Status: e.status, Ms: millis(e.took), Error: e.failure}
		if !again(attempt, d) || time.Now().Add(pause).After(patience) {
			return d, attempt
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.life.Done():
			t.Stop()
			return d, attempt
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (s *Simulator) postOnce(target string, header http.Header, body []byte, timeout time.Duration) *exchange {
	e := &exchange{at: s.now(), direction: "out", method: http.MethodPost, request: body}
	ctx, cancel := context.WithTimeout(s.life, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		e.failure = "the address is not a URL"
		return e
	}
	r.Header = header.Clone()
	s.roundTrip(s.provider, r, e)
	return e
}
