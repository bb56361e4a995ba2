package main

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sethvargo/go-envconfig"
	"go.temporal.io/sdk/client"
	temporalenv "go.temporal.io/sdk/contrib/envconfig"

	"parley/conversation"
)

// Config is what the environment says. A command fills in only the parts it uses.
type Config struct {
	Database Secret         // a Postgres URL or connection string; it may hold a password
	Temporal client.Options // as Temporal's own configuration of the environment says

	APIAddr   string // the public listener
	OpsAddr   string // the operators' listener
	PublicURL string // what the outside world puts before our routes, without a trailing slash
	MaxBody   int64  // bytes of a webhook's body
	TLS       TLS    // of the public listener

	EchoGrace     time.Duration // how long an uncertain send waits for its echo
	ReorderWindow time.Duration // how long an agent's message waits for a smaller sequence

	Accounts []Account
	Channels []Channel

	Keep Keep // what housekeeping leaves

	Warnings []string // what is set and probably not meant, one line each
}

// Keep is how long rows are kept once they are finished.
type Keep struct {
	Inbox   time.Duration // and so long a redelivery is recognised
	Ledger  time.Duration // and echoes
	Journal time.Duration // and dead letters that are settled, and conversations that are over
	Files   time.Duration // that agents sent
}

// Account is one account of the Conversational Cloud.
type Account struct {
	Name          string
	SiteID        string
	ClientID      string
	ClientSecrets Secrets
	DomainAPI     string // base URL
	Survey        string // connector, cloud, off
	SurveyTimeout time.Duration
	FileTypes     []string // of consumers' files: JPG, PDF, …
	FileMax       int64    // bytes of one
}

// Channel is one channel account of ours. Of Twilio and HTTP the one is set that
// Kind names.
type Channel struct {
	Name          string
	Kind          string
	Account       string // name of an Account
	Language      string // BCP 47, of our own texts
	CloseKeywords []string
	Uncertain     string // confirm, resend, park
	Routes        []conversation.Route

	Twilio *TwilioChannel
	HTTP   *HTTPChannel
}

// TwilioChannel is what the kind "twilio" needs.
type TwilioChannel struct {
	AccountSID string
	AuthTokens Secrets
	From       string // a number, a sender's name or a messaging service
	BaseURL    string
	Media      bool // From can send pictures; otherwise they go as links
}

// HTTPChannel is what the kind "http" needs.
type HTTPChannel struct {
	URL     string  // where agents' messages are posted
	Secrets Secrets // as written, with "whsec_"; checked to be Base64
	Rich    bool    // the other side shows structured content itself
}

// The kinds of channel and what is assumed when a variable is not set.
const (
	kindTwilio = "twilio"
	kindHTTP   = "http"

	defaultDomainAPI = "https://api.liveperson.net"
	defaultTwilio    = "https://api.twilio.com"
	defaultAPIAddr   = ":8080"
	defaultAPIOps    = "127.0.0.1:8081"
	defaultWorkerOps = "127.0.0.1:8082"
	defaultMaxBody   = 4 << 20
	defaultTemporal  = "localhost:7233"
	defaultFileTypes = "JPG,JPEG,PNG,GIF"
	defaultFileMax   = 3 << 20
	mostFileMax      = 100 << 20
)

// part is a group of variables that a command uses or does not use.
type part int

const (
	database part = 1 << iota
	temporal
	service // accounts, channels and how they are handled
	public  // the public listener
	tidying // what housekeeping leaves
)

// LoadAPI reads what "parley api" uses. The error is a *ConfigError.
func LoadAPI(l envconfig.Lookuper, environ []string) (Config, error) {
	return load(l, environ, database|temporal|service|public, defaultAPIOps)
}

// LoadWorker reads what "parley worker" uses. The error is a *ConfigError.
func LoadWorker(l envconfig.Lookuper, environ []string) (Config, error) {
	return load(l, environ, database|temporal|service, defaultWorkerOps)
}

// LoadMigrate reads what "parley migrate" uses. The error is a *ConfigError.
func LoadMigrate(l envconfig.Lookuper, environ []string) (Config, error) {
	return load(l, environ, database|temporal|tidying, "")
}

// LoadTool reads what the tools for people use. The error is a *ConfigError.
func LoadTool(l envconfig.Lookuper, environ []string) (Config, error) {
	return load(l, environ, database|temporal, "")
}

