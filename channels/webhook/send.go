package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

const (
	sendOp   = "http: send"
	signalOp = "http: signal"
)

// payload is what we post.
type payload struct {
	ID           string       `json:"id"`
	Conversation conversation `json:"conversation"`
	Kind         string       `json:"kind"`
	Text         string       `json:"text,omitempty"`
	Choices      []option     `json:"choices,omitempty"`
	Blocks       []block      `json:"blocks,omitempty"`
	Attachment   *attachment  `json:"attachment,omitempty"`
	Part         int          `json:"part,omitempty"` // from 1, of a text in several parts
	Parts        int          `json:"parts,omitempty"`
	Typing       *bool        `json:"typing,omitempty"`
	MessageIDs   []string     `json:"messageIds,omitempty"`
}

type conversation struct {
	ID string `json:"id"`
}

// Send posts a message, from part Outbound.Done on. The request's ID, in the body
// and in webhook-id, is the same whenever the same is sent again, and the other side
// drops repeats: 5xx is Transient for that reason.
func (a *Adapter) Send(ctx context.Context, out message.Outbound) (channels.Sent, error) {
	sent := channels.Sent{Parts: max(out.Done, 0)}
	posts, err := a.posts(out)
	if err != nil {
		return sent, err
	}
	for sent.Parts < len(posts) {
		ref, err := a.post(ctx, a.sender, posts[sent.Parts])
		if err != nil {
			return sent, err
		}
		if ref != "" {
			sent.Refs = append(sent.Refs, ref)
		}
		sent.Parts++
	}
	return sent, nil
}

// posts returns what an outbound message is in the contract's terms. Structured
// content that the other side does not show becomes what it does.
func (a *Adapter) posts(out message.Outbound) ([]payload, error) {
	if out.Kind == message.Rich {
		out.Kind, out.Text, out.Choices, out.Blocks = channels.Ladder(a.Limits(), out.Text, out.Choices, out.Blocks)
	}
	switch out.Kind {
	case message.Text:
		return texts(out, out.Text)
	case message.Choices:
		return choices(out)
	case message.Media:
		return media(out)
	case message.Rich:
		return rich(out), nil
	default:
		return nil, fault.New(fault.Rejected, sendOp, "%q is not a message", string(out.Kind))
	}
}

var errEmpty = errors.New("the text is empty")

// texts is a text in as many parts as it takes.
func texts(out message.Outbound, text string) ([]payload, error) {
	text = channels.Clean(text)
	if strings.TrimSpace(text) == "" {
		return nil, &fault.Error{Class: fault.Rejected, Op: sendOp, Err: errEmpty}
	}
	parts := channels.Split(text, maxText)
	all := make([]payload, len(parts))
	for i, part := range parts {
		all[i] = payload{ID: partID(out.ID, i), Conversation: conversationOf(out), Kind: "text", Text: part}
		if len(parts) > 1 {
			all[i].Part, all[i].Parts = i+1, len(parts)
		}
	}
	return all, nil
}

// choices stand with the last part of their text, or are written out where they are
// too many or there is no text for them to stand with.
func choices(out message.Outbound) ([]payload, error) {
	if len(out.Choices) > maxChoices || strings.TrimSpace(channels.Clean(out.Text)) == "" {
		return texts(out, channels.Written(out.Text, out.Choices))
	}
	all, err := texts(out, out.Text)
	if err == nil && len(out.Choices) > 0 {
		last := &all[len(all)-1]
		last.Kind, last.Choices = "choices", options(out.Choices)
	}
	return all, err
}

// media is a file with its caption. Of a caption too long for one message, the rest
// follows as text.
func media(out message.Outbound) ([]payload, error) {
	if out.Attachment == nil || out.Attachment.URL == "" {
		return nil, fault.New(fault.Rejected, sendOp, "there is no file")
	}
	all, err := texts(out, out.Text)
	if err != nil { // a file needs no caption
		all = []payload{{ID: string(out.ID), Conversation: conversationOf(out)}}
	}
	all[0].Kind, all[0].Attachment = "media", attachmentOf(*out.Attachment)
	return all, nil
}

