// Package twilio is the adapter for SMS (and MMS) by Twilio Programmable
// Messaging. It speaks Twilio's HTTP API directly: forms signed over the public
// URL come in, one form per part of a text goes out.
//
// It stays out of deciding: an opt-out is reported and never answered, a file is
// passed on by reference and fetched only when asked for, and nothing is tried twice.
//
// Sources: twilio.com/docs/messaging/guides/webhook-request,
// twilio.com/docs/usage/webhooks/webhooks-security,
// twilio.com/docs/messaging/api/message-resource
package twilio

import (
	"net/url"
	"strings"
	"time"

	"parley/channels"
)

// DefaultBaseURL is Twilio's API.
const DefaultBaseURL = "https://api.twilio.com"

// maxText is what Twilio accepts in one message; it cuts longer ones to segments itself.
const maxText = 1600

// The routes below /webhooks/channels/{channel}.
const (
	messagesRoute = ""
	statusRoute   = "status"
)

// Config is one number, or one Messaging Service, of ours.
type Config struct {
	Channel    string   // the configured name, e.g. "sms"
	AccountSID string   // "AC…"
	AuthTokens []string // the first sends, all verify
	From       string   // E.164, or the SID of a Messaging Service ("MG…")
	BaseURL    string   // DefaultBaseURL if empty
	PublicURL  string   // what the outside world puts before our routes; Twilio signs it
	Media      bool     // From can send pictures (MMS, WhatsApp); otherwise they go as links
}

// Adapter is the channel. It holds no state beyond its configuration.
type Adapter struct {
	channel  string
	account  string
	tokens   []string
	from     string
	messages string   // where messages are posted
	origins  []string // PublicURL in the spellings Twilio may sign
	callback string   // the URL of our status route
	media    []channels.Media
	host     string // of the API, with its port
	caller   *channels.Caller
	files    *channels.Downloads
	now      func() time.Time
}

// New returns the adapter for a channel. The error joins a channels.FieldError
// for everything that is wrong.
func New(c Config, opts ...channels.Option) (*Adapter, error) {
	var checks channels.Checks
	checks.Filled("Channel", c.Channel)
	checks.Filled("AccountSID", c.AccountSID)
	checks.Filled("From", c.From)
	checks.Secrets("AuthTokens", c.AuthTokens)
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	base := checks.BaseURL("BaseURL", c.BaseURL)
	public := checks.BaseURL("PublicURL", c.PublicURL)
	if err := checks.Err(); err != nil {
		return nil, err
	}
	o := channels.NewOptions(opts)
	a := &Adapter{
		channel:  c.Channel,
		account:  c.AccountSID,
		tokens:   c.AuthTokens,
		from:     c.From,
		messages: base + "/2010-04-01/Accounts/" + url.PathEscape(c.AccountSID) + "/Messages.json",
		origins:  spellings(public),
		callback: public + "/webhooks/channels/" + url.PathEscape(c.Channel) + "/" + statusRoute,
		host:     channels.Endpoint(base),
		caller:   channels.NewCaller(sendOp, o),
		files:    channels.NewDownloads(fetchOp, channels.Guarded(base)),
		now:      o.Now,
	}
	if c.Media {
		a.media = pictures
	}
	return a, nil
}

// pictures is what Twilio takes whole; everything else may have a tenth of it, and
// reaches few telephones.
//
// Source: twilio.com/docs/messaging/guides/accepted-mime-types
var pictures = []channels.Media{{MIME: "image/jpeg", Size: maxPicture}, {MIME: "image/png", Size: maxPicture}, {MIME: "image/gif", Size: maxPicture}}

const maxPicture = 5_000_000 // bytes

// Limits says what an SMS carries. Twilio knows no idempotency key; our ID comes
// back in the query of the status callback.
func (a *Adapter) Limits() channels.Limits {
	return channels.Limits{Text: maxText, Receipts: true, Correlated: true, Media: a.media}
}

// spellings returns base as it is, with the default port and without a port:
// Twilio signs any of them, depending on its age and on what stands in the console.
func spellings(base string) []string {
	all := []string{base}
	u, err := url.Parse(base)
	if err != nil {
		return all
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	prefix, path := u.Scheme+"://", strings.TrimPrefix(base, u.Scheme+"://"+u.Host)
	if u.Port() == "" {
		return append(all, prefix+u.Host+":"+port+path)
	}
	return append(all, prefix+strings.TrimSuffix(u.Host, ":"+u.Port())+path)
}
