package simulator

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

const (
	stateOpen  = "OPEN"
	stateClose = "CLOSE"

	roleConsumer   = "CONSUMER"
	roleAgent      = "ASSIGNED_AGENT"
	roleManager    = "MANAGER"
	roleController = "CONTROLLER"
	roleSurvey     = "AGENT" // the survey bot's

	unassigned = "-1" // the skill of a conversation that belongs to none
)

// conversation is one case between a consumer and the brand. The account's mutex
// guards it.
type conversation struct {
	acc         *account
	id          string
	consumer    *consumer
	skill, ttr  string
	ttrValue    int      // seconds of a CUSTOM ttr
	delay       *delay   // until when nobody answers
	declared    features // of CONVERSATION
	sending     features // of the latest SEND
	firstSaid   *int64   // ms from creation to the first content of the consumer
	autoMessage bool     // the controller bot has welcomed the consumer
	survey      *surveyRun
	surveyWhy   string // why no survey was begun
	clicks      []Click
	others      []participant // agents, managers, the controller
	dialogs     []*dialog     // MAIN first
	stage       string
	started     time.Time
	ended       time.Time
	updated     time.Time
	version     int64 // metaDataLastUpdateTs of the last snapshot
	closeReason string
	csat        *csat
	context     json.RawMessage
	properties  json.RawMessage // Client-Properties of CONVERSATION
	origin      string          // the conversation this one resumes
	firstEver   bool

	agentTyping   bool
	consumerState string
	last          *event // the last content
	messages      int
	counters      *tally
	transcript    []*event
}

type participant struct {
	id, role, name string
}

// dialog is a thread of a conversation: MAIN, and POST_SURVEY after it.
type dialog struct {
	id, kind   string
	in         *conversation
	state      string
	created    time.Time
	ended      time.Time
	closedBy   string
	closeCause string
	next       int      // the next sequence
	unaccepted []*event // the consumer's, for the agent's receipts
	unread     []*event
	content    map[int]*event // by sequence; nil when transcripts are off
	offers     map[int][]offered
	offerOrder []int
	install    string // of a survey's dialog: the survey bot's installation
}

// csat is what the connector reported after the end.
type csat struct {
	Rate     *int   `json:"csatRate,omitempty"`
	Resolved *bool  `json:"csatResolutionConfirmation,omitempty"`
	Status   string `json:"status"`
}

// event is one content, accept-status or chat-state event.
type event struct {
	sequence   int // -1: not sequenced
	dialog     string
	at         time.Time
	from       participant
	kind       string // ContentEvent, …
	text       string
	status     string
	sequences  []int
	chatState  string
	audience   string
	metadata   json.RawMessage
	externalID string
	raw        json.RawMessage
	file       *hostedFile

	accepted, read, nack, opened bool
}

// The types of events.
const (
	contentEvent = "ContentEvent"
	richEvent    = "RichContentEvent"
	acceptEvent  = "AcceptStatusEvent"
	chatEvent    = "ChatStateEvent"
)

// opening is what a new conversation starts with.
type opening struct {
	skill, ttr, origin  string
	context, properties json.RawMessage
	features            features
	campaign            string
	engagement          string
	session, visitor    string
}

// open starts a conversation and tells the app. The account is locked.
func (a *account) open(co *consumer, o opening) (*conversation, *hook) {
	now := a.sim.now()
	c := &conversation{
		acc: a, id: uuid.NewString(), consumer: co, skill: o.skill, ttr: o.ttr, stage: stateOpen, started: now, updated: now,
		context: o.context, properties: o.properties, origin: o.origin, firstEver: co.conversations == 0, counters: newTally(),
		declared: o.features, sending: o.features,
	}
	if o.features == nil && co.current != nil { // resumed by an agent: the consumer's client is the same
		c.declared, c.sending = co.current.declared, co.current.sending
	}
	if c.skill == "" {
		c.skill = unassigned
	}
	if c.ttr == "" {
		c.ttr = "NORMAL"
	}
	main := &dialog{id: c.id, kind: "MAIN", in: c, state: stateOpen, created: now, content: map[int]*event{}}
	c.dialogs = []*dialog{main}
	a.dialogs[main.id] = main
	co.conversations++
	co.current = c
	a.remember(c)
	return c, c.changed()
}

func (c *conversation) open() bool    { return c.stage == stateOpen }
func (c *conversation) main() *dialog { return c.dialogs[0] }

