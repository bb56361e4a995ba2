// Package message holds the words every room shares: where a conversation lives
// (Address), what a consumer did there (Inbound), what goes back to the consumer
// (Outbound), what became of it (Receipt), and what the Conversational Cloud told
// us (Notification).
//
// They are plain values that serialise to JSON and travel through the inbox, the
// signals and Temporal's histories, so their JSON only grows. The package imports
// nothing of ours and does nothing but carry and name things.
package message

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ID names one message or event of ours. It is opaque, has 32 hexadecimal
// characters, and stays the same however often a message is sent again; it is
// what the Conversational Cloud gets as ExternalId (at most 64 characters).
type ID string

// NewID returns the ID that follows from the given parts, always the same for
// the same parts: a redelivered event gets the ID it had before.
func NewID(parts ...string) ID {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return ID(hex.EncodeToString(h.Sum(nil)[:16]))
}

// Address is where a conversation lives: one channel account of ours and one
// consumer on it. Consumer may be a telephone number: it is shown nowhere but to
// the far sides and in the database.
type Address struct {
	Channel  string `json:"channel"`  // the configured name, e.g. "sms"
	Consumer string `json:"consumer"` // the consumer's identity on that channel, e.g. "+15550100200"
}

// InboundKind says what a consumer, or the channel on a consumer's behalf, did.
type InboundKind string

// The kinds of Inbound that are stored and reach the conversation. Typing is
// not among them: see Presence.
const (
	Wrote    InboundKind = "wrote"   // Text, Choice, Attachments
	Receipts InboundKind = "receipt" // Receipt
	Closed   InboundKind = "closed"  // the consumer ends the conversation
	Consent  InboundKind = "consent" // only Consent is of interest, there is no text
	Known    InboundKind = "profile" // only Profile is of interest: it has changed
)

// ConsentChange is how a consumer's consent to be written to has changed.
type ConsentChange string

// An empty ConsentChange means that nothing changed.
const (
	OptedOut ConsentChange = "out"
	OptedIn  ConsentChange = "in"
)

// Attachment is a file by reference; the bytes never travel with a message.
type Attachment struct {
	Kind string `json:"kind,omitempty"` // image, audio, video, file
	MIME string `json:"mime,omitempty"`
	Name string `json:"name,omitempty"`
	Size int64  `json:"size,omitempty"` // bytes, 0 when unknown
	URL  string `json:"url"`
	Ref  string `json:"ref,omitempty"` // the provider's name of it, where the URL has to be asked for
}

// Inbound is one event of a channel: consumer → cloud.
type Inbound struct {
	Kind        InboundKind   `json:"kind"`
	ID          ID            `json:"id"`      // ours, NewID(channel, EventID)
	EventID     string        `json:"eventId"` // the provider's: what redeliveries are recognised by
	Address     Address       `json:"address"`
	At          time.Time     `json:"at"`              // the provider's time, or the time of arrival
	Reply       string        `json:"reply,omitempty"` // the channel's own name for where answers go, if not the consumer
	Ref         string        `json:"ref,omitempty"`   // the provider's name of this message, for read marks
	Text        string        `json:"text,omitempty"`
	Choice      *Choice       `json:"choice,omitempty"` // the offered answer that was taken
	Attachments []Attachment  `json:"attachments,omitempty"`
	Receipt     *Receipt      `json:"receipt,omitempty"`
	Consent     ConsentChange `json:"consent,omitempty"`
	Profile     Profile       `json:"profile,omitzero"`
}

// ReceiptState is how far an outbound message got. States only grow:
// Failed < Delivered < Read < Opened, and Failed never follows Delivered.
type ReceiptState string

// The states a channel can report.
const (
	Failed    ReceiptState = "failed"
	Delivered ReceiptState = "delivered"
	Read      ReceiptState = "read"
	Opened    ReceiptState = "opened" // of a file
)

// Receipt is a channel's word on an outbound message. Message is our ID where the
// channel gives it back; otherwise Ref is the provider's.
type Receipt struct {
	Message ID           `json:"message,omitempty"`
	Ref     string       `json:"ref,omitempty"`
	State   ReceiptState `json:"state"`
	Code    string       `json:"code,omitempty"` // the provider's own code for a failure
}

// OutboundKind says what an adapter is asked to send.
type OutboundKind string

// The kinds of Outbound. The first four are durable; Typing and ReadMark are
// presence: sent once, best effort.
const (
	Text     OutboundKind = "text"
	Choices  OutboundKind = "choices" // Text with Choices below it; a channel without buttons sends the text
	Media    OutboundKind = "media"   // Attachment, Text is its caption
	Rich     OutboundKind = "rich"    // Blocks; only for channels whose Limits.Rich says so
	Typing   OutboundKind = "typing"
	ReadMark OutboundKind = "read" // Refs: the provider's names of the consumer's messages an agent has read
)

// Outbound is one thing to send to a consumer: agent → consumer.
type Outbound struct {
	Kind       OutboundKind `json:"kind"`
	ID         ID           `json:"id,omitempty"`
	To         Address      `json:"to"`
	Reply      string       `json:"reply,omitempty"` // the latest Inbound.Reply of the consumer
	Text       string       `json:"text,omitempty"`
	Choices    []Choice     `json:"choices,omitempty"`
	Blocks     []Block      `json:"blocks,omitempty"`
	Attachment *Attachment  `json:"attachment,omitempty"` // its URL is ours, and can be fetched without credentials
	Typing     bool         `json:"typing,omitempty"`
	Refs       []string     `json:"refs,omitempty"`
	Done       int          `json:"done,omitempty"` // parts of a long text that an earlier attempt got accepted
}

// Presence is what a channel says about a consumer that is worth nothing a few
// seconds later. It is never stored.
type Presence struct {
	Address Address
	Typing  bool
}
