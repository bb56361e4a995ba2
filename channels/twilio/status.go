package twilio

import (
	"net/url"
	"strconv"
	"strings"

	"parley/channels"
	"parley/message"
)

// What we put into the query of a status callback, which Twilio signs and gives back.
const (
	messageParam = "message" // our ID
	partParam    = "part"    // which part of the text, from 1
	partsParam   = "parts"   // how many there are
)

// origin is what a status is about, in our own words.
type origin struct {
	message     message.ID
	part, parts int
}

// callbackFor returns the URL that Twilio shall call with the status of one part.
func (a *Adapter) callbackFor(o origin) string {
	q := url.Values{
		messageParam: {string(o.message)},
		partParam:    {strconv.Itoa(o.part)},
		partsParam:   {strconv.Itoa(o.parts)},
	}
	return a.callback + "?" + q.Encode()
}

func originOf(query string) origin {
	q, _ := url.ParseQuery(query) // signed; what cannot be read is as good as missing
	o := origin{message: message.ID(q.Get(messageParam)), part: positive(q.Get(partParam)), parts: positive(q.Get(partsParam))}
	if !channels.Name(string(o.message)) {
		o.message = ""
	}
	o.parts = max(o.parts, o.part)
	return o
}

func positive(s string) int {
	n, _ := strconv.Atoi(s)
	return max(n, 1)
}

// status reads what became of a message of ours. An event comes of what a receipt
// can say. Of a text in parts, the last one's delivery is the text's, and the
// failure of any is. Only what is about the last part bears our ID: it proves that
// all of the text was sent, which settles an uncertain send.
func (a *Adapter) status(r *channels.Received, w channels.Webhook, form url.Values) {
	sid, to, status := sidOf(form), form.Get("To"), strings.ToLower(form.Get("MessageStatus"))
	if status == "" {
		status = strings.ToLower(form.Get("SmsStatus"))
	}
	state, known := states[status]
	if !channels.Name(sid) || !channels.Name(to) || !known {
		leave(r, w, sid, "a status without MessageSid or To, or of an unknown kind")
		return
	}
	o := originOf(w.Query)
	last := o.part == o.parts
	if last && o.message != "" {
		r.Echoes = append(r.Echoes, message.Echo{Scope: a.channel, Key: o.message, Sequence: -1, At: w.At})
	}
	if state == "" || (state != message.Failed && !last) {
		return
	}
	receipt := message.Receipt{Ref: sid, State: state}
	if last {
		receipt.Message = o.message
	}
	if state == message.Failed {
		receipt.Code = failureCode(form, status)
	}
	eventID := sid + "/" + status
	r.Events = append(r.Events, message.Inbound{
		Kind:    message.Receipts,
		ID:      message.NewID(a.channel, eventID),
		EventID: eventID,
		Address: message.Address{Channel: a.channel, Consumer: to},
		At:      w.At,
		Receipt: &receipt,
	})
}

// states holds all of Twilio's; those on the way there are no receipts.
var states = map[string]message.ReceiptState{
	"accepted":    "",
	"scheduled":   "",
	"queued":      "",
	"sending":     "",
	"sent":        "",
	"delivered":   message.Delivered,
	"read":        message.Read,
	"undelivered": message.Failed,
	"failed":      message.Failed,
	"canceled":    message.Failed,
}

func failureCode(form url.Values, status string) string {
	if code := code(form.Get("ErrorCode")); code != "" {
		return code
	}
	return status
}

// code returns s if it is one of Twilio's error codes, which are numbers of five digits.
func code(s string) string {
	if len(s) > 10 || strings.Trim(s, "0123456789") != "" || strings.Trim(s, "0") == "" {
		return ""
	}
	return s
}
