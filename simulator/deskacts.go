package simulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// doRich sends structured content, with quick replies or without.
func (c *conversation) doRich(a act) (done, error) {
	if len(a.Content) == 0 {
		return done{}, badRequest("content is required")
	}
	if err := checkContent(a.Content); err != nil {
		return done{}, badRequest(err.Error())
	}
	raw := map[string]any{"type": richEvent, "content": a.Content}
	return c.offers(a, raw, &event{kind: richEvent, text: firstText(a.Content)})
}

// doQuick sends a text with quick replies.
func (c *conversation) doQuick(a act) (done, error) {
	if a.Text == "" || len(a.QuickReplies) == 0 {
		return done{}, badRequest("text and quickReplies are required")
	}
	raw := map[string]any{"type": contentEvent, "contentType": "text/plain", "message": a.Text}
	return c.offers(a, raw, &event{kind: contentEvent, text: a.Text})
}

// offers sends an event with what can be clicked, as whom the act says.
func (c *conversation) offers(a act, raw map[string]any, e *event) (done, error) {
	if len(a.QuickReplies) > 0 {
		if err := checkChips(a.QuickReplies); err != nil {
			return done{}, badRequest(err.Error())
		}
		raw["quickReplies"] = a.QuickReplies
	}
	if len(a.Metadata) > 0 {
		if _, reason, _ := checkMetadata(a.Metadata); reason != "" {
			return done{}, badRequest(reason)
		}
	}
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	e.raw, e.metadata, e.audience = marshal(raw), a.Metadata, "ALL"
	return c.happens(c.as(a), e), nil
}

// as is who acts: the agent, unless the act names another role.
func (c *conversation) as(a act) participant {
	switch a.Role {
	case "", roleAgent:
		return c.join(a.Agent)
	case roleManager:
		return c.takesPart(roleManager, "Manager")
	case roleController:
		return c.takesPart(roleController, "Controller")
	}
	return c.takesPart(a.Role, a.Role)
}

// firstText is the first text in structured content, for lists.
func firstText(content json.RawMessage) string {
	var root any
	_ = json.Unmarshal(content, &root) // it was checked
	var find func(any) string
	find = func(v any) string {
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				if text := find(inner); text != "" {
					return text
				}
			}
		case map[string]any:
			for _, name := range []string{"text", "title", "caption"} {
				if text, _ := v[name].(string); text != "" {
					return text
				}
			}
			return find(v["elements"])
		}
		return ""
	}
	return find(root)
}

// doManager lets a manager join, and say something where there is a text.
func (c *conversation) doManager(a act) (done, error) {
	if a.Text != "" {
		return c.says(roleManager, "Manager", a.Text, "ALL")
	}
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	c.takesPart(roleManager, "Manager")
	return done{Conversation: c.id}, nil
}

// doUrgency is an agent's or the cloud's change of the time to respond.
func (c *conversation) doUrgency(a act) (done, error) {
	if !slices.Contains([]string{"NORMAL", "URGENT", "PRIORITIZED", "CUSTOM"}, a.Type) || (a.Type == "CUSTOM" && (a.Value == nil || *a.Value < 0)) {
		return done{}, badRequest("type is NORMAL, URGENT, PRIORITIZED or CUSTOM with a value")
	}
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	c.urgency(a.Type, a.Value)
	c.changed()
	return done{Conversation: c.id}, nil
}

// doDelay tells that nobody answers for a while; without a type, that they do again.
func (c *conversation) doDelay(a act) (done, error) {
	if a.Type != "" && !slices.Contains([]string{"NIGHT", "WEEKEND", "HOLIDAY"}, a.Type) {
		return done{}, badRequest("type is NIGHT, WEEKEND or HOLIDAY")
	}
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	c.delay = nil
	if a.Type != "" {
		c.delay = &delay{Type: a.Type, TillWhen: a.TillWhen}
	}
	c.changed()
	return done{Conversation: c.id}, nil
}

// doAutoClose closes as LivePerson does after a long silence: without a survey.
func (c *conversation) doAutoClose(act) (done, error) {
	return c.doClose(act{Reason: c.acc.sim.settings.Load().AutoClose.Reason})
}

// watchSilence closes the conversation when the consumer does not answer an agent
// for long enough. The account is locked.
func (c *conversation) watchSilence(e *event) {
	after := c.acc.sim.settings.Load().AutoClose.AfterMs
	if after <= 0 || e.from.role == roleConsumer || e.dialog != c.id {
		return
	}
	c.acc.sim.soon(time.Duration(after)*time.Millisecond, func() {
		c.acc.mu.Lock()
		defer c.acc.mu.Unlock()
		if c.last == e && c.open() {
			_, _ = c.doAutoClose(act{})
		}
	})
}

// agentFile is POST /sim/conversations/{id}/file. With a name or a type in the query
// the body is the file itself; otherwise it is JSON, with the file in data.
func (s *Simulator) agentFile(r *http.Request) (any, error) {
	a, c := s.conversationByID(r.PathValue("id"))
	if c == nil {
		return nil, unknown("no such conversation")
	}
	q := r.URL.Query()
	in := act{Agent: q.Get("agent"), Name: q.Get("name"), Caption: q.Get("caption"), Type: q.Get("type"), Preview: q.Get("preview"), Role: q.Get("role")}
	body := io.Reader(r.Body)
	if in.Name == "" && in.Type == "" {
		if err := read(r, &in); err != nil {
			return nil, err
		}
		if in.Generate > 0 {
			in.Data, in.Type = generated(in.Generate), "PNG"
		}
		body = bytes.NewReader(in.Data)
	}
	if in.Type == "" {
		in.Type = ending(in.Name)
	}
	rules := s.settings.Load().Files
	if !slices.Contains(rules.AgentTypes, in.Type) {
		return nil, badRequest("type is one of " + strings.Join(rules.AgentTypes, ", "))
	}
	file := s.newFile(a, c.consumer.lp, "agent", in.Type, in.Name, 0)
	stored, err := s.files.write(file.ID, body, rules.AgentMaxBytes)
	if err != nil {
		return nil, badRequest("file: " + err.Error())
	}
	if stored.Size == 0 {
		return nil, badRequest("the file is empty")
	}
	in.Preview = s.preview(in.Preview, stored)
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.sendFile(in, stored)
}

func (c *conversation) sendFile(in act, stored storedFile) (done, error) {
	if err := c.needOpen(); err != nil {
		return done{}, err
	}
	f := &hostedFile{Caption: in.Caption, FileType: in.Type, RelativePath: stored.ID, Preview: in.Preview}
	if f.Caption == "" {
		f.Caption = in.Name
	}
	raw := marshal(map[string]any{"type": contentEvent, "contentType": "hosted/file", "message": f})
	return c.happens(c.as(in), &event{kind: contentEvent, text: f.Caption, file: f, raw: raw, audience: "ALL"}), nil
}

// ending is a file's type by its name.
func ending(name string) string {
	_, end, _ := strings.Cut(name[max(strings.LastIndexByte(name, '.'), 0):], ".")
	return strings.ToUpper(end)
}

// preview is the picture itself where it is small enough; agents' clients make one.
func (s *Simulator) preview(given string, stored storedFile) string {
	if given != "" || !strings.HasPrefix(stored.MIME, "image/") || stored.Size > longestPreview/2 {
		return given
	}
	r, err := s.files.open(stored)
	if err != nil {
		return ""
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil {
		return ""
	}
	return "data:" + stored.MIME + ";base64," + base64.StdEncoding.EncodeToString(b)
}
