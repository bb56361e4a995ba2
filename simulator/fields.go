package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
)

// field is a conversationField.
type field struct {
	Field             string `json:"field"`
	Type              string `json:"type"`
	ConversationState string `json:"conversationState"`
	Dialog            *struct {
		DialogID    string `json:"dialogId"`
		State       string `json:"state"`
		ClosedCause string `json:"closedCause"`
		ClosedBy    string `json:"closedBy"` // an agent's
	} `json:"dialog"`
	CSATRate                   *int   `json:"csatRate"`
	CSATResolutionConfirmation *bool  `json:"csatResolutionConfirmation"`
	Status                     string `json:"status"`
	TTRType                    string `json:"ttrType"`
	Value                      *int   `json:"value"`
}

// updateField is cm.UpdateConversationField.
func (s *Simulator) updateField(c *call, a *account, co *consumer, q *request) reply {
	var b struct {
		ConversationID    string          `json:"conversationId"`
		ConversationField json.RawMessage `json:"conversationField"`
	}
	if json.Unmarshal(q.Body, &b) != nil || b.ConversationID == "" {
		return *invalid("body.conversationId is required")
	}
	c.seen.conversation, c.seen.summary = b.ConversationID, "update conversation"
	fields, bad := readFields(c, b.ConversationField)
	if bad != nil {
		return *bad
	}
	c.seen.summary = fields[0].Field + " → conversation " + short(b.ConversationID)

	a.mu.Lock()
	defer a.mu.Unlock()
	conv := a.conversations[b.ConversationID]
	if conv == nil {
		return *invalid("unknown conversation")
	}
	conv.counters.requests++
	if conv.consumer != co {
		return conv.rejected(*notYours())
	}
	conv.sending = c.features()
	text := ""
	for i := range fields {
		done, bad := conv.update(c, &fields[i])
		if bad != nil {
			return conv.rejected(*bad)
		}
		text = done
	}
	return q.done(text)
}

func (c *conversation) rejected(r reply) reply {
	c.counters.rejected[r.reason]++
	return r
}

// readFields takes the object the documentation shows, or the schema's array.
func readFields(c *call, raw json.RawMessage) ([]field, *reply) {
	raw = bytes.TrimSpace(raw)
	fields := make([]field, 1)
	var target any = &fields[0]
	if len(raw) > 0 && raw[0] == '[' {
		c.warn("conversationField is an array")
		target = &fields
	}
	if len(raw) == 0 || json.Unmarshal(raw, target) != nil || len(fields) == 0 {
		return nil, invalid("body.conversationField must be an object")
	}
	return fields, nil
}

// update applies one field. The account is locked.
func (c *conversation) update(k *call, f *field) (string, *reply) {
	if f.Field == "CSATRate" {
		return c.rate(k, f)
	}
	if !c.open() {
		c.counters.whileClosed++
		return "", conversationClosed()
	}
	switch f.Field {
	case "ConversationStateField", "Stage":
		if f.ConversationState != stateClose {
			return "", invalid("conversationState must be CLOSE")
		}
		k.hooked(c.close(roleConsumer, roleConsumer, ""))
		return "OK Conversation resolved successfully", nil
	case "DialogChange":
		return c.closeDialog(k, f)
	case "TTRField":
		if !slices.Contains([]string{"NORMAL", "URGENT", "PRIORITIZED", "CUSTOM"}, f.TTRType) {
			return "", invalid("unknown ttrType")
		}
		if f.TTRType == "CUSTOM" && (f.Value == nil || *f.Value < 0) {
			return "", invalid("value of a CUSTOM ttrType must be 0 or more")
		}
		c.urgency(f.TTRType, f.Value)
		k.hooked(c.changed())
		return "OK TTR updated successfully", nil
	case "ParticipantsChange", "Skill", "Note", "ManualETTR":
		return "", invalid("field is for agents only")
	}
	return "", invalid("unknown field")
}

// urgency sets the time to respond. The account is locked.
func (c *conversation) urgency(kind string, seconds *int) {
	c.ttr, c.ttrValue = kind, 0
	if seconds != nil {
		c.ttrValue = *seconds
	}
}

