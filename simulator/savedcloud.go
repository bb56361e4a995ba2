package simulator

import (
	"slices"
	"time"
)

func (a *account) saved() savedAccount {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := savedAccount{Created: a.created, Firsts: a.firsts.all, Welcomed: a.firsts.welcomed, Sessions: copied(a.sessions), Webhooks: a.sender.saved()}
	for _, co := range a.consumers {
		sc := savedConsumer{Ext: co.ext, Profile: co.profile, Name: co.name, Phone: co.phone, Conversations: co.conversations}
		if co.current != nil {
			sc.Current = co.current.id
		}
		out.Consumers = append(out.Consumers, sc)
	}
	for _, c := range a.order {
		out.Conversations = append(out.Conversations, c.saved())
	}
	return out
}

func (c *conversation) saved() savedConversation {
	out := savedConversation{
		ID: c.id, Consumer: c.consumer.ext, Skill: c.skill, TTR: c.ttr, Stage: c.stage, Started: c.started, Ended: c.ended, Updated: c.updated,
		Version: c.version, CloseReason: c.closeReason, CSAT: c.csat, Context: c.context, Properties: c.properties, Origin: c.origin,
		FirstEver: c.firstEver, ConsumerState: c.consumerState, Messages: c.messages,
		TTRValue: c.ttrValue, Delay: c.delay, Declared: c.declared, Sending: c.sending, FirstSaid: c.firstSaid, Welcomed: c.autoMessage,
		Survey: c.survey.saved(), SurveyWhy: c.surveyWhy, Clicks: c.clicks,
		Counts: savedCounts{Shown: c.counters.view(), DoubledIDs: c.counters.doubledIDs, DoubledTexts: c.counters.doubledTexts},
	}
	for _, p := range c.others {
		out.Others = append(out.Others, savedParticipant{p.id, p.role, p.name})
	}
	for _, d := range c.dialogs {
		out.Dialogs = append(out.Dialogs, savedDialog{d.id, d.kind, d.state, d.created, d.ended, d.closedBy, d.closeCause, d.next, d.install})
	}
	for _, e := range c.transcript {
		out.Events = append(out.Events, savedEvent{
			Sequence: e.sequence, Dialog: e.dialog, At: e.at, From: savedParticipant{e.from.id, e.from.role, e.from.name}, Kind: e.kind,
			Text: e.text, Status: e.status, Sequences: e.sequences, Audience: e.audience, Metadata: e.metadata, ExternalID: e.externalID,
			Raw: e.raw, Accepted: e.accepted, Read: e.read, Nack: e.nack, Opened: e.opened,
		})
	}
	return out
}

// restore takes back what was saved; it is called before anything else happens.
func (a *account) restore(in savedAccount) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, sc := range in.Consumers {
		a.consumers[sc.Ext] = &consumer{
			ext: sc.Ext, lp: consumerID(a.cfg.SiteID, sc.Ext), profile: sc.Profile, name: sc.Name, phone: sc.Phone, conversations: sc.Conversations,
		}
	}
	for _, s := range in.Conversations {
		co := a.consumers[s.Consumer]
		if co == nil || len(s.Dialogs) == 0 {
			continue
		}
		c := s.conversation(a, co)
		a.conversations[c.id] = c
		a.order = append(a.order, c)
		for _, d := range c.dialogs {
			a.dialogs[d.id] = d
		}
	}
	for _, sc := range in.Consumers {
		a.consumers[sc.Ext].current = a.conversations[sc.Current]
	}
	a.created = in.Created
	a.sessions = in.Sessions
	a.firsts = firsts{all: in.Firsts, count: len(in.Firsts), welcomed: in.Welcomed}
	a.sender.restore(in.Webhooks)
}

func (s *savedConversation) conversation(a *account, co *consumer) *conversation {
	c := &conversation{
		acc: a, id: s.ID, consumer: co, skill: s.Skill, ttr: s.TTR, stage: s.Stage, started: s.Started, ended: s.Ended, updated: s.Updated,
		version: s.Version, closeReason: s.CloseReason, csat: s.CSAT, context: s.Context, properties: s.Properties, origin: s.Origin,
		firstEver: s.FirstEver, consumerState: s.ConsumerState, messages: s.Messages, counters: s.Counts.tally(),
		ttrValue: s.TTRValue, delay: s.Delay, declared: s.Declared, sending: s.Sending, firstSaid: s.FirstSaid, autoMessage: s.Welcomed,
		surveyWhy: s.SurveyWhy, clicks: s.Clicks,
	}
	for _, p := range s.Others {
		c.others = append(c.others, participant{p.ID, p.Role, p.Name})
	}
	for _, d := range s.Dialogs {
		c.dialogs = append(c.dialogs, &dialog{
			id: d.ID, kind: d.Kind, in: c, state: d.State, created: d.Created, ended: d.Ended, closedBy: d.ClosedBy, closeCause: d.CloseCause,
			next: d.Next, content: map[int]*event{}, install: d.Install,
		})
	}
	for _, e := range s.Events {
		c.recall(&event{
			sequence: e.Sequence, dialog: e.Dialog, at: e.At, from: participant{e.From.ID, e.From.Role, e.From.Name}, kind: e.Kind, text: e.Text,
			status: e.Status, sequences: e.Sequences, audience: e.Audience, metadata: e.Metadata, externalID: e.ExternalID, raw: e.Raw,
			accepted: e.Accepted, read: e.Read, nack: e.Nack, opened: e.Opened, file: hostedOf(e.Raw),
		})
	}
	if err := c.restoreSurvey(s.Survey); err != nil {
		a.sim.log.Warn("a survey was not restored", "err", err)
	}
	return c
}

