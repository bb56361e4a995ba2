// Package webhook is the adapter of kind "http": our own contract for whatever
// has no adapter of its own, such as an in-house chat, a partner's bridge or a test
// driver. JSON goes both ways, signed by the Standard Webhooks scheme.
//
// It stays out of knowing who is on the other side: the contract is all there is.
//
// Inbound, a batch whose events stand or fall each alone:
//
//	{"events": [{"id": "evt-1", "type": "message", "time": "2026-11-20T09:15:27Z",
//	  "conversation": {"id": "c-77", "participant": {"id": "u-42", "displayName": "Ada"}},
//	  "message": {"id": "m-900", "text": "Hello"}}]}
//
// with the types message, reply, status, typing, close and profile. A message may
// hold attachments {kind, mime, name, size, url}, which are fetched from their URLs
// at once, and a choice {id, title} that was offered before. A status is delivered,
// read, opened (of a file) or failed. The participant of any event may tell of the
// consumer what message.Profile holds, by the same names: displayName, firstName,
// lastName, phone, email, language, gender, company, age, contacts, and as customer
// what a brand knows; an event of type profile tells it alone. Outbound, one message:
//
//	{"id": "…", "conversation": {"id": "c-77"}, "kind": "text", "text": "Hello"}
//
// with these kinds:
//
//   - text; one too long for one message comes in several, whose IDs end in -2, -3 …
//     and which bear part and parts
//   - choices: text with choices [{id, title}], 24 at most
//   - media: attachment {kind, mime, name, size, url}, to be fetched from the URL; text
//     is its caption
//   - rich, where Config.Rich says so: blocks, a tree of {kind, text, value, url,
//     latitude, longitude, choice {id, title, quick, many}, blocks} with the kinds of
//     message.Block; text says it for whoever cannot show them
//   - typing and read
package webhook

import (
	"context"
	"io"
	"net/url"
	"strings"
	"time"

	"parley/channels"
	"parley/message"
)

// maxText and maxChoices are what we ask the other side to take in one message.
const (
	maxText    = 8000
	maxChoices = 24
	maxFile    = 100 << 20 // bytes; it is fetched from us, not posted
)

// Config is one channel of kind "http".
type Config struct {
	Channel string   // the configured name, e.g. "web"
	URL     string   // where agents' messages are posted
	Secrets []string // "whsec_<base64>": the first signs, all verify
	Rich    bool     // the other side shows blocks; otherwise they become text and choices
}

// Adapter is the channel. It holds no state beyond its configuration.
type Adapter struct {
	channel string
	url     string
	keys    [][]byte
	rich    bool
	sender  *channels.Caller
	signal  *channels.Caller
	files   *channels.Downloads
	now     func() time.Time
}

// New returns the adapter for a channel. The error joins a channels.FieldError
// for everything that is wrong.
func New(c Config, opts ...channels.Option) (*Adapter, error) {
	var checks channels.Checks
	checks.Filled("Channel", c.Channel)
	target := checks.URL("URL", c.URL)
	checks.Secrets("Secrets", c.Secrets)
	var keys [][]byte
	for i, secret := range c.Secrets {
		key, err := parseSecret(secret)
		if err != nil && strings.TrimSpace(secret) != "" {
			checks.Fail("Secrets", "value %d of %d %v", i+1, len(c.Secrets), err)
		}
		keys = append(keys, key)
	}
	if err := checks.Err(); err != nil {
		return nil, err
	}
	o := channels.NewOptions(opts)
	return &Adapter{
		channel: c.Channel,
		url:     rooted(target),
		keys:    keys,
		rich:    c.Rich,
		sender:  channels.NewCaller(sendOp, o),
		signal:  channels.NewCaller(signalOp, o),
		files:   channels.NewDownloads(fetchOp, channels.Guarded(target.String())),
		now:     o.Now,
	}, nil
}

// rooted gives a URL without a path the path "/", which is what is requested anyway.
func rooted(u *url.URL) string {
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String()
}

// Limits says what the contract carries. The other side drops repeats of an ID.
func (a *Adapter) Limits() channels.Limits {
	return channels.Limits{
		Text: maxText, Choices: maxChoices, Idempotent: true, Rich: a.rich,
		Media: []channels.Media{{Size: maxFile}},
	}
}

const fetchOp = "http: fetch"

// Fetch gets an attachment from its URL, which must be a public one or on the host
// that our messages are posted to. Nothing of ours is sent along.
func (a *Adapter) Fetch(ctx context.Context, at message.Attachment) (io.ReadCloser, error) {
	file, err := a.files.Get(ctx, at.URL, nil)
	if err != nil {
		return nil, err
	}
	return file, nil
}