// load reads all variables, because only then is it known which are none of ours;
// what a command does not use is neither required nor judged.
func load(l envconfig.Lookuper, environ []string, used part, ops string) (Config, error) {
	s := newSettings(l)
	for _, name := range elsewhere {
		s.asked[name] = true
	}
	var c Config
	s.idle = used&database == 0
	c.Database = s.database()
	s.idle = used&temporal == 0
	c.Temporal = s.temporal(environ)
	s.idle = used&service == 0
	s.service(&c, ops)
	s.idle = used&public == 0
	s.public(&c)
	s.idle = used&tidying == 0
	c.Keep = s.keep()
	s.warnings = s.strangers(environ)
	c.Warnings = s.warnings
	return c, s.err()
}

// elsewhere lists the PARLEY_ variables that others read: the commands themselves
// and make run.
var elsewhere = []string{"PARLEY_DEV", "PARLEY_LOG_LEVEL", "PARLEY_TEMPORAL_UI", "PARLEY_TEXTS", "PARLEY_WORKER_OPS_ADDR"}

// families begin the names of variables of which a program of its own knows more.
var families = []string{"PARLEY_DEV_", "PARLEY_SIMULATOR_"}

func (s *settings) database() Secret {
	const name = "DATABASE_URL"
	v := s.secret(name, `a Postgres URL such as "postgres://user:password@host:5432/parley"`)
	if v == "" {
		return ""
	}
	// pgx repeats the string in its error: what it says is not shown.
	if _, err := pgx.ParseConfig(v); err != nil {
		s.problem(name, `is not a Postgres URL; write one such as "postgres://user:password@host:5432/parley"`)
	}
	return Secret(v)
}

// environment lets Temporal's own loader see the variables we were given.
type environment struct {
	envconfig.Lookuper
	environ []string
}

func (e environment) Environ() []string                    { return e.environ }
func (e environment) LookupEnv(name string) (string, bool) { return e.Lookup(name) }

func (s *settings) temporal(environ []string) client.Options {
	if s.idle {
		return client.Options{}
	}
	address := s.text("TEMPORAL_ADDRESS", defaultTemporal)
	if _, _, err := net.SplitHostPort(address); err != nil || strings.Contains(address, "://") {
		s.problem("TEMPORAL_ADDRESS", `%q is not an address; write host:port without a scheme, such as "localhost:7233"`, address)
	}
	o, err := temporalenv.LoadClientOptions(temporalenv.LoadClientOptionsRequest{
		// A file is read only when it is named: the environment alone decides.
		DisableFile: s.text("TEMPORAL_CONFIG_FILE", "") == "",
		EnvLookup:   environment{Lookuper: s.lookup, environ: environ},
	})
	if err != nil {
		s.problem("TEMPORAL_*", "Temporal's own settings cannot be used; check certificates, key and profile (%s)", err)
	}
	return o
}

func (s *settings) service(c *Config, ops string) {
	if ops != "" {
		c.OpsAddr = s.listen("PARLEY_OPS_ADDR", ops)
	} else {
		s.asked["PARLEY_OPS_ADDR"] = true
	}
	c.EchoGrace = s.duration("PARLEY_ECHO_GRACE", 5*time.Second, 0, time.Minute)
	c.ReorderWindow = s.duration("PARLEY_REORDER_WINDOW", 2*time.Second, 0, time.Minute)
	accounts := s.names("PARLEY_ACCOUNTS", `the names of your accounts, such as "main"`)
	for _, name := range accounts {
		c.Accounts = append(c.Accounts, s.account(name))
	}
	names := s.names("PARLEY_CHANNELS", `the names of your channels, such as "sms,web"`)
	for _, name := range names {
		c.Channels = append(c.Channels, s.channel(name, accounts))
	}
	c.PublicURL = s.publicURL(c.Channels)
}

func (s *settings) public(c *Config) {
	c.APIAddr = s.listen("PARLEY_API_ADDR", defaultAPIAddr)
	c.MaxBody = s.bytes("PARLEY_MAX_BODY", defaultMaxBody, 1<<30)
	c.TLS = s.tls()
	if c.APIAddr == c.OpsAddr && !strings.HasSuffix(c.APIAddr, ":0") {
		s.problem("PARLEY_OPS_ADDR", "is the same as PARLEY_API_ADDR; give the operators' listener an address of its own")
	}
}

// leastInbox is how long a provider may repeat a webhook, and a day.
const leastInbox = 8

func (s *settings) keep() Keep {
	const inbox, ledger = "PARLEY_KEEP_INBOX", "PARLEY_KEEP_LEDGER"
	k := Keep{
		Inbox: s.days(inbox, 10, leastInbox), Ledger: s.days(ledger, 30, leastInbox),
		Journal: s.days("PARLEY_KEEP_JOURNAL", 90, 1), Files: s.days("PARLEY_KEEP_FILES", 30, 1),
	}
	if k.Ledger < k.Inbox {
		s.problem(ledger, "is less than %s; what is still in the inbox must be known to have been sent: keep the ledger at least as long", inbox)
	}
	return k
}

