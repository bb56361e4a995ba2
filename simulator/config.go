package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/sethvargo/go-envconfig"
)

// Config is what a simulator needs to know. Its variables are Parley's own where
// both need the same, so that one environment configures both sides.
type Config struct {
	Addr       string `env:"PARLEY_SIMULATOR_ADDR, default=127.0.0.1:8090"`
	ParleyURL  string `env:"PARLEY_SIMULATOR_PARLEY_URL, default=http://127.0.0.1:8080"` // where Parley's public listener is reached
	PublicURL  string `env:"PARLEY_PUBLIC_URL"`                                          // what Twilio signs; ParleyURL when empty
	TemporalUI string `env:"PARLEY_SIMULATOR_TEMPORAL_UI"`                               // only shown
	Settings   string `env:"PARLEY_SIMULATOR_SETTINGS"`                                  // JSON, merged over the defaults, as PUT /sim/settings takes it

	StateFile string `env:"PARLEY_SIMULATOR_STATE"` // kept here over restarts; only in memory when empty

	TLS  TLSConfig
	Desk DeskConfig

	AccountNames []string `env:"PARLEY_ACCOUNTS"`
	ChannelNames []string `env:"PARLEY_CHANNELS"`

	Accounts []Account // filled by LoadConfig, one per name
	Channels []Channel // filled by LoadConfig, one per name
}

// Account is one LivePerson account with one app installation.
type Account struct {
	Name             string
	SiteID           string   `env:"SITE_ID"`
	ClientID         string   `env:"CLIENT_ID"`
	ClientSecret     []string `env:"CLIENT_SECRET"` // the first signs webhooks; each is accepted for a token
	ClientSecretFile string   `env:"CLIENT_SECRET_FILE"`
}

// Channel is one number, or one instance of the http channel, at its provider.
type Channel struct {
	Name          string
	Kind          string   `env:"KIND"` // twilio or http; others are left alone
	Account       string   `env:"ACCOUNT"`
	AccountSID    string   `env:"ACCOUNT_SID"`
	AuthToken     []string `env:"AUTH_TOKEN"` // the first signs
	AuthTokenFile string   `env:"AUTH_TOKEN_FILE"`
	From          string   `env:"FROM"`
	Secret        []string `env:"SECRET"` // whsec_…; the first signs, each verifies
	SecretFile    string   `env:"SECRET_FILE"`
}

// The kinds of channels the simulator has a provider for.
const (
	kindTwilio = "twilio"
	kindHTTP   = "http"
)

// LoadConfig reads a Config, with the accounts and channels it names.
func LoadConfig(ctx context.Context, env envconfig.Lookuper) (Config, error) {
	var cfg Config
	if err := process(ctx, &cfg, env); err != nil {
		return Config{}, err
	}
	for _, name := range cfg.AccountNames {
		a := Account{Name: name}
		if err := process(ctx, &a, prefixed("PARLEY_ACCOUNT_", name, env)); err != nil {
			return Config{}, fmt.Errorf("account %s: %w", name, err)
		}
		if err := orFile(&a.ClientSecret, a.ClientSecretFile); err != nil {
			return Config{}, fmt.Errorf("account %s: client secret: %w", name, err)
		}
		cfg.Accounts = append(cfg.Accounts, a)
	}
	for _, name := range cfg.ChannelNames {
		c := Channel{Name: name}
		if err := process(ctx, &c, prefixed("PARLEY_CHANNEL_", name, env)); err != nil {
			return Config{}, fmt.Errorf("channel %s: %w", name, err)
		}
		if err := errors.Join(orFile(&c.AuthToken, c.AuthTokenFile), orFile(&c.Secret, c.SecretFile)); err != nil {
			return Config{}, fmt.Errorf("channel %s: %w", name, err)
		}
		cfg.Channels = append(cfg.Channels, c)
	}
	return cfg, cfg.check()
}

func process(ctx context.Context, target any, env envconfig.Lookuper) error {
	return envconfig.ProcessWith(ctx, &envconfig.Config{Target: target, Lookuper: env})
}

// prefixed looks names up as Parley does: PARLEY_CHANNEL_<NAME>_…, the name in
// upper case with underscores for hyphens.
func prefixed(prefix, name string, env envconfig.Lookuper) envconfig.Lookuper {
	upper := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	return envconfig.PrefixLookuper(prefix+upper+"_", env)
}

// orFile reads a list of secrets from the file named, where none were given.
func orFile(secrets *[]string, file string) error {
	if len(*secrets) > 0 || file == "" {
		return nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(b)), ",") {
		*secrets = append(*secrets, strings.TrimSpace(part))
	}
	return nil
}

// check reports everything that is wrong at once.
func (c Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if u, err := url.Parse(c.ParleyURL); err != nil || (c.ParleyURL != "" && u.Host == "") {
		bad("PARLEY_SIMULATOR_PARLEY_URL: not an absolute URL")
	}
	errs = append(errs, c.TLS.check(), c.Desk.check())
	sites := map[string]bool{}
	for _, a := range c.Accounts {
		if a.SiteID == "" || a.ClientID == "" || first(a.ClientSecret) == "" {
			bad("account %s: SITE_ID, CLIENT_ID and CLIENT_SECRET are required", a.Name)
		}
		if sites[a.SiteID] {
			bad("account %s: site ID is used twice", a.Name)
		}
		sites[a.SiteID] = true
	}
	for _, ch := range c.Channels {
		switch ch.Kind {
		case kindTwilio:
			if ch.AccountSID == "" || first(ch.AuthToken) == "" || ch.From == "" {
				bad("channel %s: ACCOUNT_SID, AUTH_TOKEN and FROM are required", ch.Name)
			}
		case kindHTTP:
			if _, err := webhookKeys(ch.Secret); err != nil {
				bad("channel %s: SECRET: %w", ch.Name, err)
			}
		}
	}
	return errors.Join(errs...)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
