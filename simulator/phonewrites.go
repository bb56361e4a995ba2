package simulator

import (
	"cmp"
	"net/url"
)

// write sends a message of the consumer's to Parley.
func (s *Simulator) write(c *channel, consumer string, g gesture, kind string, fill func(map[string]any)) (any, error) {
	if c.cfg.Kind == kindTwilio {
		return s.writeSMS(c, consumer, g)
	}
	files := []map[string]any{}
	for _, a := range g.Attachments {
		m, err := s.put(a, "f-", g.base+"/provider/files/")
		if err != nil {
			return nil, err
		}
		g.media = append(g.media, m)
		files = append(files, map[string]any{"kind": cmp.Or(a.Kind, kindOfFile(m.MIME)), "mime": m.MIME, "name": m.Name, "size": m.Size, "url": m.URL})
	}
	if g.MessageID == "" {
		g.MessageID = newID("m-")
	}
	c.mu.Lock()
	p, m := c.wrote(consumer, g)
	e := p.event(kind, g.EventID)
	msg := map[string]any{"id": g.MessageID}
	fill(msg)
	if len(files) > 0 {
		msg["attachments"] = files
	}
	e["message"] = msg
	c.mu.Unlock()
	out := s.postEvents(c, kind, e["id"].(string), []map[string]any{e}, g.Retry)
	out.MessageID = g.MessageID
	s.acknowledged(p, m, out)
	return out, nil
}

// writeSMS sends an SMS, or an MMS, as Twilio passes one on.
func (s *Simulator) writeSMS(c *channel, consumer string, g gesture) (any, error) {
	prefix, summary := "SM", "SMS ← phone"
	if len(g.Attachments) > 0 {
		prefix, summary = "MM", "MMS ← phone"
	}
	if g.EventID == "" {
		g.EventID = newID(prefix)
	}
	g.MessageID = g.EventID
	form := url.Values{
		"MessageSid": {g.EventID}, "SmsSid": {g.EventID}, "SmsMessageSid": {g.EventID}, "AccountSid": {c.cfg.AccountSID}, "ApiVersion": {"2010-04-01"},
		"From": {consumer}, "To": {c.cfg.From}, "Body": {g.Text}, "NumSegments": {number(max(segments(g.Text), 1))},
		"NumMedia": {number(len(g.Attachments))}, "SmsStatus": {"received"},
	}
	at := g.base + "/2010-04-01/Accounts/" + c.cfg.AccountSID + "/Messages/" + g.EventID + "/Media/"
	for i, a := range g.Attachments {
		m, err := s.put(a, "ME", at)
		if err != nil {
			return nil, err
		}
		g.media = append(g.media, m)
		form.Set("MediaUrl"+number(i), m.URL)
		form.Set("MediaContentType"+number(i), m.MIME)
	}
	c.mu.Lock()
	p, m := c.wrote(consumer, g)
	c.mu.Unlock()
	d, attempts := s.twilioPost(c, "sms", summary, s.publicURL()+channelRoute(c), form, "", g.Retry)
	out := posted{EventID: g.EventID, MessageID: g.EventID, Status: d.Status, Attempts: attempts, Ms: d.Ms, Error: d.Error}
	s.acknowledged(p, m, out)
	return out, nil
}

// wrote shows a message on the consumer's own phone. The channel is locked.
func (c *channel) wrote(consumer string, g gesture) (*phone, *phoneMessage) {
	p := c.phone(consumer)
	if g.Name != "" {
		p.name = g.Name
	}
	if m := p.byID[g.MessageID]; m != nil {
		return p, m
	}
	m := &phoneMessage{id: g.MessageID, kind: "text", text: g.Text, status: "posting", ref: g.EventID, media: g.media}
	switch {
	case g.Title != "":
		m.kind = "choice"
	case len(g.media) > 0:
		m.kind = "media"
	}
	p.add(m)
	if c.cfg.Kind == kindTwilio && c.sim.settings.Load().SMSOptOut {
		p.optOut(g.Text)
	}
	return p, m
}

func (s *Simulator) acknowledged(p *phone, m *phoneMessage, out posted) {
	p.channel.mu.Lock()
	defer p.channel.mu.Unlock()
	p.counters.Posted++
	switch {
	case out.Status/100 == 2:
		p.counters.Acknowledged++
		m.status = "accepted"
	case m.status == "accepted": // an earlier one of the same name got through
	case out.Status == 0:
		m.status = "failed"
	default:
		m.status = "refused"
	}
	p.show(m)
}