// closeDialog is DialogChange: the way to close that a survey may follow.
func (c *conversation) closeDialog(k *call, f *field) (string, *reply) {
	switch {
	case f.Type != "UPDATE":
		return "", invalid("type of DialogChange must be UPDATE")
	case f.Dialog == nil || f.Dialog.DialogID == "":
		return "", invalid("dialog.dialogId is required")
	case f.Dialog.State != stateClose:
		return "", invalid("dialog.state must be CLOSE")
	case f.Dialog.ClosedBy != "":
		return "", invalid("dialog.closedBy is for agents only")
	}
	i := slices.IndexFunc(c.dialogs, func(d *dialog) bool { return d.id == f.Dialog.DialogID })
	if i < 0 {
		return "", invalid("unknown dialog")
	}
	if c.dialogs[i].state != stateOpen {
		c.counters.whileClosed++
		return "", conversationClosed()
	}
	if f.Dialog.ClosedCause == "" {
		k.warn("DialogChange without closedCause starts no survey")
	}
	if c.dialogs[i].survey() {
		k.hooked(c.close(roleConsumer, roleConsumer, f.Dialog.ClosedCause))
	} else {
		k.hooked(c.endMain(roleConsumer, roleConsumer, f.Dialog.ClosedCause, false))
	}
	return "OK Conversation resolved successfully", nil
}

// rate is CSATRate: only for a closed conversation.
//
// Source: connector-api-send-api-examples, "CSAT"; consumer-int schemas.
func (c *conversation) rate(k *call, f *field) (string, *reply) {
	if c.open() {
		return "", invalid("CSATRate is for a closed conversation")
	}
	if f.CSATRate != nil && (*f.CSATRate < 1 || *f.CSATRate > 5) {
		return "", invalid("csatRate must be 1 to 5")
	}
	given := 0
	if f.CSATRate != nil {
		given++
	}
	if f.CSATResolutionConfirmation != nil {
		given++
	}
	want, known := map[string]int{"FILLED": 2, "PARTIALLY_FILLED": 1, "SKIPPED": 0}[f.Status]
	if !known {
		return "", invalid("status must be FILLED, PARTIALLY_FILLED or SKIPPED")
	}
	if given != want {
		return "", invalid("status does not fit csatRate and csatResolutionConfirmation")
	}
	if c.survey != nil {
		k.warn("CSATRate after a survey: the two must not be combined")
	}
	c.csat = &csat{Rate: f.CSATRate, Resolved: f.CSATResolutionConfirmation, Status: f.Status}
	c.counters.csatReports++
	k.hooked(c.changed())
	return "OK CSAT updated successfully", nil
}

// opened is CONVERSATION: a profile, then a conversation.
func (s *Simulator) opened(c *call) reply {
	c.seen.summary = "CONVERSATION"
	a, bad := s.application(c)
	if bad != nil {
		return *bad
	}
	co, bad := s.behalf(c, a)
	if bad != nil {
		return *bad
	}
	if bad := firstOf(c.wantJSON("3"), c.clientProperties()); bad != nil {
		return *bad
	}
	profile, wanted, o, bad := readOpening(c, a)
	if bad != nil {
		return *bad
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setProfile(co, profile.Body)
	id := ""
	switch current := co.current; {
	case current == nil || !current.open():
		conv, h := a.open(co, o)
		c.hooked(h)
		a.visited(c, co, o)
		id = conv.id
		c.seen.summary = "conversation " + short(id) + " opened"
	case s.settings.Load().AlreadyOpen == "existing":
		id = current.id
		c.seen.summary = "conversation " + short(id) + " was open"
	default:
		c.seen.conversation = current.id
		return *invalid("Consumer already has an open conversation")
	}
	c.seen.conversation = id
	return reply{status: http.StatusOK, body: []any{
		profile.ok(map[string]string{"msg": "OK User Profile set successfully"}),
		wanted.ok(map[string]string{"conversationId": id}),
	}}
}
