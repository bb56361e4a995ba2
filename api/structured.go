package api

import (
	"encoding/json"
	"strconv"

	"parley/liveperson"
	"parley/message"
)

// mostMetadata bounds what is kept of metadata, in bytes; the journal shows less.
const mostMetadata = 16 << 10

// fill puts in what an agent's event says.
func fill(n *message.Notification, e liveperson.Event) {
	n.Text, n.Choices = e.Text, choices(n.ID, e.Choices)
	n.Blocks = blocks(e.Blocks, n.Choices)
	if e.File != nil {
		n.File = &message.File{Path: e.File.Path, Type: e.File.Type, Caption: e.File.Caption}
	}
	n.Metadata = metadata(e.Metadata)
}

// metadata is what came along, for the journal; only its length where it is long.
func metadata(raw json.RawMessage) json.RawMessage {
	if len(raw) > mostMetadata {
		return json.RawMessage(`{"leftOutBytes":` + strconv.Itoa(len(raw)) + `}`)
	}
	return raw
}

// choices are the answers offered. Their IDs tell them from all others that were
// ever offered, so that a button can be clicked a week later.
func choices(of message.ID, in []liveperson.Choice) []message.Choice {
	var out []message.Choice
	for i, c := range in {
		out = append(out, message.Choice{
			ID: string(of) + "/" + strconv.Itoa(i+1), Title: c.Title, Text: c.Text, Metadata: c.Metadata, Quick: c.Quick, Many: c.Many,
		})
	}
	return out
}

// blocks is structured content in the words of all rooms. What a choice gives back
// is in choices, once.
func blocks(in []liveperson.Block, choices []message.Choice) []message.Block {
	var out []message.Block
	for _, b := range in {
		block := message.Block{
			Kind: message.BlockKind(b.Kind), Text: b.Text, Value: b.Value, URL: b.URL,
			Latitude: b.Latitude, Longitude: b.Longitude, Blocks: blocks(b.Blocks, choices),
		}
		if b.Choice > 0 && b.Choice <= len(choices) {
			c := choices[b.Choice-1]
			c.Metadata = nil
			block.Choice = &c
		}
		out = append(out, block)
	}
	return out
}

// encodeNotification returns a notification as JSON. One that is too large does
// without what can be done without, in this order: its text says all of it.
func encodeNotification(n message.Notification) (body []byte, reason string) {
	for _, lighten := range []func(){
		func() {}, func() { n.Metadata = nil }, func() { n.Blocks = nil }, func() { n.Choices = nil },
	} {
		lighten()
		if body, reason = encode(n, n.Text); reason == "" {
			break
		}
	}
	return body, reason
}

// change is a snapshot in the words of all rooms.
func change(c *liveperson.Change) *message.Change {
	agent, assigned := c.Agent()
	out := &message.Change{
		Version: c.Version, Open: c.Open(), MainOpen: c.MainOpen(), CloseReason: c.CloseReason, Skill: c.Skill,
		Agent: assigned, Consumer: c.Consumer(), Survey: c.Survey(), AgentID: agent, Manager: c.Manager(),
		AnswerBy: c.AnswerBy, Delay: c.Delay.Type, DelayTo: c.Delay.Until,
	}
	if c.CSAT != nil {
		out.CSAT, out.Resolved = c.CSAT.Rate, c.CSAT.Resolved
	}
	return out
}

// rating is what a snapshot says that the consumer answered; ok is false when it
// says nothing of it.
func rating(account string, e liveperson.Event, at message.Notification) (r message.Rating, ok bool) {
	csat := e.Change.CSAT
	if csat == nil || (csat.Rate == 0 && csat.Resolved == nil) {
		return r, false
	}
	return message.Rating{
		Account: account, Conversation: e.Conversation, CSAT: csat.Rate, Resolved: csat.Resolved, Status: csat.Status, At: at.At,
	}, true
}
