package simulator

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// The refusals of what an agent wants to do in a conversation.
//
// Source: node-agent-sdk issue 127; Android-Messaging-SDK issue 126.
const (
	notInside = "Agent does not exist in conversation"
	isClosed  = "Bad Request, Conversation is close"
)

var audiences = []string{"", "ALL", "AGENTS_AND_MANAGERS"}

// publish is .ams.ms.PublishEvent. Only who takes part may write; a reader never may.
func (c *agentConn) publish(q *agentRequest) agentAnswer {
	var b struct {
		publishBody
		Audience string `json:"messageAudience"`
	}
	if json.Unmarshal(q.Body, &b) != nil || b.DialogID == "" {
		return wrong("dialogId is required")
	}
	d := c.desk.acc.dialogs[b.DialogID]
	switch {
	case d == nil:
		return wrong("unknown dialog")
	case b.ConversationID != "" && b.ConversationID != d.in.id:
		return wrong("conversationId is not the dialog's")
	case !slices.Contains(audiences, b.Audience):
		return wrong("messageAudience must be ALL or AGENTS_AND_MANAGERS")
	}
	if q.Metadata != nil && string(q.Metadata) != "null" {
		var list []map[string]any
		if json.Unmarshal(q.Metadata, &list) != nil {
			return wrong("metadata must be an array of objects")
		}
	}
	role := d.in.roleOf(c.who)
	switch {
	case role == "" || role == roleReader || d.survey():
		return wrong(notInside)
	case d.state != stateOpen:
		return wrong(isClosed)
	}
	e, problem := readAgentEvent(b.Event)
	if problem == "" && e.file != nil {
		problem = c.handOver(e.file, d.in.consumer)
	}
	if problem != "" {
		return wrong(problem)
	}
	e.audience, e.metadata = b.Audience, q.Metadata
	if e.audience == "" && (e.kind == contentEvent || e.kind == richEvent) {
		e.audience = "ALL"
	}
	e.from = participant{id: c.who.pid, role: role, name: c.who.name}
	d.takeFromAgent(e)
	d.in.append(d, e)
	a := answers(q.Type, map[string]int{"sequence": max(e.sequence, 0)})
	a.conv = d.in.id
	return a
}

const roleReader = "READER"

// takeFromAgent notes what the desk shows of an agent: who types, what is read.
func (d *dialog) takeFromAgent(e *event) {
	switch {
	case e.kind == chatEvent:
		d.in.agentTyping = e.chatState == "COMPOSING"
	case e.kind == acceptEvent && e.status == "READ":
		d.unaccepted, d.unread = without(d.unaccepted, e.sequences), without(d.unread, e.sequences)
	case e.kind == acceptEvent:
		d.unaccepted = without(d.unaccepted, e.sequences)
	}
}

// readAgentEvent checks an event that an agent may publish, or says what is wrong.
func readAgentEvent(raw json.RawMessage) (*event, string) {
	var in struct {
		Type         string          `json:"type"`
		ContentType  string          `json:"contentType"`
		Message      json.RawMessage `json:"message"`
		Content      json.RawMessage `json:"content"`
		QuickReplies json.RawMessage `json:"quickReplies"`
		ChatState    string          `json:"chatState"`
		Status       string          `json:"status"`
		SequenceList []int           `json:"sequenceList"`
	}
	if !isObject(raw) || json.Unmarshal(raw, &in) != nil {
		return nil, "event must be an object whose members have the right type"
	}
	e := &event{kind: in.Type, raw: raw, status: in.Status, sequences: in.SequenceList, chatState: in.ChatState}
	problem := ""
	switch in.Type {
	case contentEvent:
		problem = e.readContent(in.ContentType, in.Message)
	case richEvent:
		problem = explained(checkContent(in.Content))
	case chatEvent:
		if !slices.Contains(chatStates, in.ChatState) {
			problem = "unknown chatState"
		}
	case acceptEvent:
		if !slices.Contains(acceptStatuses, in.Status) || len(in.SequenceList) == 0 || slices.Min(in.SequenceList) < 0 {
			problem = "status and sequenceList must name a status and events"
		}
	default:
		problem = "unknown type of event"
	}
	if problem == "" && len(in.QuickReplies) > 0 {
		problem = explained(checkChips(in.QuickReplies))
		if in.Type != contentEvent && in.Type != richEvent {
			problem = "quickReplies accompany a message"
		}
	}
	return e, problem
}

func (e *event) readContent(kind string, message json.RawMessage) string {
	switch kind {
	case "text/plain":
		if json.Unmarshal(message, &e.text) != nil || e.text == "" {
			return "message must not be empty"
		}
		if utf8.RuneCountInString(e.text) > longestText {
			return "message is too long"
		}
	case "hosted/file":
		var f hostedFile
		if !isObject(message) || json.Unmarshal(message, &f) != nil || f.RelativePath == "" || f.FileType == "" {
			return "a file's message needs relativePath and fileType"
		}
		e.file, e.text = &f, f.Caption
	case "forms/secure-invitation":
		if !isObject(message) {
			return "an invitation's message must be an object"
		}
	default:
		return "contentType is not supported"
	}
	return ""
}

func explained(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
