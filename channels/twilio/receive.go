package twilio

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

// signatureHeader holds base64(HMAC-SHA1(token, URL + sorted fields)).
const signatureHeader = "X-Twilio-Signature"

const receiveOp = "twilio: receive"

// emptyTwiML tells Twilio to do nothing: text in it would be sent to the consumer.
var emptyTwiML = []byte(`<?xml version="1.0" encoding="UTF-8"?><Response/>`)

// Receive reads what Twilio posts: a consumer's message on the route "", the
// status of one of ours on the route "status". Any other route is Rejected with
// channels.ErrNoRoute; a request that is not signed by Twilio is Denied. What is
// signed and makes no sense is a Leftover, for Twilio would not repeat it anyway.
func (a *Adapter) Receive(w channels.Webhook) (channels.Received, error) {
	if w.Route != messagesRoute && w.Route != statusRoute {
		return channels.Received{}, &fault.Error{Class: fault.Rejected, Op: receiveOp, Err: channels.ErrNoRoute}
	}
	form, ok := a.open(w)
	if !ok {
		return channels.Received{}, fault.New(fault.Denied, receiveOp, "missing or wrong signature")
	}
	r := channels.Received{ContentType: "text/xml", Answer: slices.Clone(emptyTwiML)}
	if w.Route == statusRoute {
		a.status(&r, w, form)
	} else {
		a.message(&r, w, form)
	}
	return r, nil
}

// open returns the form, which must be read before the signature over it can be
// checked, and whether the signature is right.
func (a *Adapter) open(w channels.Webhook) (url.Values, bool) {
	got, err := base64.StdEncoding.DecodeString(w.Header.Get(signatureHeader))
	if err != nil || len(got) != sha1.Size {
		return nil, false
	}
	fields := string(w.Body)
	if w.Method == http.MethodGet {
		fields = w.Query
	}
	form, err := url.ParseQuery(fields)
	if err != nil {
		return nil, false
	}
	signed := form
	if w.Method == http.MethodGet {
		signed = nil // the query is signed as a part of the URL
	}
	tail := w.Path
	if w.Query != "" {
		tail += "?" + w.Query
	}
	tail += sorted(signed)
	for _, token := range a.tokens {
		for _, origin := range a.origins {
			mac := hmac.New(sha1.New, []byte(token))
			mac.Write([]byte(origin + tail))
			if hmac.Equal(got, mac.Sum(nil)) {
				return form, true
			}
		}
	}
	return nil, false
}

// sorted writes the fields as Twilio signs them: by key, and for a repeated key
// its distinct values in order, each after the key.
func sorted(form url.Values) string {
	keys := make([]string, 0, len(form))
	for k := range form {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		values := slices.Clone(form[k])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			b.WriteString(k)
			b.WriteString(v)
		}
	}
	return b.String()
}

// message reads a consumer's message. Twilio gives no time: that of arrival is taken.
func (a *Adapter) message(r *channels.Received, w channels.Webhook, form url.Values) {
	sid, from := sidOf(form), form.Get("From")
	if !channels.Name(sid) || !channels.Name(from) {
		leave(r, w, sid, "a message without MessageSid or From")
		return
	}
	in := message.Inbound{
		Kind:        message.Wrote,
		ID:          message.NewID(a.channel, sid),
		EventID:     sid,
		Address:     message.Address{Channel: a.channel, Consumer: from},
		At:          w.At,
		Ref:         sid,
		Text:        channels.Clean(form.Get("Body")),
		Choice:      choice(form),
		Attachments: attachments(form),
		Profile:     message.Profile{Name: channels.Clean(form.Get("ProfileName")), Phone: phone(from)},
	}
	in.Consent = consent(form.Get("OptOutType"), in.Text)
	if strings.TrimSpace(in.Text) == "" && in.Choice == nil && len(in.Attachments) == 0 {
		if in.Consent == "" {
			leave(r, w, sid, "a message with neither text nor media")
			return
		}
		in.Kind = message.Consent
	}
	r.Events = append(r.Events, in)
}

func sidOf(form url.Values) string {
	for _, key := range []string{"MessageSid", "SmsMessageSid", "SmsSid"} {
		if sid := form.Get(key); sid != "" {
			return sid
		}
	}
	return ""
}

// phone returns the number of an SMS address; other kinds of address ("whatsapp:+1…") hold it behind a prefix.
func phone(from string) string {
	if _, number, ok := strings.Cut(from, ":"); ok {
		from = number
	}
	if len(from) < 2 || from[0] != '+' || strings.Trim(from[1:], "0123456789") != "" {
		return ""
	}
	return from
}

func choice(form url.Values) *message.Choice {
	title, payload := channels.Clean(form.Get("ButtonText")), channels.Clean(form.Get("ButtonPayload"))
	if title == "" && payload == "" {
		return nil
	}
	return &message.Choice{ID: payload, Title: title}
}

// The words that make Twilio block or unblock a pair of numbers, when they are all
// of the message. YES unblocks as well, but is also the answer to many a question:
// it counts only where Twilio says so itself.
var (
	stopWords  = []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"}
	startWords = []string{"START", "UNSTOP"}
)

// consent returns what a message means for consent. OptOutType is present where
// Advanced Opt-Out has recognised a word of the account's own list.
func consent(optOutType, text string) message.ConsentChange {
	word := strings.ToUpper(strings.TrimSpace(text))
	switch {
	case optOutType == "STOP":
		return message.OptedOut
	case optOutType == "START":
		return message.OptedIn
	case slices.Contains(stopWords, word):
		return message.OptedOut
	case slices.Contains(startWords, word):
		return message.OptedIn
	default:
		return ""
	}
}

// leave keeps what cannot be used.
func leave(r *channels.Received, w channels.Webhook, eventID, reason string) {
	if !channels.Name(eventID) {
		eventID = ""
	}
	body := slices.Clone(w.Body)
	if w.Method == http.MethodGet {
		body = []byte(w.Query)
	}
	r.Dead = append(r.Dead, channels.Leftover{EventID: eventID, Reason: reason, Body: body})
}

// Reread reads the fields of a request. Only a report of a status has one.
func (a *Adapter) Reread(body []byte, at time.Time) channels.Received {
	w := channels.Webhook{Method: http.MethodPost, Body: body, At: at}
	var r channels.Received
	form, err := url.ParseQuery(string(body))
	switch {
	case err != nil:
		leave(&r, w, "", "not a form")
	case form.Get("MessageStatus") != "":
		a.status(&r, w, form)
	default:
		a.message(&r, w, form)
	}
	return r
}
