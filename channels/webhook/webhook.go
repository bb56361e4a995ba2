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
// with the types message, reply, status, typing and close. Outbound, one message:
//
//	{"id": "…", "conversation": {"id": "c-77"}, "kind": "text", "text": "Hello"}
//
// with the kinds text, choices, typing and read. A text too long for one message
// comes in several, whose IDs end in -2, -3 … and which bear part and parts.
package webhook

import (
	"net/url"
	"strings"
	"time"

	"parley/channels"
)

// maxText and maxChoices are what we ask the other side to take in one message.
const (
	maxText    = 8000
	maxChoices = 13
)

// Config is one channel of kind "http".
type Config struct {
	Channel string   // the configured name, e.g. "web"
	URL     string   // where agents' messages are posted
	Secrets []string // "whsec_<base64>": the first signs, all verify
}

// Adapter is the channel. It holds no state beyond its configuration.
type Adapter struct {
	channel string
	url     string
	keys    [][]byte
	sender  *channels.Caller
	signal  *channels.Caller
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
		sender:  channels.NewCaller(sendOp, o),
		signal:  channels.NewCaller(signalOp, o),
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
	return channels.Limits{Text: maxText, Choices: maxChoices, Idempotent: true}
}
