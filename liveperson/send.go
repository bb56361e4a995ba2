package liveperson

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"parley/fault"
)

// request is one request of the Send API. The same vocabulary is used in the
// batch that opens a conversation.
type request struct {
	Kind     string          `json:"kind"`
	ID       string          `json:"id"` // only reflected; no repeat is recognised by it
	Type     string          `json:"type"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Body     any             `json:"body"`
}

func newRequest(kind string, body any) request {
	return request{Kind: "req", ID: rand.Text(), Type: kind, Body: body}
}

// publishEvent is the body of ms.PublishEvent. Both IDs are always sent: a survey
// dialog needs the conversation's as well.
type publishEvent struct {
	DialogID       string `json:"dialogId"`
	ConversationID string `json:"conversationId"`
	Event          any    `json:"event"`
}

func newPublishEvent(conversation, dialog string, event any) request {
	if dialog == "" {
		dialog = conversation // the MAIN dialog
	}
	return newRequest("ms.PublishEvent", publishEvent{dialog, conversation, event})
}

// Publish is one text from a consumer.
type Publish struct {
	Consumer     string // our name for the consumer, as given to Open
	Conversation string
	Dialog       string // the conversation's MAIN dialog when empty
	Text         string
	ExternalID   string          // comes back with the echo; at most 64 characters, may be empty
	Metadata     json.RawMessage // of the choice that was taken, as it came: it goes out so, without ExternalID
}

// Published is where the cloud put an event: its number within the dialog, from 0.
// It is -1 when the cloud did not say.
type Published struct {
	Sequence int
}

// Publish sends one text to an open dialog and returns the sequence it got.
//
// The error is a *fault.Error: Throttled for 429, at least a second; Denied for
// 401 and 403 after one fresh token; Uncertain for 5xx, and if no answer came once
// the request was written; Transient if it never left; Gone with CodeClosed if the
// conversation is closed; Rejected for other 4xx. Publish does not retry; its
// caller does, and settles first what is uncertain: the cloud has no idempotency
// key, and publishes a repeat.
//
// Source: connector-api-send-api-send.
func (c *Client) Publish(ctx context.Context, p Publish) (Published, error) {
	const op = "liveperson: publish"
	r := newPublishEvent(p.Conversation, p.Dialog, struct {
		Type        string `json:"type"`
		ContentType string `json:"contentType"`
		Message     string `json:"message"`
	}{"ContentEvent", "text/plain", p.Text})
	r.Metadata = attach(p.Metadata, p.ExternalID)
	return c.publish(ctx, op, p.Consumer, creates, r)
}

// attach is the metadata of a request. That of a choice is given back as it came
// and nothing is put beside it: whoever offered it knows what to do with it. It is
// a list, even where it came as a lone object.
//
// Source: connector-api-send-api-examples (structured content, metadata).
func attach(chosen json.RawMessage, externalID string) json.RawMessage {
	chosen = bytes.TrimSpace(chosen)
	switch {
	case len(chosen) > 0 && chosen[0] == '[':
		return chosen
	case len(chosen) > 0 && chosen[0] == '{':
		return append(append([]byte{'['}, chosen...), ']')
	case externalID == "":
		return nil
	}
	b, err := encode([]map[string]string{{"type": "ExternalId", "id": externalID}})
	if err != nil {
		return nil
	}
	return b
}

func (c *Client) publish(ctx context.Context, op, consumer string, e effect, r request) (Published, error) {
	body, err := c.send(ctx, op, consumer, e, r)
	if err != nil {
		return Published{Sequence: -1}, err
	}
	var got struct {
		Sequence any `json:"sequence"`
	}
	if json.Unmarshal(body, &got) == nil {
		if n, ok := sequence(got.Sequence); ok {
			return Published{Sequence: n}, nil
		}
	}
	return Published{Sequence: -1}, nil
}

// The states of Accept.
const (
	Delivered = "ACCEPT" // the consumer's device has it
	Read      = "READ"   // the consumer has read it
	Accessed  = "ACCESS" // the consumer has opened the file
	Failed    = "NACK"   // it could not be delivered
	Acted     = "ACTION" // the consumer has taken a choice that it offers; Metadata is the choice's
)

// Accept tells agents how far their messages got.
type Accept struct {
	Consumer     string
	Conversation string
	Dialog       string // the conversation's MAIN dialog when empty
	Status       string // Delivered, Read, Accessed, Failed, Acted
	Sequences    []int  // of the agents' messages, within the dialog
	Metadata     json.RawMessage
}

// Accept sends one status for several messages; it takes a sequence of its own.
// Errors are those of Publish, but never Uncertain: saying it twice is harmless.
func (c *Client) Accept(ctx context.Context, a Accept) (Published, error) {
	r := newPublishEvent(a.Conversation, a.Dialog, struct {
		Type         string `json:"type"`
		Status       string `json:"status"`
		SequenceList []int  `json:"sequenceList"`
	}{"AcceptStatusEvent", a.Status, a.Sequences})
	r.Metadata = attach(a.Metadata, "")
	return c.publish(ctx, "liveperson: accept", a.Consumer, repeatable, r)
}

// The states of ChatState.
const (
	Composing = "COMPOSING" // sticks on the agent's screen until another state is sent
	Pause     = "PAUSE"
	Active    = "ACTIVE"
	Inactive  = "INACTIVE"
	Left      = "GONE"
)

// ChatState tells agents what a consumer is doing. A survey dialog takes none.
type ChatState struct {
	Consumer     string
	Conversation string
	Dialog       string // the conversation's MAIN dialog when empty
	State        string // Composing, Pause, Active, Inactive, Left
}

// ChatState sends a consumer's state, which takes no sequence and leaves no trace.
// Errors are those of Publish, but never Uncertain.
func (c *Client) ChatState(ctx context.Context, s ChatState) error {
	_, err := c.send(ctx, "liveperson: chat state", s.Consumer, repeatable, newPublishEvent(s.Conversation, s.Dialog, struct {
		Type      string `json:"type"`
		ChatState string `json:"chatState"`
	}{"ChatStateEvent", s.State}))
	return err
}

// send makes one SEND call and returns the body within the answer's envelope,
// after at most one fresh AppJWT and one fresh ConsumerJWS.
func (c *Client) send(ctx context.Context, op, consumer string, e effect, r request) (json.RawMessage, error) {
	a, err := c.call(ctx, op, consumer, e, "/conversation/send?v=3", r, answer.single)
	if err == nil {
		err = a.judge(op, e, c.now())
	}
	if err != nil {
		return nil, err
	}
	return a.open(op, e)
}

// open returns what a successful answer holds. Nothing at all is fine for what
// needs no result; a page of somebody in between is not, whatever its status.
func (a answer) open(op string, e effect) (json.RawMessage, error) {
	class := fault.Transient
	if e == creates {
		class = fault.Uncertain
	}
	var got envelope
	switch {
	case json.Unmarshal(a.body, &got) == nil:
		return got.Body, nil
	case e == repeatable && !a.cut && (len(bytes.TrimSpace(a.body)) == 0 || json.Valid(a.body)):
		return nil, nil
	}
	return nil, &fault.Error{Class: class, Op: op, Code: strconv.Itoa(a.status), Err: answer{}.cause()}
}

// call makes a call of the Send API on a consumer's behalf. part picks what is to
// be judged, for answers that are a batch.
func (c *Client) call(ctx context.Context, op, external string, e effect, path string, body any, part func(answer) answer) (answer, error) {
	raw, err := encode(body)
	if err != nil {
		return answer{}, fault.New(fault.Rejected, op, "the request cannot be encoded")
	}
	path = "/api/account/" + url.PathEscape(c.config.SiteID) + "/messaging/consumer" + path
	return c.circuit.around(ctx, op, func() (answer, error) {
		return c.onBehalf(ctx, op, external, e, path, raw, part)
	})
}

// onBehalf makes a call, after at most one fresh AppJWT and one fresh ConsumerJWS.
func (c *Client) onBehalf(ctx context.Context, op, external string, e effect, path string, raw []byte, part func(answer) answer) (answer, error) {
	for again := false; ; again = true {
		k, err := c.consumer(ctx, external)
		if err != nil {
			return answer{}, err
		}
		a, err := c.authorized(ctx, op, func(app string) (answer, error) {
			a, err := c.reach(ctx, op, serviceMessaging, e, path, func(target string) (*http.Request, error) {
				return c.signed(ctx, target, app, k, raw)
			})
			return part(a), err
		})
		if again || err != nil || a.status != http.StatusUnauthorized || a.code() != codeConsumerJWS {
			return a, err
		}
		c.log.Info("a consumer token was refused, a fresh one is fetched", "op", op)
		c.consumers.forget(external, k)
	}
}

// signed is a request with everything each call of the Send API has to carry:
// both tokens raw, without "Bearer".
func (c *Client) signed(ctx context.Context, target, app string, k consumer, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", app)
	req.Header.Set("X-LP-ON-BEHALF", k.jws)
	req.Header.Set("Client-Properties", c.properties)
	return req, nil
}
