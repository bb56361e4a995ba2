package simulator

import (
	"bytes"
	"encoding/json"
	"slices"
)

// agentField is a conversationField as an agent may send it.
type agentField struct {
	Field             string `json:"field"`
	Type              string `json:"type"`
	Role              string `json:"role"`
	UserID            string `json:"userId"`
	Skill             string `json:"skill"`
	ConversationState string `json:"conversationState"`
	Dialog            *struct {
		DialogID    string `json:"dialogId"`
		State       string `json:"state"`
		ClosedCause string `json:"closedCause"`
	} `json:"dialog"`
}

// updateField is .ams.cm.UpdateConversationField. All entries are checked before
// any is applied, and the app sees what they did together.
func (c *agentConn) updateField(q *agentRequest) agentAnswer {
	var b struct {
		ConversationID string          `json:"conversationId"`
		Fields         json.RawMessage `json:"conversationField"`
	}
	if json.Unmarshal(q.Body, &b) != nil || b.ConversationID == "" {
		return wrong("conversationId is required")
	}
	var fields []agentField
	if raw := bytes.TrimSpace(b.Fields); len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &fields) != nil || len(fields) == 0 {
		return wrong("conversationField must be an array")
	}
	conv := c.desk.acc.conversations[b.ConversationID]
	if conv == nil {
		return wrong("unknown conversation")
	}
	u := &agentUpdate{desk: c.desk, who: c.who, conv: conv, people: slices.Clone(conv.others)}
	for i := range fields {
		if problem := u.read(&fields[i]); problem != "" {
			return wrong(problem)
		}
	}
	u.apply()
	a := said(u.text)
	a.conv = conv.id
	return a
}

// agentUpdate gathers what several entries do.
type agentUpdate struct {
	desk      *desk
	who       *deskAgent
	conv      *conversation
	people    []participant
	skill     string
	suggested *deskAgent
	left      *deskAgent // whom the transfer takes it from
	close     func()
	text      string
}

func (u *agentUpdate) say(text string) string {
	if u.text == "" {
		u.text = text
	}
	return ""
}

func (u *agentUpdate) read(f *agentField) (problem string) {
	if !u.conv.open() || (u.conv.main().state != stateOpen && f.Field != "ConversationStateField") {
		return isClosed
	}
	if f.Field != "ParticipantsChange" && u.conv.roleOf(u.who) == "" {
		return notInside
	}
	switch f.Field {
	case "ParticipantsChange":
		return u.participant(f)
	case "Skill":
		if f.Type != "UPDATE" || f.Skill == "" {
			return "Skill needs type UPDATE and skill"
		}
		u.skill = f.Skill
		return u.say("OK Skill updated successfully")
	case "ConversationStateField", "Stage":
		if f.ConversationState != stateClose {
			return "conversationState must be CLOSE"
		}
		u.close = func() { u.conv.close("AGENT", "AGENT", "") }
		return u.say("OK Conversation resolved successfully")
	case "DialogChange":
		return u.dialog(f)
	}
	return "unknown field"
}

// participant is ParticipantsChange: somebody comes, goes, or is to be asked.
func (u *agentUpdate) participant(f *agentField) (problem string) {
	who := u.desk.agentOf(f.UserID)
	if who == nil {
		return "userId is not an agent of the account"
	}
	if !slices.Contains([]string{roleAgent, roleManager, roleReader}, f.Role) {
		return "role must be ASSIGNED_AGENT, MANAGER or READER"
	}
	there := func(p participant) bool { return p.id == who.pid && p.role == f.Role }
	switch f.Type {
	case "ADD":
		if f.Role == roleAgent && slices.ContainsFunc(u.people, func(p participant) bool { return p.role == roleAgent }) {
			return "the conversation has an assigned agent"
		}
		u.people = slices.DeleteFunc(u.people, func(p participant) bool { return p.id == who.pid })
		u.people = append(u.people, participant{id: who.pid, role: f.Role, name: who.name})
		return u.say("OK Agent added successfully")
	case "REMOVE":
		if !slices.ContainsFunc(u.people, there) {
			return notInside
		}
		u.people = slices.DeleteFunc(u.people, there)
		if f.Role == roleAgent {
			u.left = who
		}
		return u.say("OK Agent removed successfully")
	case "SUGGEST":
		if f.Role != roleAgent || slices.ContainsFunc(u.people, func(p participant) bool { return p.role == roleAgent }) {
			return "only a conversation without an assigned agent can be suggested to one"
		}
		u.suggested = who
		return u.say("OK Agent suggested successfully")
	}
	return "type of ParticipantsChange must be ADD, REMOVE or SUGGEST"
}

// dialog is DialogChange: the dialog ends, and where there is one a survey begins.
func (u *agentUpdate) dialog(f *agentField) (problem string) {
	switch {
	case f.Type != "UPDATE":
		return "type of DialogChange must be UPDATE"
	case f.Dialog == nil || f.Dialog.State != stateClose:
		return "dialog.state must be CLOSE"
	case f.Dialog.DialogID != u.conv.main().id:
		return "dialog.dialogId must be the main dialog's"
	}
	cause := f.Dialog.ClosedCause
	u.close = func() { u.conv.endMain("AGENT", "AGENT", cause, false) }
	return u.say("OK Dialog closed successfully")
}

func (u *agentUpdate) apply() {
	c := u.conv
	if u.skill != "" {
		c.skill = u.skill
	}
	changed := u.skill != "" || !slices.Equal(c.others, u.people)
	c.others = u.people
	if u.left != nil {
		c.agentTyping = false
	}
	if u.suggested != nil || u.left != nil {
		u.desk.transferred(c, u.left, u.suggested)
	}
	switch {
	case u.close != nil:
		u.close()
	case changed || u.suggested != nil:
		c.changed()
	}
}

// transferred makes a conversation that was given away ring: at the agent it is
// given to, else at any, and at the one who gave it away only after a pause.
func (d *desk) transferred(c *conversation, from, to *deskAgent) {
	if to != nil {
		d.suggest(c, to)
		return
	}
	t := newTask(c)
	t.tried[from] = true
	d.tasks[c.id] = t
}
