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
	who := map[string]string{roleConsumer: "echo", roleAgent: "agent", roleManager: "manager", roleController: "controller"}[e.from.role]
	switch e.kind {
	case contentEvent:
		return who + ": text"
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
)

// ttrSeconds are invented values for the classes of urgency.
var ttrSeconds = map[string]int{"NORMAL": 1200, "URGENT": 300, "PRIORITIZED": 600}

// snapshot is the webhook body with the conversation's complete state.
func (c *conversation) snapshot() []byte {
	people := append([]participant{c.self()}, c.others...)
	var short, detailed []idRole
	for _, p := range people {
		short = append(short, idRole{ID: p.id, Role: p.role})
		detailed = append(detailed, idRole{ID: p.id, Role: p.role, State: "ACTIVE"})
	}
	effective := int64(-1)
	if c.open() {
		effective = c.started.UnixMilli() + int64(ttrSeconds[c.ttr])*1000
	}
	d := changeDetails{
		SkillID: c.skill, BrandID: c.acc.cfg.SiteID, State: c.main().state, Stage: c.stage, CloseReason: c.closeReason,
		StartTs: c.started.UnixMilli(), MetaDataLastUpdateTs: c.version, FirstConversation: c.firstEver,
		TTR: ttr{TTRType: c.ttr, Value: ttrSeconds[c.ttr]}, CSAT: c.csat, Context: c.context, Participants: short,
		Handler: map[string]string{"accountId": c.acc.cfg.SiteID, "skillId": c.skill},
	}
	if !c.ended.IsZero() {
		d.EndTs = c.ended.UnixMilli()
	}
	for _, dl := range c.dialogs {
		cd := changeDialog{
			DialogID: dl.id, DialogType: dl.kind, ChannelType: "MESSAGING", State: dl.state, CreationTs: dl.created.UnixMilli(),
			MetaDataLastUpdateTs: c.version, ClosedBy: dl.closedBy, ClosedCause: dl.closeCause,
			MetaData: map[string]string{"appInstallId": c.acc.cfg.ClientID}, ParticipantsDetails: detailed,
		}
		if !dl.ended.IsZero() {
			cd.EndTs = dl.ended.UnixMilli()
		}
		d.Dialogs = append(d.Dialogs, cd)
	}
	return marshal(notification{Kind: "notification", Type: "cqm.ExConversationChangeNotification", Body: notificationBody{
		SentTs:  c.acc.sim.now().UnixMilli(),
		Changes: []any{conversationChange{Type: "UPSERT", Result: changeResult{ConvID: c.id, EffectiveTTR: effective, ConversationDetails: d}}},
	}})
}
