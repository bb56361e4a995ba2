package simulator

import (
	"encoding/json"
	"slices"
)

// conversationWatch is a subscription to conversations.
type conversationWatch struct {
	id     string
	states []string
	agents []string // old ids; none: everybody's conversations
	shown  map[string]bool
}

// look says what a conversation now is to the subscription: UPSERT, DELETE when it
// no longer belongs to it, nothing otherwise.
func (w *conversationWatch) look(c *conversation) string {
	if w.wants(c) {
		w.shown[c.id] = true
		return "UPSERT"
	}
	if !w.shown[c.id] {
		return ""
	}
	delete(w.shown, c.id)
	return "DELETE"
}

func (w *conversationWatch) wants(c *conversation) bool {
	if !slices.Contains(w.states, c.main().state) {
		return false
	}
	return len(w.agents) == 0 || slices.ContainsFunc(c.others, func(p participant) bool {
		return slices.Contains(w.agents, c.oldID(p)) || slices.Contains(w.agents, p.id)
	})
}

// oldID is a participant's older identity; a consumer has but one.
func (c *conversation) oldID(p participant) string {
	if p.role == roleConsumer {
		return p.id
	}
	return c.acc.cfg.SiteID + "." + userNumber(p.name)
}

type (
	agentChanges struct {
		SubscriptionID string        `json:"subscriptionId,omitempty"`
		SentTs         int64         `json:"sentTs,omitempty"`
		Changes        []agentChange `json:"changes"`
	}
	agentChange struct {
		Type   string `json:"type"`
		Result any    `json:"result"`
	}
	agentResult struct {
		ConvID                 string                     `json:"convId"`
		EffectiveTTR           json.RawMessage            `json:"effectiveTTR"`
		ConversationDetails    map[string]json.RawMessage `json:"conversationDetails"`
		NumberOfUnreadMessages map[string]int             `json:"numberOfunreadMessages"`
		LastContentEvent       *flatEvent                 `json:"lastContentEventNotification,omitempty"`
	}
	flatEvent struct {
		Sequence           *int            `json:"sequence,omitempty"`
		OriginatorID       string          `json:"originatorId"`
		OriginatorPID      string          `json:"originatorPId"`
		OriginatorMetadata idRole          `json:"originatorMetadata"`
		ServerTimestamp    int64           `json:"serverTimestamp,omitempty"`
		Event              json.RawMessage `json:"event"`
		Metadata           json.RawMessage `json:"metadata,omitempty"`
		MessageAudience    string          `json:"messageAudience,omitempty"`
		ConversationID     string          `json:"conversationId"`
		DialogID           string          `json:"dialogId"`
	}
)

func conversationNotice(subscription string, changes ...agentChange) agentNotification {
	return notice(".ams.aam.ExConversationChangeNotification", agentChanges{SubscriptionID: subscription, Changes: changes})
}

// flat is an event as agent programs get it: one change, not in a list.
func (e *event) flat(c *conversation) flatEvent {
	f := flatEvent{
		OriginatorID: c.oldID(e.from), OriginatorPID: e.from.id, OriginatorMetadata: idRole{ID: e.from.id, Role: e.from.role}, Event: e.raw,
		Metadata: e.metadata, MessageAudience: e.audience, ConversationID: c.id, DialogID: e.dialog,
	}
	if e.sequence >= 0 {
		n := e.sequence
		f.Sequence, f.ServerTimestamp = &n, e.at.UnixMilli()
	}
	return f
}

// agentResult is the conversation's complete state as agent programs get it: what
// the app gets, but participants as maps from roles to identities, the older ones
// in participants, the newer ones in participantsPId. The SDK refuses it without
// participantsPId and a dialog's participantsDetails.
//
// Source: node-agent-sdk, lib/Transformer.js.
func (c *conversation) agentResult() *agentResult {
	var n struct {
		Body struct {
			Changes []struct {
				Result agentResult `json:"result"`
			} `json:"changes"`
		} `json:"body"`
	}
	if err := json.Unmarshal(c.snapshot(), &n); err != nil || len(n.Body.Changes) == 0 {
		panic("simulator: its own snapshot is not readable")
	}
	r := &n.Body.Changes[0].Result
	old, new := map[string][]string{}, map[string][]string{}
	known := map[string]string{}
	for _, p := range append([]participant{c.self()}, c.others...) {
		old[p.role], new[p.role] = append(old[p.role], c.oldID(p)), append(new[p.role], p.id)
		known[p.id] = c.oldID(p)
	}
	if t := c.acc.desk.tasks[c.id]; t.waiting() {
		known[t.ring.who.pid] = c.acc.desk.oldID(t.ring.who)
	}
	d := r.ConversationDetails
	d["convId"] = marshal(c.id)
	d["participants"], d["participantsPId"] = marshal(old), marshal(new)
	d["dialogs"] = olderDialogs(d["dialogs"], known)
	r.NumberOfUnreadMessages = map[string]int{}
	if a := c.agent(); a != nil {
		r.NumberOfUnreadMessages[c.oldID(*a)] = len(c.main().unread)
	}
	if c.last != nil {
		f := c.last.flat(c)
		r.LastContentEvent = &f
	}
	return r
}

// olderDialogs replaces the identities in participantsDetails by the older ones.
func olderDialogs(raw json.RawMessage, known map[string]string) json.RawMessage {
	var dialogs []map[string]json.RawMessage
	if json.Unmarshal(raw, &dialogs) != nil {
		return raw
	}
	for _, d := range dialogs {
		people := []idRole{}
		_ = json.Unmarshal(d["participantsDetails"], &people)
		for i := range people {
			if id, ok := known[people[i].ID]; ok {
				people[i].ID = id
			}
		}
		d["participantsDetails"] = marshal(people)
	}
	return marshal(dialogs)
}
