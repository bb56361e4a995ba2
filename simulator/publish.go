package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// longestText is assumed: the Send API documents no limit.
const longestText = 8000

var (
	chatStates     = []string{"ACTIVE", "INACTIVE", "GONE", "COMPOSING", "PAUSE"}
	acceptStatuses = []string{"ACCEPT", "READ", "ACCESS", "NACK", "ACTION"}
)

// publishBody is the body of ms.PublishEvent.
type publishBody struct {
	DialogID       string          `json:"dialogId"`
	ConversationID string          `json:"conversationId"`
	Event          json.RawMessage `json:"event"`
	Audience       json.RawMessage `json:"messageAudience"` // an agent's
}

// publish is ms.PublishEvent.
func (s *Simulator) publish(c *call, a *account, co *consumer, q *request) reply {
	var b publishBody
	if json.Unmarshal(q.Body, &b) != nil || b.DialogID == "" {
		return *invalid("body.dialogId is required")
	}
	if len(b.Audience) > 0 {
		return *invalid("messageAudience is for agents only")
	}
	c.seen.conversation = b.DialogID
	externalID, bad := q.metadata(c)
	if bad != nil {
		return *bad
	}
	e, badEvent := readEvent(b.Event)
	if e != nil {
		e.externalID, e.metadata = externalID, q.Metadata
		c.seen.summary = e.kindInWords() + " → conversation " + short(b.DialogID)
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.dialogs[b.DialogID]
	if d == nil {
		return *invalid("unknown dialog")
	}
	conv := d.in
	c.seen.conversation = conv.id
	conv.counters.requests++
	if conv.consumer == co {
		conv.sending = c.features()
	}
	out := s.publishTo(c, co, d, b.ConversationID, e, badEvent)
	if out.reason != "" {
		conv.counters.rejected[out.reason]++
		return out
	}
	out.body = q.ok(map[string]int{"sequence": max(e.sequence, 0)})
	return out
}

// publishTo does it, or says why not. The account is locked.
func (s *Simulator) publishTo(c *call, co *consumer, d *dialog, conversationID string, e *event, badEvent *reply) reply {
	conv := d.in
	switch {
	case conv.consumer != co:
		return *notYours()
	case conversationID != "" && conversationID != conv.id:
		return *invalid("conversationId is not the dialog's")
	case badEvent != nil:
		return *badEvent
	case d.state != stateOpen:
		conv.counters.whileClosed++
		if e.kind == contentEvent {
			conv.counters.contentWhileClosed++
		}
		return *conversationClosed()
	case d.survey() && e.kind == chatEvent:
		return *invalid("a survey dialog takes no chat states")
	}
	if e.file != nil {
		if bad := s.checkHosted(co, conv.acc.cfg.SiteID, e.file); bad != nil {
			return *bad
		}
	}
	e.from = conv.self()
	switch e.kind {
	case contentEvent:
		s.consumerSaid(c, d, e)
	case acceptEvent:
		conv.consumerMarks(c, d, e)
	case chatEvent:
		conv.counters.chatStates++
		conv.consumerState = e.chatState
	}
	c.hooked(conv.append(d, e))
	switch {
	case e.kind != contentEvent:
	case d.survey():
		conv.survey.heard(c, e)
	default:
		s.controllerHeard(c, conv)
		s.autoAgent(conv, e)
	}
	return reply{status: http.StatusOK}
}

// consumerSaid counts a content event before it is appended. The account is locked.
func (s *Simulator) consumerSaid(c *call, d *dialog, e *event) {
	conv := d.in
	if e.file != nil {
		conv.counters.files++
	}
	if conv.clickText(c, d, e) {
		conv.counters.published++ // its metadata is the element's: no id of the sender's own
	} else {
		conv.counters.content(e.externalID, e.text, s.settings.Load().Transcripts)
	}
	if conv.consumerState == "COMPOSING" {
		conv.consumerState = "ACTIVE"
	}
	if conv.consumer.phone == nil && conv.counters.published == 1 {
		conv.consumer.phone = conv.acc.guessPhone(e.text)
	}
}

// consumerMarks counts an accept-status event of the consumer's.
func (c *conversation) consumerMarks(k *call, d *dialog, e *event) {
	c.counters.acceptStatus++
	for _, n := range e.sequences {
		if n >= d.next {
			c.counters.unknownSequences++
			k.warn("sequenceList names an event that does not exist")
		}
	}
	if e.status == "ACTION" {
		c.clicked(k, d, e)
	}
}

// readEvent checks an event that a consumer may publish.
func readEvent(raw json.RawMessage) (*event, *reply) {
	var in struct {
		Type         string          `json:"type"`
		ContentType  string          `json:"contentType"`
		Message      json.RawMessage `json:"message"`
		ChatState    string          `json:"chatState"`
		Status       string          `json:"status"`
		SequenceList []int           `json:"sequenceList"`
		QuickReplies json.RawMessage `json:"quickReplies"`
	}
	if !isObject(raw) {
		return nil, invalid("body.event is required")
	}
	if json.Unmarshal(raw, &in) != nil {
		return nil, invalid("members of event have the wrong type")
	}
	e := &event{kind: in.Type, raw: raw, status: in.Status, sequences: in.SequenceList, chatState: in.ChatState}
	switch in.Type {
	case contentEvent:
		if len(in.QuickReplies) > 0 {
			return nil, invalid("quickReplies are for agents only")
		}
		if in.ContentType == "hosted/file" {
			f, bad := readHosted(in.Message)
			if bad != nil {
				return nil, bad
			}
			e.file, e.text = f, f.Caption
			return e, nil
		}
		if in.ContentType != "text/plain" {
			return nil, invalid("contentType is not supported")
		}
		if json.Unmarshal(in.Message, &e.text) != nil || e.text == "" {
			return nil, invalid("message must not be empty")
		}
		if utf8.RuneCountInString(e.text) > longestText {
			return nil, invalid("message is too long")
		}
	case chatEvent:
		if !slices.Contains(chatStates, in.ChatState) {
			return nil, invalid("unknown chatState")
		}
	case acceptEvent:
		if !slices.Contains(acceptStatuses, in.Status) {
			return nil, invalid("unknown status")
		}
		if len(in.SequenceList) == 0 || slices.Min(in.SequenceList) < 0 {
			return nil, invalid("sequenceList must name events")
		}
	case richEvent:
		return nil, invalid("structured content is for agents only")
	default:
		return nil, invalid("unknown type of event")
	}
	return e, nil
}

func (e *event) kindInWords() string {
	switch e.kind {
	case contentEvent:
		if e.file != nil {
			return "file"
		}
		return "text"
	case acceptEvent:
		return e.status
	case chatEvent:
		return e.chatState
	}
	return e.kind
}

func short(id string) string {
	head, _, _ := strings.Cut(id, "-")
	return head
}
