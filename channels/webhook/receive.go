package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

const receiveOp = "http: receive"

// Receive reads a batch of events, on the route "" or "events"; any other is
// Rejected with channels.ErrNoRoute, and a request that is not signed is Denied.
//
// A signed body that is no batch at all is Rejected, so that its sender, who still
// has it, learns of the mistake at once. Of a batch, an event that cannot be used
// becomes a Leftover and the others go on.
func (a *Adapter) Receive(w channels.Webhook) (channels.Received, error) {
	if w.Route != "" && w.Route != "events" {
		return channels.Received{}, &fault.Error{Class: fault.Rejected, Op: receiveOp, Err: channels.ErrNoRoute}
	}
	if !a.signed(w.Header, w.Body, w.At) {
		return channels.Received{}, fault.New(fault.Denied, receiveOp, "missing, wrong or outdated signature")
	}
	var batch struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(w.Body, &batch); err != nil || batch.Events == nil {
		return channels.Received{}, fault.New(fault.Rejected, receiveOp, `the body is not a JSON object with an array "events"`)
	}
	b := reading{adapter: a, at: w.At, seen: map[string]bool{}}
	for i, raw := range batch.Events {
		b.read(raw, fmt.Sprintf("%s/%d", w.Header.Get(idHeader), i))
	}
	b.got.Status = http.StatusAccepted
	return b.got, nil
}

// reading is one batch being read.
type reading struct {
	adapter *Adapter
	at      time.Time
	seen    map[string]bool
	got     channels.Received
}

// event is one event as it comes.
type event struct {
	ID           name            `json:"id"`
	Type         string          `json:"type"`
	Time         json.RawMessage `json:"time"`
	Conversation struct {
		ID          name        `json:"id"`
		Participant participant `json:"participant"`
	} `json:"conversation"`
	Message *content `json:"message"`
	Status  *status  `json:"status"`
	Typing  *bool    `json:"typing"`
}

type content struct {
	ID          name   `json:"id"`
	Text        string `json:"text"`
	Choice      *pick  `json:"choice"`
	Attachments []file `json:"attachments"`
}

type pick struct {
	ID    name   `json:"id"`
	Title string `json:"title"`
}

type file struct {
	Kind string  `json:"kind"`
	MIME string  `json:"mime"`
	Name string  `json:"name"`
	Size float64 `json:"size"`
	URL  string  `json:"url"`
}

type status struct {
	MessageID name   `json:"messageId"`
	State     string `json:"state"`
	Code      name   `json:"code"`
}

// name is an ID, which some write as a number; its digits are taken as they stand.
type name string

func (n *name) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && (b[0] == '-' || (b[0] >= '0' && b[0] <= '9')) {
		*n = name(b)
		return nil
	}
	return json.Unmarshal(b, (*string)(n))
}

// read takes one event of the batch. fallback is its ID if it has none itself; it
// is the same when the same request is sent again.
func (b *reading) read(raw json.RawMessage, fallback string) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		b.leave(raw, fallback, "an event that is not of the contract's form")
		return
	}
	if e.ID == "" {
		e.ID = name(fallback)
	}
	if !channels.Name(string(e.ID)) {
		b.leave(raw, "", "an event whose ID cannot be one")
		return
	}
	if reason := b.take(e, raw); reason != "" {
		b.leave(raw, string(e.ID), reason)
	}
}

// take adds what an event says, or returns why it says nothing.
func (b *reading) take(e event, raw json.RawMessage) (reason string) {
	if e.Type == "status" {
		return b.status(e)
	}
	if !channels.Name(string(e.Conversation.Participant.ID)) {
		return "an event without conversation.participant.id"
	}
	if id := e.Conversation.ID; id != "" && !channels.Name(string(id)) {
		return "an event whose conversation.id cannot be one"
	}
	switch e.Type {
	case "message", "reply":
		return b.message(e, raw)
	case "close":
		b.add(b.inbound(e, message.Closed))
	case "profile":
		return b.profile(e)
	case "typing":
		typing := e.Typing == nil || *e.Typing
		b.got.Presence = append(b.got.Presence, message.Presence{Address: b.address(e), Typing: typing})
	default:
		return "an event of an unknown type"
	}
	return ""
}