// recall puts an event of an earlier life back.
func (c *conversation) recall(e *event) {
	c.transcript = append(c.transcript, e)
	if e.kind != contentEvent && e.kind != richEvent {
		return
	}
	c.last = e
	i := slices.IndexFunc(c.dialogs, func(d *dialog) bool { return d.id == e.dialog })
	if i < 0 {
		return
	}
	d := c.dialogs[i]
	d.content[e.sequence] = e
	if e.from.role != roleConsumer {
		d.offer(e)
	}
	if e.from.role == roleConsumer && !e.accepted {
		d.unaccepted = latest(d.unaccepted, e)
	}
	if e.from.role == roleConsumer && !e.read {
		d.unread = latest(d.unread, e)
	}
}

func (s *savedCounts) tally() *tally {
	v, t := s.Shown, newTally()
	t.requests, t.published, t.withoutID = v.Requests, v.Published, v.WithoutExternalID
	t.whileClosed, t.contentWhileClosed = v.WhileClosed, v.ContentWhileClosed
	t.acceptStatus, t.chatStates, t.csatReports, t.unknownSequences = v.AcceptStatus, v.ChatStates, v.CSATReports, v.UnknownSequences
	t.files, t.actions, t.unknownClicks, t.clicksWithoutAction = v.Files, v.Actions, v.UnknownClicks, v.ClicksNoAction
	t.doubledIDs, t.doubledTexts = s.DoubledIDs, s.DoubledTexts
	for k, n := range v.ByExternalID {
		t.byExternalID[k] = n
	}
	for k, n := range v.ByText {
		t.byText[k] = n
	}
	for k, n := range v.Rejected {
		t.rejected[k] = n
	}
	return t
}

// saved are the webhooks that wait, each conversation's in order.
func (s *sender) saved() []savedHook {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []savedHook
	for _, l := range s.waitingLanes() {
		for _, h := range l.hooks {
			out = append(out, savedHook{h.conv, h.kind, h.summary, h.body, h.created})
		}
	}
	return out
}

func (s *sender) restore(in []savedHook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range in {
		c := s.acc.conversations[h.Conversation]
		if c == nil {
			continue
		}
		s.put(&hook{
			conv: h.Conversation, kind: h.Kind, summary: h.Summary, body: h.Body, created: h.Created, notAt: time.Time{}, tally: &c.counters.hooks,
		}, false)
	}
	s.pump()
}

func (c *channel) saved() savedChannel {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := savedChannel{Answered: map[string]savedAnswered{}}
	for _, p := range c.phones {
		sp := savedPhone{
			Consumer: p.consumer, Name: p.name, Conversation: p.conversation, Delivery: p.delivery, Code: p.code, OptedOut: p.optedOut,
			LastAt: p.lastAt, Counters: p.counters, Texts: map[string]int{}, Profile: p.profile,
		}
		for text, n := range p.texts {
			sp.Texts[text] = n
		}
		for _, m := range p.thread {
			sp.Thread = append(sp.Thread, savedMessage{m.id, m.out, m.kind, m.text, m.choices, m.at, m.status, m.code, m.read, m.ref, m.repeats, m.raw, m.media})
		}
		out.Phones = append(out.Phones, sp)
	}
	for id, a := range c.answered {
		if body, ok := a.reply.body.(map[string]string); ok {
			out.Answered[id] = savedAnswered{Body: a.body, Answer: body}
		}
	}
	return out
}

func (c *channel) restore(in savedChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sp := range in.Phones {
		p := c.phone(sp.Consumer)
		p.name, p.conversation, p.delivery, p.code, p.optedOut = sp.Name, sp.Conversation, sp.Delivery, sp.Code, sp.OptedOut
		p.lastAt, p.counters, p.profile = sp.LastAt, sp.Counters, sp.Profile
		c.threads[p.conversation] = p
		for text, n := range sp.Texts {
			p.texts[text] = n
		}
		for _, s := range sp.Thread {
			m := &phoneMessage{p, s.ID, s.Out, s.Kind, s.Text, s.Choices, s.At, s.Status, s.Code, s.Read, s.Ref, s.Repeats, s.Raw, s.Media}
			p.thread, p.byID[m.id] = append(p.thread, m), m
			if m.out {
				c.outs[m.id] = m
			}
		}
	}
	for id, a := range in.Answered {
		c.answered[id] = answeredSend{body: a.Body, reply: reply{status: 200, body: a.Answer}}
	}
}
