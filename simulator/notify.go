package simulator

import "encoding/json"

// The kinds of notifications an app registers for.
const (
	kindChange  = "change"
	kindContent = contentEvent
	kindRich    = richEvent
	kindAccept  = acceptEvent
	kindChat    = chatEvent
)

func kindOf(e *event) string {
	switch e.kind {
	case contentEvent, acceptEvent, chatEvent:
		return e.kind
	}
	return kindRich
}

type notification struct {
	Kind string           `json:"kind"`
	Type string           `json:"type"`
	Body notificationBody `json:"body"`
}

type notificationBody struct {
	SentTs  int64 `json:"sentTs,omitempty"`
	Changes []any `json:"changes"`
}

// messageChange is one entry of a MessagingEventNotification.
//
// Source: connector-api-webhooks-events; webhook examples.
type messageChange struct {
	Sequence           *int            `json:"sequence,omitempty"`
	OriginatorID       string          `json:"originatorId"`
	OriginatorMetadata idRole          `json:"originatorMetadata"`
	ServerTimestamp    int64           `json:"serverTimestamp,omitempty"`
	Event              json.RawMessage `json:"event"`
	Metadata           json.RawMessage `json:"metadata,omitempty"`
	MessageAudience    string          `json:"messageAudience,omitempty"`
	ConversationID     string          `json:"conversationId"`
	DialogID           string          `json:"dialogId"`
}

type idRole struct {
	ID    string `json:"id"`
	Role  string `json:"role"`
	State string `json:"state,omitempty"`
}

// notification is the webhook body that tells of an event.
func (e *event) notification(c *conversation) []byte {
	ch := messageChange{
		OriginatorID: e.from.id, OriginatorMetadata: idRole{ID: e.from.id, Role: e.from.role}, Event: e.raw,
		Metadata: e.metadata, MessageAudience: e.audience, ConversationID: c.id, DialogID: e.dialog,
	}
	if e.sequence >= 0 {
		n := e.sequence
		ch.Sequence, ch.ServerTimestamp = &n, e.at.UnixMilli()
	}
	return marshal(notification{Kind: "notification", Type: "ms.MessagingEventNotification", Body: notificationBody{Changes: []any{ch}}})
}

func (e *event) summary() string {
	who := map[string]string{roleConsumer: "echo", roleAgent: "agent", roleManager: "manager", roleController: "controller", roleSurvey: "survey"}[e.from.role]
	switch e.kind {
	case contentEvent:
		return who + ": " + e.kindInWords()
	case acceptEvent:
		return who + ": " + e.status
	case chatEvent:
		return who + ": " + e.chatState
	}
	return who + ": " + e.kind
}

// The shapes of an ExConversationChangeNotification.
//
// Source: connector-api-webhooks-events; a captured payload of 2022 for sentTs,
// participantsDetails.state and metaData.appInstallId.
type (
	conversationChange struct {
		Type   string       `json:"type"`
		Result changeResult `json:"result"`
	}
	changeResult struct {
		ConvID              string        `json:"convId"`
		EffectiveTTR        int64         `json:"effectiveTTR"`
		ConversationDetails changeDetails `json:"conversationDetails"`
	}
	changeDetails struct {
		SkillID              string            `json:"skillId"`
		BrandID              string            `json:"brandId"`
		State                string            `json:"state"`
		Stage                string            `json:"stage"`
		CloseReason          string            `json:"closeReason,omitempty"`
		StartTs              int64             `json:"startTs"`
		EndTs                int64             `json:"endTs,omitempty"`
		MetaDataLastUpdateTs int64             `json:"metaDataLastUpdateTs"`
		FirstConversation    bool              `json:"firstConversation"`
		TTR                  ttr               `json:"ttr"`
		Delay                *delay            `json:"delay,omitempty"`
		CSAT                 *csat             `json:"csat,omitempty"`
		Context              json.RawMessage   `json:"context,omitempty"`
		Participants         []idRole          `json:"participants"`
		Dialogs              []changeDialog    `json:"dialogs"`
		Handler              map[string]string `json:"conversationHandlerDetails"`
	}
	changeDialog struct {
		DialogID             string            `json:"dialogId"`
		DialogType           string            `json:"dialogType"`
		ChannelType          string            `json:"channelType"`
		State                string            `json:"state"`
		CreationTs           int64             `json:"creationTs"`
		EndTs                int64             `json:"endTs,omitempty"`
		MetaDataLastUpdateTs int64             `json:"metaDataLastUpdateTs"`
		ClosedBy             string            `json:"closedBy,omitempty"`
		ClosedCause          string            `json:"closedCause,omitempty"`
		MetaData             map[string]string `json:"metaData"`
		ParticipantsDetails  []idRole          `json:"participantsDetails"`
	}
	ttr struct {
		TTRType string `json:"ttrType"`
		Value   int    `json:"value"`
	}
	delay struct {
		Type     string `json:"type"` // NIGHT, WEEKEND or HOLIDAY
		TillWhen int64  `json:"tillWhen"`
	}
)