// publicURL reads PARLEY_PUBLIC_URL, which only Twilio cannot do without: it signs
// the URL it was given, and is told where to report.
func (s *settings) publicURL(channels []Channel) string {
	const name = "PARLEY_PUBLIC_URL"
	v := s.text(name, "")
	if v == "" {
		if slices.ContainsFunc(channels, func(c Channel) bool { return c.Kind == kindTwilio }) {
			s.problem(name, `is not set; a channel of kind twilio needs it: set it to what stands before "/webhooks" in the URL given to Twilio`)
		}
		return ""
	}
	if strings.HasSuffix(v, "/") {
		s.problem(name, "ends with a slash; remove it")
		return ""
	}
	return s.base(name, "")
}

func (s *settings) account(name string) Account {
	p := "PARLEY_ACCOUNT_" + variable(name) + "_"
	return Account{
		Name:          name,
		SiteID:        s.word(p+"SITE_ID", "the account's number (site ID)"),
		ClientID:      s.word(p+"CLIENT_ID", "the client_id of the app installation"),
		ClientSecrets: s.secrets(p+"CLIENT_SECRET", "the client_secret of the app installation"),
		DomainAPI:     s.base(p+"DOMAIN_API", defaultDomainAPI),
		Survey:        s.oneOf(p+"SURVEY", "connector", "connector", "cloud", "off"),
		SurveyTimeout: s.duration(p+"SURVEY_TIMEOUT", time.Hour, time.Second, 30*24*time.Hour),
		FileTypes:     s.fileTypes(p + "FILE_TYPES"),
		FileMax:       s.bytes(p+"FILE_MAX", defaultFileMax, mostFileMax),
	}
}

var fileTypeShape = regexp.MustCompile(`^[A-Z0-9]{1,10}$`)

// fileTypes reads names of types, as LivePerson writes them.
func (s *settings) fileTypes(name string) []string {
	list := s.list(name)
	if len(list) == 0 {
		list = strings.Split(defaultFileTypes, ",")
	}
	for i := range list {
		list[i] = strings.ToUpper(strings.TrimPrefix(list[i], "."))
		if !fileTypeShape.MatchString(list[i]) {
			s.problem(name, `%q is not a type of file; write endings such as "JPG,PNG,PDF"`, list[i])
		}
	}
	return list
}

func (s *settings) channel(name string, accounts []string) Channel {
	p := "PARLEY_CHANNEL_" + variable(name) + "_"
	c := Channel{
		Name:          name,
		Kind:          s.oneOf(p+"KIND", "", kindTwilio, kindHTTP),
		Account:       s.required(p+"ACCOUNT", "the name of an account in PARLEY_ACCOUNTS"),
		Language:      s.text(p+"LANGUAGE", "en"),
		CloseKeywords: s.list(p + "CLOSE_KEYWORDS"),
		Uncertain:     s.oneOf(p+"UNCERTAIN", "confirm", "confirm", "resend", "park"),
		Routes:        s.routes(p + "ROUTES"),
	}
	if c.Account != "" && !slices.Contains(accounts, c.Account) {
		s.problem(p+"ACCOUNT", "%q is not in PARLEY_ACCOUNTS; add it there, or name one that is", c.Account)
	}
	if !languageShape.MatchString(c.Language) {
		s.problem(p+"LANGUAGE", `%q is not a language; write a tag such as "en" or "de-CH"`, c.Language)
	}
	switch c.Kind {
	case kindTwilio:
		c.Twilio = s.twilio(p)
	case kindHTTP:
		c.HTTP = s.http(p)
	}
	return c
}

func (s *settings) twilio(p string) *TwilioChannel {
	return &TwilioChannel{
		AccountSID: s.word(p+"ACCOUNT_SID", "the account SID that Twilio's console shows"),
		AuthTokens: s.secrets(p+"AUTH_TOKEN", "the auth token that Twilio's console shows"),
		From:       s.required(p+"FROM", `the number to send from, such as "+15550100900"`),
		BaseURL:    s.base(p+"BASE_URL", defaultTwilio),
		Media:      s.flag(p + "MEDIA"),
	}
}

func (s *settings) http(p string) *HTTPChannel {
	c := &HTTPChannel{Secrets: s.signingSecrets(p + "SECRET"), Rich: s.flag(p + "RICH")}
	if v := s.required(p+"URL", "the URL to which agents' messages are posted"); v != "" {
		if u := s.link(p+"URL", v); u != nil {
			c.URL = u.String()
		}
	}
	return c
}