func (b *reading) message(e event, raw json.RawMessage) (reason string) {
	if e.Message == nil {
		return "a message without message"
	}
	in := b.inbound(e, message.Wrote)
	if channels.Name(string(e.Message.ID)) {
		in.Ref = string(e.Message.ID)
	}
	in.Text = channels.Clean(e.Message.Text)
	if c := e.Message.Choice; c != nil {
		in.Choice = &message.Choice{ID: channels.Clean(string(c.ID)), Title: channels.Clean(c.Title)}
	}
	complete := true
	in.Attachments, complete = attachments(e.Message.Attachments)
	if strings.TrimSpace(in.Text) == "" && in.Choice == nil && len(in.Attachments) == 0 {
		return "a message with neither text, choice nor usable attachment"
	}
	b.add(in)
	if !complete {
		b.leave(raw, string(e.ID), "an attachment without an http or https URL; the rest was taken")
	}
	return ""
}

// profile takes a change of the profile alone.
func (b *reading) profile(e event) (reason string) {
	in := b.inbound(e, message.Known)
	if in.Profile.Empty() {
		return "a profile that tells nothing"
	}
	b.add(in)
	return ""
}

// attachments returns the usable ones, and whether that is all.
func attachments(files []file) (all []message.Attachment, complete bool) {
	complete = true
	for _, f := range files {
		link := channels.Clean(f.URL)
		if !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
			complete = false
			continue
		}
		all = append(all, message.Attachment{
			Kind: channels.Clean(f.Kind),
			MIME: channels.Clean(f.MIME),
			Name: channels.Clean(f.Name),
			Size: int64(min(max(f.Size, 0), 1<<53)),
			URL:  link,
		})
	}
	return all, complete
}

// status takes a receipt. One that names no consumer has no conversation to go to;
// only a failure is then worth keeping.
func (b *reading) status(e event) (reason string) {
	if e.Status == nil || !channels.Name(string(e.Status.MessageID)) {
		return "a status without status.messageId"
	}
	state, known := states[e.Status.State]
	switch {
	case !known:
		return "a status of an unknown state"
	case state == "":
		return ""
	case channels.Name(string(e.Conversation.Participant.ID)):
		in := b.inbound(e, message.Receipts)
		in.Receipt = receipt(e.Status, state)
		b.add(in)
	case state == message.Failed:
		return "a failure without conversation.participant.id"
	}
	return ""
}

var states = map[string]message.ReceiptState{
	"queued":    "",
	"accepted":  "",
	"sent":      "",
	"delivered": message.Delivered,
	"read":      message.Read,
	"opened":    message.Opened,
	"failed":    message.Failed,
}

func receipt(s *status, state message.ReceiptState) *message.Receipt {
	r := message.Receipt{Ref: string(s.MessageID), State: state}
	if state == message.Failed {
		r.Code = code(string(s.Code))
	}
	return &r
}

func (b *reading) address(e event) message.Address {
	return message.Address{Channel: b.adapter.channel, Consumer: string(e.Conversation.Participant.ID)}
}

func (b *reading) inbound(e event, kind message.InboundKind) message.Inbound {
	in := message.Inbound{
		Kind:    kind,
		ID:      message.NewID(b.adapter.channel, string(e.ID)),
		EventID: string(e.ID),
		Address: b.address(e),
		At:      timeOf(e.Time, b.at),
		Profile: e.Conversation.Participant.Profile.profile(),
	}
	if reply := string(e.Conversation.ID); reply != in.Address.Consumer && channels.Name(reply) {
		in.Reply = reply
	}
	return in
}

// timeOf returns the event's time, that of arrival if it has none to be used: an
// event is not refused for its clock.
func timeOf(raw json.RawMessage, arrival time.Time) time.Time {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return arrival
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.UTC().Year() < 1970 || t.UTC().Year() > 9998 {
		return arrival
	}
	return t.UTC()
}

// add takes an event; the second of the same ID is a repeat of the first.
func (b *reading) add(in message.Inbound) {
	if !b.seen[in.EventID] {
		b.seen[in.EventID] = true
		b.got.Events = append(b.got.Events, in)
	}
}

func (b *reading) leave(raw json.RawMessage, eventID, reason string) {
	b.got.Dead = append(b.got.Dead, channels.Leftover{EventID: eventID, Reason: reason, Body: slices.Clone(bytes.TrimSpace(raw))})
}

// Reread reads one event, or a batch that was kept as a whole.
func (a *Adapter) Reread(body []byte, at time.Time) channels.Received {
	var batch struct {
		Events []json.RawMessage `json:"events"`
	}
	if json.Unmarshal(body, &batch) != nil || batch.Events == nil {
		batch.Events = []json.RawMessage{body}
	}
	b := reading{adapter: a, at: at, seen: map[string]bool{}}
	for _, raw := range batch.Events {
		b.read(raw, string(message.NewID("reread", string(raw))))
	}
	return b.got
}
