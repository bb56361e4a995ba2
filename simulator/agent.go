package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// defaultAgent is who acts when nobody is named.
const defaultAgent = "Dana"

// identity is the same for the same name, as an agent's is.
func identity(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("agent/"+name)).String()
}

// act is what is asked of an agent.
type act struct {
	Agent     string          `json:"agent"`
	Text      string          `json:"text"`
	On        bool            `json:"on"`
	Sequences []int           `json:"sequences"`
	Skill     string          `json:"skill"`
	Reason    string          `json:"reason"`
	Mode      string          `json:"mode"`
	Event     json.RawMessage `json:"event"`
	Role      string          `json:"role"`
	Metadata  json.RawMessage `json:"metadata"`
	Audience  string          `json:"audience"`

	Survey       *bool           `json:"survey"` // false: closed without one
	Cause        string          `json:"cause"`
	Content      json.RawMessage `json:"content"`
	QuickReplies json.RawMessage `json:"quickReplies"`
	Type         string          `json:"type"`
	Value        *int            `json:"value"`
	TillWhen     int64           `json:"tillWhen"`
	Name         string          `json:"name"`
	Caption      string          `json:"caption"`
	Data         []byte          `json:"data"` // base64
	Generate     int             `json:"generate"`
	Preview      string          `json:"preview"`
}

// done is what became of it.
type done struct {
	Conversation string `json:"conversation"`
	Sequence     *int   `json:"sequence,omitempty"`
}

// acts are what agents can do; each is called with the account locked.
var acts = map[string]func(*conversation, act) (done, error){
	"join":       (*conversation).doJoin,
	"text":       (*conversation).doText,
	"typing":     (*conversation).doTyping,
	"accept":     func(c *conversation, a act) (done, error) { return c.receipt("ACCEPT", a.Sequences) },
	"read":       func(c *conversation, a act) (done, error) { return c.receipt("READ", a.Sequences) },
	"transfer":   (*conversation).doTransfer,
	"close":      (*conversation).doClose,
	"private":    (*conversation).doPrivate,
	"controller": func(c *conversation, a act) (done, error) { return c.says(roleController, "Controller", a.Text, "") },
	"manager":    (*conversation).doManager,
	"rich":       (*conversation).doRich,
	"quick":      (*conversation).doQuick,
	"ttr":        (*conversation).doUrgency,
	"delay":      (*conversation).doDelay,
	"autoclose":  (*conversation).doAutoClose,
	"reopen":     (*conversation).doReopen,
	"event":      (*conversation).doEvent,
}

func (c *conversation) needOpen() error {
	if c.main().state != stateOpen {
		return impossible("the conversation is closed")
	}
	return nil
}

// join assigns an agent, in place of the one who is, and tells the app.
func (c *conversation) join(name string) participant {
	if a := c.agent(); a != nil && (name == "" || a.name == name) {
		return *a
	}
	if name == "" {
		name = defaultAgent
	}
	c.leave(roleAgent)
	p := participant{id: identity(name), role: roleAgent, name: name}
	c.others = append(c.others, p)
	c.changed()
	c.controllerJoined()
	return p
}

func (c *conversation) leave(role string) {
	c.others = slices.DeleteFunc(c.others, func(p participant) bool { return p.role == role })
}

// takesPart adds a manager or the controller, who come without being assigned.
func (c *conversation) takesPart(role, name string) participant {
	for _, p := range c.others {
		if p.role == role {
			return p
		}
	}
	p := participant{id: identity(name), role: role, name: name}
	c.others = append(c.others, p)
	if role == roleManager {
		c.changed()
	}
	return p
}

func (c *conversation) doJoin(a act) (done, error) {
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	c.join(a.Agent)
	return done{Conversation: c.id}, nil
}

func (c *conversation) doText(a act) (done, error) { return c.says(roleAgent, a.Agent, a.Text, "ALL") }

func (c *conversation) doPrivate(a act) (done, error) {
	return c.says(roleAgent, a.Agent, a.Text, "AGENTS_AND_MANAGERS")
}

func (c *conversation) says(role, name, text, audience string) (done, error) {
	if text == "" {
		return done{}, badRequest("text must not be empty")
	}
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	raw := marshal(map[string]string{"type": contentEvent, "contentType": "text/plain", "message": text})
	return c.happens(c.who(role, name), &event{kind: contentEvent, text: text, raw: raw, audience: audience}), nil
}

func (c *conversation) who(role, name string) participant {
	if role == roleAgent {
		return c.join(name)
	}
	return c.takesPart(role, name)
}

func (c *conversation) happens(from participant, e *event) done {
	e.from = from
	c.append(c.main(), e)
	if e.sequence < 0 {
		return done{Conversation: c.id}
	}
	n := e.sequence
	return done{Conversation: c.id, Sequence: &n}
}

func (c *conversation) doTyping(a act) (done, error) {
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	state := "ACTIVE"
	if a.On {
		state = "COMPOSING"
	}
	from := c.join(a.Agent)
	c.agentTyping = a.On
	raw := marshal(map[string]string{"type": chatEvent, "chatState": state})
	return c.happens(from, &event{kind: chatEvent, chatState: state, raw: raw}), nil
}