func (c *conversation) self() participant {
	return participant{id: c.consumer.lp, role: roleConsumer, name: c.consumer.name}
}

// close ends the conversation and tells the app. The reason it was ended for first,
// with a survey still open, stands. The account is locked.
func (c *conversation) close(by, reason, cause string) *hook {
	now := c.acc.sim.now()
	for _, d := range c.dialogs {
		if d.state == stateOpen {
			d.state, d.ended, d.closedBy, d.closeCause = stateClose, now, by, cause
		}
	}
	c.stage, c.ended = stateClose, now
	if c.closeReason == "" {
		c.closeReason = reason
	}
	c.agentTyping = false
	c.survey.left()
	return c.changed()
}

// reopen sets a closed conversation back to OPEN, as older connectors have seen it.
func (c *conversation) reopen() *hook {
	c.stage, c.ended, c.closeReason, c.survey, c.surveyWhy = stateOpen, time.Time{}, "", nil, ""
	c.leave(roleSurvey)
	main := c.main()
	main.state, main.ended, main.closedBy, main.closeCause = stateOpen, time.Time{}, "", ""
	c.consumer.current = c
	return c.changed()
}

// changed tells the app the conversation's complete state. The account is locked.
func (c *conversation) changed() *hook {
	now := c.acc.sim.now()
	c.updated = now
	c.version = max(now.UnixMilli(), c.version+1)
	h := c.acc.sender.enqueue(c, kindChange, c.changeSummary(), c.snapshot())
	c.show(nil)
	return h
}

func (c *conversation) changeSummary() string {
	if !c.open() {
		return "conversation closed by " + c.closeReason
	}
	if agent := c.agent(); agent != nil {
		return "conversation open, agent assigned"
	}
	return "conversation open"
}

func (c *conversation) agent() *participant {
	for i := range c.others {
		if c.others[i].role == roleAgent {
			return &c.others[i]
		}
	}
	return nil
}

// append gives an event its sequence, keeps it, and tells the app. The account is locked.
func (c *conversation) append(d *dialog, e *event) *hook {
	e.at, e.dialog = c.acc.sim.now(), d.id
	e.sequence = -1
	if e.kind != chatEvent {
		e.sequence = d.next
		d.next++
		c.keep(d, e)
	}
	c.updated = e.at
	var h *hook
	if e.from.role != roleConsumer || *c.acc.sim.faults.webhooks().Echoes {
		h = c.acc.sender.enqueue(c, kindOf(e), e.summary(), e.notification(c))
	}
	c.show(e)
	return h
}

func (c *conversation) keep(d *dialog, e *event) {
	content := e.kind == contentEvent || e.kind == richEvent
	if content {
		c.messages++
		c.last = e
		c.watchSilence(e)
		if e.from.role == roleAgent {
			c.agentTyping = false
		}
	}
	if content && e.from.role == roleConsumer {
		d.unaccepted, d.unread = latest(d.unaccepted, e), latest(d.unread, e)
	}
	if c.acc.sim.settings.Load().Transcripts {
		c.transcript = append(c.transcript, e)
		if content {
			d.content[e.sequence] = e
		}
	}
	switch {
	case e.kind == acceptEvent:
		d.mark(e)
	case e.from.role != roleConsumer:
		d.offer(e)
	}
}

// keptUnread is how many messages an agent who never reads is behind at most.
const keptUnread = 2000

func latest(list []*event, e *event) []*event {
	if len(list) >= keptUnread {
		list = list[1:]
	}
	return append(list, e)
}

// mark notes what an accept-status event says about earlier ones.
func (d *dialog) mark(e *event) {
	for _, n := range e.sequences {
		m := d.content[n]
		if m == nil || (m.from.role == roleConsumer) == (e.from.role == roleConsumer) {
			continue
		}
		switch e.status {
		case "READ":
			m.accepted, m.read = true, true
		case "ACCEPT":
			m.accepted = true
		case "ACCESS":
			m.accepted, m.opened = true, true
		case "NACK":
			m.nack = true
		}
	}
}

// show tells the readers of the stream. The account is locked.
func (c *conversation) show(e *event) {
	c.acc.desk.saw(c, e)
	c.acc.sim.hub.publish("conversation", "", func() any {
		var seen *EventView
		if e != nil {
			v := e.view()
			v.File = c.acc.sim.fileView(e)
			seen = &v
		}
		return map[string]any{"conversation": c.view(), "event": seen}
	})
}
