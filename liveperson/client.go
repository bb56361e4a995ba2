// Package liveperson is the client of the Conversational Cloud's Connector API:
// it looks up domains, holds tokens, asks which campaign a conversation belongs to,
// opens and closes conversations, publishes what consumers say, carries files to
// and from the cloud's store, and reads the notifications that come back.
//
// It judges every failure once, into the classes of package fault, and retries
// only what a fresh token, address or domain can mend; patience is its callers'. An
// account that has not answered for a while fails at once, and is tried now and
// then. Tokens and secrets never leave it, and neither they nor anything a consumer
// or an agent wrote appear in its errors and logs. It stays out of storage, of
// Temporal, of channels and of what a conversation should do next.
//
// Sources: developers.liveperson.com, connector-api-send-api-*, connector-api-webhooks-*,
// agent-domain-domain-api; single facts are sourced where they are used.
package liveperson

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config describes one account of the Conversational Cloud and the app that is
// installed in it.
type Config struct {
	Name     string // the configured name, e.g. "main"; used in logs, and as AppID when that is empty
	SiteID   string // the account's number; may carry a letter prefix
	ClientID string // of the app installation

	// ClientSecrets holds at least one secret. The first proves who we are; all of
	// them verify webhooks, so that a secret can be exchanged without a gap.
	ClientSecrets []string

	DomainAPI string   // base URL of the Domain API, DefaultDomainAPI when empty; https when it names no scheme
	AppID     string   // who we say we are in Client-Properties, at most 64 characters
	Features  []string // what we say we can carry, DefaultFeatures when nil
}

// DefaultDomainAPI is where LivePerson's domains are looked up.
const DefaultDomainAPI = "https://api.liveperson.net"

// DefaultFeatures returns what every channel can carry, be it by our fallback:
// AUTO_MESSAGES brings the welcome message, the others let agents send what they
// name.
//
// Sources: connector-api-send-api-examples (auto messages), messaging-window-api
// schemas (clientPropertiesHeader).
func DefaultFeatures() []string {
	return []string{"AUTO_MESSAGES", "RICH_CONTENT", "QUICK_REPLIES", "PHOTO_SHARING", "FILE_SHARING"}
}

// FeatureSurvey lets the cloud start its own survey, which also needs RICH_CONTENT
// and QUICK_REPLIES. It is not among the default ones: two surveys must not be
// combined.
//
// Source: messaging-window-api-tutorials-post-conversation-survey-pcs.
const FeatureSurvey = "MULTI_DIALOG"

// Options are what a Client borrows from the process it runs in. The zero value
// is ready for production.
type Options struct {
	HTTP        *http.Client     // replaces the tuned and guarded clients; its CheckRedirect and Timeout are not used
	Clock       func() time.Time // time.Now when nil
	Logger      *slog.Logger     // discards when nil
	Timeout     time.Duration    // of one HTTP exchange, 10 s when 0
	DialTimeout time.Duration    // of connecting, 5 s when 0; unused when HTTP is given
	Consumers   int              // consumers whose tokens are kept, 50,000 (about a kilobyte each) when 0
	Version     string           // of this program, for the User-Agent

	// Circuit is told when the account is taken to be down, and when it is up again.
	// It must return at once.
	Circuit func(open bool)
}

// Client speaks for one account. It is safe for use by many goroutines.
type Client struct {
	config     Config
	base       *url.URL // of the Domain API
	http       *http.Client
	files      *http.Client // of the store
	now        func() time.Time
	log        *slog.Logger
	timeout    time.Duration
	agent      string
	properties string // the Client-Properties header, one line of JSON
	secrets    [][]byte

	domains   *domains
	app       *held[string]
	consumers *consumers
	campaigns *campaigns
	circuit   *circuit
}

// New returns a client for one account. It does no I/O. The error, if any, names
// everything that is wrong with the configuration and none of its values.
func New(config Config, opts Options) (*Client, error) {
	base, err := parseBase(config.DomainAPI)
	if err := errors.Join(err, config.check()); err != nil {
		return nil, fmt.Errorf("liveperson account %q: %w", config.Name, err)
	}
	opts = opts.withDefaults()
	c := &Client{
		config:     config,
		base:       base,
		http:       opts.client(tunedTransport(opts.DialTimeout)),
		files:      opts.client(filesTransport(opts.DialTimeout, base.String() == DefaultDomainAPI)),
		now:        opts.Clock,
		log:        opts.Logger.With("account", config.Name),
		timeout:    opts.Timeout,
		agent:      "parley/" + opts.Version,
		properties: clientProperties(config),
	}
	for _, s := range config.ClientSecrets {
		c.secrets = append(c.secrets, []byte(s))
	}
	c.domains = newDomains(c)
	c.app = newHeld(c, "app token", c.fetchAppJWT)
	c.consumers = newConsumers(opts.Consumers)
	c.campaigns = newCampaigns()
	c.circuit = newCircuit(config.Name, opts.Circuit)
	return c, nil
}

func (c Config) check() error {
	var errs []error
	if c.SiteID == "" {
		errs = append(errs, errors.New("no site ID"))
	}
	if c.ClientID == "" {
		errs = append(errs, errors.New("no client ID"))
	}
	if len(c.ClientSecrets) == 0 {
		errs = append(errs, errors.New("no client secret"))
	}
	for i, s := range c.ClientSecrets {
		if strings.TrimSpace(s) == "" {
			errs = append(errs, fmt.Errorf("client secret %d is empty", i+1))
		}
	}
	return errors.Join(errs...)
}

// parseBase reads the Domain API's base URL. Its scheme is used for every other
// host too, because the Domain API answers with bare hosts.
func parseBase(s string) (*url.URL, error) {
	if s == "" {
		s = DefaultDomainAPI
	}
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("the Domain API must be an http or https URL without query and credentials")
	}
	return u, nil
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.Consumers <= 0 {
		o.Consumers = 50_000
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	return o
}

// client is an HTTP client that follows nobody: a redirect would carry our tokens,
// or a consumer's file, to a host that nobody looked up.
func (o Options) client(own http.RoundTripper) *http.Client {
	h := http.Client{Transport: own}
	if o.HTTP != nil {
		h = *o.HTTP
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.Timeout = 0 // each exchange has a deadline of its own
	return &h
}

// tunedTransport keeps enough connections to a few hosts open for hundreds of
// conversations at once, and lets go of idle ones before far sides usually do:
// a request on a connection that is just being closed ends uncertain.
func tunedTransport(dial time.Duration) *http.Transport {
	d := &net.Dialer{Timeout: dial, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           d.DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   dial,
		MaxIdleConns:          400,
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       45 * time.Second,
		ExpectContinueTimeout: time.Second,
		// A dead HTTP/2 connection carries everyone's requests: notice it soon.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}
