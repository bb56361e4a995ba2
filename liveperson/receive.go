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
	var n struct {
		Type any             `json:"type"`
		Body json.RawMessage `json:"body"`
	}
	var list struct {
		Changes json.RawMessage `json:"changes"`
		SentTs  any             `json:"sentTs"`
	}
	if json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &n) != nil {
		return dead("not a JSON object", body)
	}
	kind, _ := plain(n.Type)
	read := reader(kind)
	switch {
	case read == nil:
		return dead("unknown type of notification", body)
	case json.Unmarshal(n.Body, &list) != nil || len(list.Changes) == 0:
		return dead("no list of changes", body)
	}
	var changes []json.RawMessage
	if json.Unmarshal(list.Changes, &changes) != nil {
		changes = []json.RawMessage{list.Changes}
	}
	if len(changes) == 0 {
		return dead("no changes", body)
	}
	var r Received
	for _, raw := range changes {
		e, reason := read(object(raw))
		if reason == "" {
			e.Raw = raw
			if e.Time.IsZero() {
				e.Time = instant(list.SentTs)
			}
			r.Events = append(r.Events, e)
			continue
		}
		if len(changes) == 1 {
			raw = body
		}
		r.Dead = append(r.Dead, Leftover{Reason: reason, Body: raw})
	}
	return r
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
