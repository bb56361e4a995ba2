package liveperson

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"
	"strings"
	"time"

	"parley/fault"
)

// signatureHeader holds "sha1=" or "sha256=" and the HMAC of the raw body.
//
// Source: connector-api-webhooks-notification-protocol.
const signatureHeader = "X-Liveperson-Signature"

// Received is what one notification held. Every change it lists is an event or a
// leftover of its own, so that one bad change spoils no other.
type Received struct {
	Events []Event
	Dead   []Leftover // correctly signed, but not to be understood: kept, never refused
}

// Leftover is a part of an authentic notification that could not be used.
type Leftover struct {
	Reason string // without anyone's words
	Body   []byte // as it came: the whole body where it held one change or could not be taken apart
}

// Receive returns what a notification holds, once it is sure that the cloud sent
// it: nothing is parsed before the signature over the raw bytes has been checked
// with each of the account's secrets.
//
// The error is a *fault.Error of class Denied for a missing or wrong signature.
// There is no other: refusing a notification holds up all of the account's, so
// what cannot be understood comes back as a Leftover.
func (c *Client) Receive(header http.Header, body []byte) (Received, error) {
	if !c.authentic(header, body) {
		return Received{}, fault.New(fault.Denied, "liveperson: receive", "the signature is missing or wrong")
	}
	return parse(body), nil
}

func (c *Client) authentic(header http.Header, body []byte) bool {
	kind, value, _ := strings.Cut(strings.TrimSpace(header.Get(signatureHeader)), "=")
	var algorithm func() hash.Hash
	switch strings.ToLower(kind) {
	case "sha1":
		algorithm = sha1.New
	case "sha256":
		algorithm = sha256.New
	default:
		return false
	}
	got, ok := decodeSignature(value, algorithm().Size())
	if !ok {
		return false
	}
	match := false
	for _, secret := range c.secrets {
		mac := hmac.New(algorithm, secret)
		mac.Write(body)
		match = hmac.Equal(mac.Sum(nil), got) || match
	}
	return match
}

// decodeSignature tells hexadecimal from Base64 by length: 40 and 28 characters
// for SHA-1, 64 and 44 for SHA-256.
func decodeSignature(s string, size int) ([]byte, bool) {
	var b []byte
	var err error
	if len(s) == hex.EncodedLen(size) {
		b, err = hex.DecodeString(s)
	} else {
		b, err = base64.StdEncoding.Strict().DecodeString(s)
	}
	return b, err == nil && len(b) == size
}

// parse takes a notification apart. It is lenient: what it does not know it
// ignores, and what it needs may be missing, or of a neighbouring type.
func parse(body []byte) Received {
	n, reason := unwrap(body)
	read := reader(n.kind)
	switch {
	case reason == "" && read == nil:
		return dead("unknown type of notification", body)
	case reason == "" && len(n.changes) == 0:
		return dead("no changes", body)
	case reason != "":
		return dead(reason, body)
	}
	var r Received
	for _, raw := range n.changes {
		e, reason := read(object(raw))
		if reason == "" {
			e.Raw = raw
			if e.Time.IsZero() {
				e.Time = n.sent
			}
			r.Events = append(r.Events, e)
			continue
		}
		if len(n.changes) == 1 {
			raw = body
		}
		r.Dead = append(r.Dead, Leftover{Reason: reason, Body: raw})
	}
	return r
}

// Reread returns what the body of a Leftover, or of an Event as it came, holds: a
// later version may understand it. It came from the cloud: nothing is verified.
func (c *Client) Reread(body []byte) Received {
	kind := ""
	switch n := object(body); {
	case n.node("event") != nil:
		kind = "MessagingEventNotification"
	case n.node("result") != nil:
		kind = "ExConversationChangeNotification"
	default:
		return parse(body)
	}
	whole, err := json.Marshal(map[string]any{"type": kind, "body": map[string]any{"changes": []json.RawMessage{body}}})
	if err != nil {
		return dead("not a JSON object", body)
	}
	return parse(whole)
}

// notification is what all notifications have in common.
type notification struct {
	kind    string
	sent    time.Time // zero when the cloud did not say
	changes []json.RawMessage
}

// unwrap returns a notification, or the reason why there is none.
func unwrap(body []byte) (notification, string) {
	var usual struct {
		Type string `json:"type"`
		Body struct {
			Changes []json.RawMessage `json:"changes"`
			SentTs  any               `json:"sentTs"`
		} `json:"body"`
	}
	if json.Unmarshal(body, &usual) == nil {
		return notification{usual.Type, instant(usual.Body.SentTs), usual.Body.Changes}, ""
	}
	n := object(bytes.TrimPrefix(body, []byte("\ufeff")))
	if n == nil {
		return notification{}, "not a JSON object"
	}
	inner := n.node("body")
	u := notification{kind: n.text("type"), sent: inner.time("sentTs")}
	for _, v := range inner.list("changes") {
		raw, err := json.Marshal(v)
		if err != nil {
			return u, "a change that is no JSON"
		}
		u.changes = append(u.changes, raw)
	}
	return u, ""
}

func dead(reason string, body []byte) Received {
	return Received{Dead: []Leftover{{Reason: reason, Body: body}}}
}

// reader returns what reads one change of a notification, nil for an unknown
// type. It gives back a reason when the change cannot be used.
func reader(kind string) func(node) (Event, string) {
	switch kind[strings.LastIndexByte(kind, '.')+1:] {
	case "MessagingEventNotification":
		return readMessage
	case "ExConversationChangeNotification":
		return readChange
	}
	return nil
}