// rich is structured content. The text with it is for those who do not show a
// block, and is cut where it is too long: the blocks say all of it.
func rich(out message.Outbound) []payload {
	p := payload{ID: string(out.ID), Conversation: conversationOf(out), Kind: "rich", Blocks: blocksOf(out.Blocks)}
	if parts := channels.Split(channels.Clean(out.Text), maxText); len(parts) > 0 {
		p.Text = parts[0]
	}
	return []payload{p}
}

func partID(id message.ID, index int) string {
	if index == 0 {
		return string(id)
	}
	return string(id) + "-" + strconv.Itoa(index+1)
}

func conversationOf(out message.Outbound) conversation {
	if out.Reply != "" {
		return conversation{ID: out.Reply}
	}
	return conversation{ID: out.To.Consumer}
}

// Signal posts typing and read marks.
func (a *Adapter) Signal(ctx context.Context, out message.Outbound) error {
	p := payload{ID: string(out.ID), Conversation: conversationOf(out)}
	if p.ID == "" {
		p.ID = rand.Text() // never sent again, so any will do
	}
	switch out.Kind {
	case message.Typing:
		p.Kind, p.Typing = "typing", &out.Typing
	case message.ReadMark:
		p.Kind, p.MessageIDs = "read", out.Refs
	default:
		return fault.New(fault.Rejected, signalOp, "%q is not presence", string(out.Kind))
	}
	_, err := a.post(ctx, a.signal, p)
	return err
}

func (a *Adapter) post(ctx context.Context, caller *channels.Caller, p payload) (ref string, err error) {
	body, err := json.Marshal(p)
	if err != nil {
		return "", fault.New(fault.Rejected, sendOp, "the message is no JSON")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return "", fault.New(fault.Rejected, sendOp, "the request cannot be made")
	}
	req.Header.Set("Content-Type", "application/json")
	a.stamp(req.Header, p.ID, body)
	answer, err := caller.Do(ctx, req)
	if err != nil {
		return "", err
	}
	return read(caller, answer)
}

// result is what the other side answers. Its error's text is not read: it may
// repeat the consumer's words.
type result struct {
	MessageID name `json:"messageId"`
	Error     struct {
		Code       name        `json:"code"`
		Class      string      `json:"class"`
		RetryAfter json.Number `json:"retryAfter"` // seconds
	} `json:"error"`
}

// read returns the other side's name of an accepted message; giving one is optional.
func read(caller *channels.Caller, answer channels.Answer) (ref string, err error) {
	var got result
	_ = json.Unmarshal(answer.Body, &got) // without an envelope the status decides
	if answer.Accepted() {
		if channels.Name(string(got.MessageID)) {
			ref = string(got.MessageID)
		}
		return ref, nil
	}
	class, known := classes[got.Error.Class]
	if !known {
		class = channels.ByStatus(answer.Status, fault.Transient)
	}
	seconds, _ := got.Error.RetryAfter.Float64()
	after := time.Duration(min(max(seconds, 0), maxRetryAfter) * float64(time.Second))
	theirs := code(string(got.Error.Code))
	if theirs == "" && known {
		theirs = got.Error.Class
	}
	return "", caller.Judge(answer, class, theirs, after)
}

// maxRetryAfter is the longest wait believed, in seconds.
const maxRetryAfter = 24 * 60 * 60

// classes is what the classes of the contract are here. A closed window is Denied:
// the message waits until something outside has changed.
var classes = map[string]fault.Class{
	"retryable": fault.Transient,
	"permanent": fault.Rejected,
	"window":    fault.Denied,
	"optout":    fault.Gone,
	"auth":      fault.Denied,
	"ratelimit": fault.Throttled,
}

// maxCode is the longest code that is kept, in bytes.
const maxCode = 64

// code returns s if it looks like a code and not like words about a consumer.
func code(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:", r)
	}
	if len(s) > maxCode || strings.TrimFunc(s, plain) != "" {
		return ""
	}
	return s
}