// ttrSeconds are invented values for the classes of urgency.
var ttrSeconds = map[string]int{"NORMAL": 1200, "URGENT": 300, "PRIORITIZED": 600}

// snapshot is the webhook body with the conversation's complete state.
func (c *conversation) snapshot() []byte {
	var short []idRole
	for _, p := range c.people() {
		short = append(short, idRole{ID: p.id, Role: p.role})
	}
	seconds := ttrSeconds[c.ttr]
	if c.ttr == "CUSTOM" {
		seconds = c.ttrValue
	}
	effective := int64(-1)
	if c.main().state == stateOpen {
		effective = c.started.UnixMilli() + int64(seconds)*1000
	}
	d := changeDetails{
		SkillID: c.skill, BrandID: c.acc.cfg.SiteID, State: c.main().state, Stage: c.stage, CloseReason: c.closeReason,
		StartTs: c.started.UnixMilli(), MetaDataLastUpdateTs: c.version, FirstConversation: c.firstEver,
		TTR: ttr{TTRType: c.ttr, Value: seconds}, Delay: c.delay, CSAT: c.csat, Context: c.context, Participants: short,
		Handler: map[string]string{"accountId": c.acc.cfg.SiteID, "skillId": c.skill},
	}
	if !c.ended.IsZero() {
		d.EndTs = c.ended.UnixMilli()
	}
	for _, dl := range c.dialogs {
		d.Dialogs = append(d.Dialogs, dl.snapshot())
	}
	return marshal(notification{Kind: "notification", Type: "cqm.ExConversationChangeNotification", Body: notificationBody{
		SentTs:  c.acc.sim.now().UnixMilli(),
		Changes: []any{conversationChange{Type: "UPSERT", Result: changeResult{ConvID: c.id, EffectiveTTR: effective, ConversationDetails: d}}},
	}})
}

func (c *conversation) people() []participant { return append([]participant{c.self()}, c.others...) }

// snapshot is a dialog in a conversation's snapshot. The survey bot is no
// participant of MAIN, and who talked there only reads the survey.
func (d *dialog) snapshot() changeDialog {
	install := d.in.acc.cfg.ClientID
	if d.install != "" {
		install = d.install
	}
	cd := changeDialog{
		DialogID: d.id, DialogType: d.kind, ChannelType: "MESSAGING", State: d.state, CreationTs: d.created.UnixMilli(),
		MetaDataLastUpdateTs: d.in.version, ClosedBy: d.closedBy, ClosedCause: d.closeCause,
		MetaData: map[string]string{"appInstallId": install},
	}
	for _, p := range d.in.people() {
		role := p.role
		switch {
		case !d.survey() && role == roleSurvey:
			continue
		case d.survey() && role == roleController:
			continue
		case d.survey() && role != roleConsumer && role != roleSurvey:
			role = "READER"
		}
		cd.ParticipantsDetails = append(cd.ParticipantsDetails, idRole{ID: p.id, Role: role, State: "ACTIVE"})
	}
	if !d.survey() {
		cd.ParticipantsDetails = append(cd.ParticipantsDetails, d.in.acc.desk.suggested(d.in)...)
	}
	if !d.ended.IsZero() {
		cd.EndTs = d.ended.UnixMilli()
	}
	return cd
}