// receipt reports that the agent got or read the consumer's messages.
func (c *conversation) receipt(status string, sequences []int) (done, error) {
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	d := c.main()
	if len(sequences) == 0 {
		waiting := d.unaccepted
		if status == "READ" {
			waiting = d.unread
		}
		for _, e := range waiting {
			sequences = append(sequences, e.sequence)
		}
	}
	if len(sequences) == 0 {
		return done{Conversation: c.id}, nil
	}
	d.unaccepted = without(d.unaccepted, sequences)
	if status == "READ" {
		d.unread = without(d.unread, sequences)
	}
	raw := marshal(map[string]any{"type": acceptEvent, "status": status, "sequenceList": sequences})
	return c.happens(c.join(""), &event{kind: acceptEvent, status: status, sequences: sequences, raw: raw}), nil
}

func without(events []*event, sequences []int) []*event {
	return slices.DeleteFunc(events, func(e *event) bool { return slices.Contains(sequences, e.sequence) })
}

func (c *conversation) doTransfer(a act) (done, error) {
	if a.Skill == "" {
		return done{}, badRequest("skill is required")
	}
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	c.skill = a.Skill
	c.agentTyping = false
	c.leave(roleAgent)
	c.changed()
	return done{Conversation: c.id}, nil
}

func (c *conversation) doClose(a act) (done, error) {
	by := roleAgent
	switch a.Reason {
	case "", "AGENT":
		by, a.Reason = "AGENT", "AGENT"
	case "SYSTEM", "TIMEOUT":
		by = "SYSTEM"
	default:
		return done{}, badRequest("reason is AGENT, SYSTEM or TIMEOUT")
	}
	if !c.open() {
		return done{}, impossible("the conversation is closed")
	}
	switch {
	case by == "SYSTEM":
		c.endMain(by, a.Reason, "", true)
	case c.main().state == stateOpen && (a.Survey == nil || *a.Survey):
		c.endMain(by, a.Reason, cmp.Or(a.Cause, "Closed by agent"), false)
	default:
		c.close(by, a.Reason, a.Cause)
	}
	return done{Conversation: c.id}, nil
}

// doReopen resumes a closed conversation: as a new one that names it (how the
// agent protocol does it), or the same one OPEN again (seen by older connectors).
func (c *conversation) doReopen(a act) (done, error) {
	if c.consumer.current != nil && c.consumer.current.open() {
		return done{}, impossible("the consumer has an open conversation")
	}
	switch a.Mode {
	case "same":
		c.reopen()
		return done{Conversation: c.id}, nil
	case "", "new":
		next, _ := c.acc.open(c.consumer, opening{
			skill: c.skill, ttr: c.ttr, origin: c.id,
			context: marshal(map[string]string{"type": "ProactiveContext", "originConversationId": c.id}),
		})
		next.join(a.Agent)
		return done{Conversation: next.id}, nil
	}
	return done{}, badRequest(`mode is "new" or "same"`)
}

// doEvent emits any event, so that tests can send what the desk has no button for.
func (c *conversation) doEvent(a act) (done, error) {
	var in struct {
		Type         string          `json:"type"`
		Message      json.RawMessage `json:"message"`
		Status       string          `json:"status"`
		SequenceList []int           `json:"sequenceList"`
		ChatState    string          `json:"chatState"`
	}
	if !isObject(a.Event) || json.Unmarshal(a.Event, &in) != nil || in.Type == "" {
		return done{}, badRequest("event must be an object with a type")
	}
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	e := &event{
		kind: in.Type, raw: a.Event, status: in.Status, sequences: in.SequenceList, chatState: in.ChatState,
		audience: a.Audience, metadata: a.Metadata,
	}
	_ = json.Unmarshal(in.Message, &e.text) // a file's message is no text
	if e.file = hostedOf(a.Event); e.file != nil {
		e.text = e.file.Caption
	}
	switch a.Role {
	case "", roleAgent:
		return c.happens(c.join(a.Agent), e), nil
	case roleConsumer:
		return c.happens(c.self(), e), nil
	default:
		return c.happens(c.takesPart(a.Role, a.Role), e), nil
	}
}

// autoAgent lets the automatic agent act on what a consumer wrote. The account is locked.
func (s *Simulator) autoAgent(c *conversation, e *event) {
	auto := s.settings.Load().AutoAgent
	if !auto.active() {
		return
	}
	if auto.DelayMs <= 0 {
		c.autoActs(auto, e)
		return
	}
	s.soon(ms(auto.DelayMs), func() {
		c.acc.mu.Lock()
		defer c.acc.mu.Unlock()
		c.autoActs(auto, e)
	})
}

func (c *conversation) autoActs(auto AutoAgent, e *event) {
	if !c.open() {
		return
	}
	if auto.Join {
		c.join("")
	}
	if auto.Accept {
		_, _ = c.receipt("ACCEPT", []int{e.sequence})
	}
	if auto.Read {
		_, _ = c.receipt("READ", []int{e.sequence})
	}
	if auto.Typing {
		_, _ = c.doTyping(act{On: true})
	}
	if auto.Echo {
		_, _ = c.doText(act{Text: fmt.Sprintf("echo: %s", e.text)})
	}
	if auto.Reply != "" {
		_, _ = c.doText(act{Text: auto.Reply})
	}
	if auto.Typing {
		_, _ = c.doTyping(act{On: false})
	}
}
