package simulator

import (
	"encoding/json"
	"time"
)

// ConversationView is a conversation in a list.
type ConversationView struct {
	ID            string          `json:"id"`
	Account       string          `json:"account"`
	Consumer      string          `json:"consumer"`
	ConsumerID    string          `json:"consumerId"`
	Name          string          `json:"name"`
	State         string          `json:"state"`
	Stage         string          `json:"stage"`
	Skill         string          `json:"skill"`
	Agent         string          `json:"agent"`
	StartedAt     string          `json:"startedAt"`
	EndedAt       *string         `json:"endedAt"`
	UpdatedAt     string          `json:"updatedAt"`
	CloseReason   string          `json:"closeReason"`
	Messages      int             `json:"messages"`
	Last          string          `json:"last"`
	LastRole      string          `json:"lastRole"`
	Unread        int             `json:"unread"`
	Typing        map[string]bool `json:"typing"`
	ConsumerState string          `json:"consumerState"`
	CSAT          *csat           `json:"csat"`
	TTR           string          `json:"ttr"`
	Origin        string          `json:"origin"`
	Phone         *phoneRef       `json:"phone"`
	FirstMs       *int64          `json:"firstMessageMs"` // from creation to the consumer's first message
	Welcomed      bool            `json:"welcomed"`       // by the controller bot
	Survey        string          `json:"survey"`         // none, open, completed, timed out, left
}

// DetailView is everything that is known of a conversation.
type DetailView struct {
	ConversationView
	Profile          json.RawMessage      `json:"profile"`
	Context          json.RawMessage      `json:"context"`
	ClientProperties json.RawMessage      `json:"clientProperties"`
	Participants     []ParticipantView    `json:"participants"`
	Dialogs          []DialogView         `json:"dialogs"`
	Transcript       []EventView          `json:"transcript"`
	Clicks           []Click              `json:"clicks"`
	SurveyRun        SurveyView           `json:"surveyRun"`
	Delay            *delay               `json:"delay"`
	TTRValue         int                  `json:"ttrValue"`
	Counters         ConversationCounters `json:"counters"`
}

// ParticipantView is one who takes part.
type ParticipantView struct {
	ID   string `json:"id"`
	Role string `json:"role"`
	Name string `json:"name"`
}

// DialogView is one thread; Next is the sequence its next event will get.
type DialogView struct {
	ID          string  `json:"id"`
	Type        string  `json:"type"`
	State       string  `json:"state"`
	CreatedAt   string  `json:"createdAt"`
	EndedAt     *string `json:"endedAt"`
	ClosedBy    string  `json:"closedBy"`
	ClosedCause string  `json:"closedCause"`
	Next        int     `json:"next"`
}

// EventView is one event of a transcript.
type EventView struct {
	Sequence   int             `json:"sequence"`
	Dialog     string          `json:"dialog"`
	At         string          `json:"at"`
	Role       string          `json:"role"`
	Originator string          `json:"originator"`
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Text       string          `json:"text"`
	Status     string          `json:"status"`
	Sequences  []int           `json:"sequences"`
	ChatState  string          `json:"chatState"`
	Audience   string          `json:"audience"`
	Metadata   json.RawMessage `json:"metadata"`
	ExternalID string          `json:"externalId"`
	Accepted   bool            `json:"accepted"`
	Read       bool            `json:"read"`
	Nack       bool            `json:"nack"`
	Opened     bool            `json:"opened"` // the consumer opened the file
	File       *FileView       `json:"file"`
	Event      json.RawMessage `json:"event"`
}

// view is what is shown of a conversation in a list. The account is locked.
func (c *conversation) view() ConversationView {
	v := ConversationView{
		ID: c.id, Account: c.acc.cfg.Name, Consumer: c.consumer.ext, ConsumerID: c.consumer.lp, Name: c.consumer.name,
		State: c.main().state, Stage: c.stage, Skill: c.skill, StartedAt: stamp(c.started), EndedAt: ended(c.ended),
		UpdatedAt: stamp(c.updated), CloseReason: c.closeReason, Messages: c.messages, Unread: len(c.main().unread),
		Typing:        map[string]bool{"consumer": c.consumerState == "COMPOSING", "agent": c.agentTyping},
		ConsumerState: c.consumerState, CSAT: c.csat, TTR: c.ttr, Origin: c.origin, Phone: c.consumer.phone,
		FirstMs: c.firstSaid, Welcomed: c.autoMessage, Survey: c.surveyView().State,
	}
	if a := c.agent(); a != nil {
		v.Agent = a.name
	}
	if c.last != nil {
		v.Last, v.LastRole = c.last.text, c.last.from.role
	}
	return v
}

// detail is all of a conversation. The account is locked.
func (c *conversation) detail() DetailView {
	v := DetailView{
		ConversationView: c.view(), Profile: c.consumer.profile, Context: c.context, ClientProperties: c.properties,
		Transcript: make([]EventView, 0, len(c.transcript)), Counters: c.counters.view(), SurveyRun: c.surveyView(),
		Clicks: append([]Click{}, c.clicks...), Delay: c.delay, TTRValue: c.ttrValue,
	}
	for _, p := range append([]participant{c.self()}, c.others...) {
		v.Participants = append(v.Participants, ParticipantView{ID: p.id, Role: p.role, Name: p.name})
	}
	for _, d := range c.dialogs {
		v.Dialogs = append(v.Dialogs, DialogView{
			ID: d.id, Type: d.kind, State: d.state, CreatedAt: stamp(d.created), EndedAt: ended(d.ended),
			ClosedBy: d.closedBy, ClosedCause: d.closeCause, Next: d.next,
		})
	}
	for _, e := range c.transcript {
		ev := e.view()
		ev.File = c.acc.sim.fileView(e)
		v.Transcript = append(v.Transcript, ev)
	}
	return v
}

// view is what is shown of an event. The account is locked.
func (e *event) view() EventView {
	return EventView{
		Sequence: e.sequence, Dialog: e.dialog, At: stamp(e.at), Role: e.from.role, Originator: e.from.id, Name: e.from.name,
		Type: e.kind, Text: e.text, Status: e.status, Sequences: append([]int{}, e.sequences...), ChatState: e.chatState, Audience: e.audience,
		Metadata: e.metadata, ExternalID: e.externalID, Accepted: e.accepted, Read: e.read, Nack: e.nack, Opened: e.opened, Event: e.raw,
	}
}

func ended(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}
