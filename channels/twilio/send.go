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

// Send sends a text, from part Outbound.Done on, one request per part. Choices are
// written out. The codes of Twilio that decide the class are in classes; 5xx is
// Uncertain, since a repeat is not recognised.
func (a *Adapter) Send(ctx context.Context, out message.Outbound) (channels.Sent, error) {
	if out.Kind != message.Text && out.Kind != message.Choices {
		return channels.Sent{Parts: out.Done}, fault.New(fault.Rejected, sendOp, "an SMS cannot carry %q", string(out.Kind))
	}
	text := channels.Clean(channels.Written(out.Text, out.Choices))
	if strings.TrimSpace(text) == "" {
		return channels.Sent{Parts: out.Done}, fault.New(fault.Rejected, sendOp, "the text is empty")
	}
	parts := channels.Split(text, maxText)
	sent := channels.Sent{Parts: max(out.Done, 0)}
	for sent.Parts < len(parts) {
		o := origin{message: out.ID, part: sent.Parts + 1, parts: len(parts)}
		ref, err := a.post(ctx, out.To.Consumer, parts[sent.Parts], o)
		if err != nil {
			return sent, err
		}
		sent.Refs = append(sent.Refs, ref)
		sent.Parts++
	}
	return sent, nil
}

// post sends one part and returns Twilio's name of it.
func (a *Adapter) post(ctx context.Context, to, body string, o origin) (ref string, err error) {
	form := url.Values{"To": {to}, "Body": {body}, "StatusCallback": {a.callbackFor(o)}}
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
