package twilio

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

const sendOp = "twilio: send"

// Send sends a message, from part Outbound.Done on, one request per part. Choices
// are written out; a file goes with the first part of its caption, or as a link where
// the sender cannot carry it. The codes of Twilio that decide the class are in
// classes; 5xx is Uncertain, since a repeat is not recognised.
func (a *Adapter) Send(ctx context.Context, out message.Outbound) (channels.Sent, error) {
	sent := channels.Sent{Parts: max(out.Done, 0)}
	text, media, err := a.said(out)
	if err != nil {
		return sent, err
	}
	parts := channels.Split(text, maxText)
	if len(parts) == 0 {
		parts = []string{""} // a file without a caption
	}
	for sent.Parts < len(parts) {
		body := body{to: out.To.Consumer, text: parts[sent.Parts]}
		if sent.Parts == 0 {
			body.media = media
		}
		ref, err := a.post(ctx, body, origin{message: out.ID, part: sent.Parts + 1, parts: len(parts)})
		if err != nil {
			return sent, err
		}
		sent.Refs = append(sent.Refs, ref)
		sent.Parts++
	}
	return sent, nil
}

// said returns the text of a message, and the URL of its file if the sender can
// carry that.
func (a *Adapter) said(out message.Outbound) (text, media string, err error) {
	switch out.Kind {
	case message.Text, message.Choices:
		text = channels.Written(out.Text, out.Choices)
	case message.Rich:
		_, text, _, _ = channels.Ladder(a.Limits(), out.Text, out.Choices, out.Blocks)
	case message.Media:
		return a.file(out)
	default:
		return "", "", fault.New(fault.Rejected, sendOp, "an SMS cannot carry %q", string(out.Kind))
	}
	if text = channels.Clean(text); strings.TrimSpace(text) == "" {
		return "", "", fault.New(fault.Rejected, sendOp, "the text is empty")
	}
	return text, "", nil
}

func (a *Adapter) file(out message.Outbound) (caption, media string, err error) {
	if out.Attachment == nil || out.Attachment.URL == "" {
		return "", "", fault.New(fault.Rejected, sendOp, "there is no file")
	}
	if !a.Limits().Carries(out.Attachment.MIME, out.Attachment.Size) {
		return channels.Clean(channels.Link(out.Text, out.Attachment.URL)), "", nil
	}
	return strings.TrimSpace(channels.Clean(out.Text)), out.Attachment.URL, nil
}

// body is what one request asks Twilio to send.
type body struct{ to, text, media string }

// post sends one part and returns Twilio's name of it.
func (a *Adapter) post(ctx context.Context, b body, o origin) (ref string, err error) {
	form := url.Values{"To": {b.to}, "StatusCallback": {a.callbackFor(o)}}
	if b.text != "" {
		form.Set("Body", b.text)
	}
	if b.media != "" {
		form.Set("MediaUrl", b.media)
	}
	if strings.HasPrefix(a.from, "MG") {
		form.Set("MessagingServiceSid", a.from)
	} else {
		form.Set("From", a.from)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.messages, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fault.New(fault.Rejected, sendOp, "the request cannot be made")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(a.account, a.tokens[0])
	answer, err := a.caller.Do(ctx, req)
	if err != nil {
		return "", err
	}
	return a.read(answer)
}

// result is what Twilio answers: a message, or an error. Its text is not read: it
// may hold a number.
type result struct {
	SID  string      `json:"sid"`
	Code json.Number `json:"code"`
}

func (a *Adapter) read(answer channels.Answer) (ref string, err error) {
	var got result
	_ = json.Unmarshal(answer.Body, &got) // an answer that is not Twilio's has neither field
	if answer.Accepted() {
		if !channels.Name(got.SID) {
			return "", a.caller.Judge(answer, fault.Uncertain, "", 0) // not Twilio's answer, or cut short
		}
		return got.SID, nil
	}
	return "", a.caller.Judge(answer, classOf(answer.Status, got.Code.String()), code(got.Code.String()), 0)
}

// classes is what Twilio's codes mean, where the status alone would mislead.
//
// Source: twilio.com/docs/api/errors
var classes = map[fault.Class][]int{
	fault.Throttled: {20429, 63018},
	fault.Transient: {
		21611, 30001, // a queue is full
		30003, 30008, // unreachable for now, unknown
	},
	fault.Gone: {21610}, // opted out
	fault.Denied: {
		20003, 20404, 10001, 30002, // credentials, account
		21408, 30034, // region, registration
		21606, 21212, 21659, 21660, 21701, 21703, // sender
		21609, // StatusCallback: PublicURL cannot be reached from outside
	},
	fault.Rejected: {
		21211, 21612, 21614, 30004, 30005, 30006, // never to this consumer
		21617, 30007, 63016, // never this content
	},
}

func classOf(status int, code string) fault.Class {
	if status >= 500 {
		return fault.Uncertain
	}
	n, _ := strconv.Atoi(code)
	for class, codes := range classes {
		if slices.Contains(codes, n) {
			return class
		}
	}
	if status == http.StatusNotFound {
		return fault.Denied // the account, or the base URL, is wrong
	}
	return channels.ByStatus(status, fault.Uncertain)
}
