package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/sethvargo/go-envconfig"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"parley/activities"
	"parley/channels"
	"parley/channels/twilio"
	"parley/channels/webhook"
	"parley/conversation"
	"parley/db"
	"parley/liveperson"
	"parley/workflows"
)

// rooms is what both long-running commands open: the far sides as configured,
// the database, and a way to Temporal.
type rooms struct {
	config   Config
	clouds   map[string]*liveperson.Client
	channels map[string]channels.Adapter
	settings map[string]conversation.Settings
	store    *db.Store
	temporal client.Client
	identity workflows.Identity
	clock    *clock
	circuits *circuits
}

// open opens what a configuration names. Temporal may be down; Postgres is waited
// for. close undoes it.
func open(ctx context.Context, p *process, c Config) (*rooms, error) {
	for _, w := range c.Warnings {
		p.log.Warn(w)
	}
	r := &rooms{config: c, clouds: map[string]*liveperson.Client{}, channels: map[string]channels.Adapter{}, circuits: newCircuits()}
	var err error
	if r.settings, err = settingsFor(c, p); err != nil {
		return nil, err
	}
	if err := r.farSides(p.log); err != nil {
		return nil, err
	}
	if r.store, err = openStore(ctx, p, c); err != nil {
		return nil, err
	}
	key, err := r.store.DigestKey(ctx)
	if err != nil {
		r.store.Close()
		return nil, fmt.Errorf("%w (has `parley migrate` been run?)", err)
	}
	r.identity = workflows.Identity{Key: key}
	r.clock = newClock(r.store.ClockOffset)
	r.clock.warn(ctx, p.log)
	if r.temporal, err = dial(c.Temporal, p.log); err != nil {
		r.store.Close()
		return nil, err
	}
	return r, nil
}

func (r *rooms) close() {
	r.temporal.Close()
	r.store.Close()
}

// dial prepares a connection that is made when it is first needed: what Parley
// accepts does not depend on Temporal being up.
func dial(o client.Options, log *slog.Logger) (client.Client, error) {
	o.Logger = sdklog.NewStructuredLogger(log)
	// What we send is small and the server is near: compressing it, and what comes
	// back, took 4 % of all processor time under load.
	o.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	c, err := client.NewLazyClient(o)
	if err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	return c, nil
}

// openStore waits for Postgres: at the start of a machine everything starts at once.
func openStore(ctx context.Context, p *process, c Config) (*db.Store, error) {
	const patience = time.Minute
	deadline := time.Now().Add(patience)
	for {
		store, err := db.Open(ctx, string(c.Database), db.Options{})
		if err == nil {
			if err = store.Ready(ctx); err == nil {
				return store, nil
			}
			store.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, fmt.Errorf("database not usable: %w", err)
		}
		p.log.Warn("waiting for the database", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

// farSides makes the clients of the cloud and the adapters. A new channel is one
// more line here.
func (r *rooms) farSides(log *slog.Logger) error {
	for _, a := range r.config.Accounts {
		cloud, err := liveperson.New(liveperson.Config{
			Name: a.Name, SiteID: a.SiteID, ClientID: a.ClientID, ClientSecrets: a.ClientSecrets, DomainAPI: a.DomainAPI,
			Features: features(conversation.SurveyMode(a.Survey)),
		}, liveperson.Options{Logger: log, Version: version, Circuit: r.circuits.of(a.Name)})
		if err != nil {
			return err
		}
		r.clouds[a.Name] = cloud
	}
	for _, c := range r.config.Channels {
		adapter, err := newAdapter(c, r.config)
		if err != nil {
			return fmt.Errorf("channel %s: %w", c.Name, err)
		}
		r.channels[c.Name] = adapter
	}
	return nil
}

// features is what we say we can carry. Without MULTI_DIALOG the cloud starts no
// survey of its own beside ours: the two must not be combined.
func features(mode conversation.SurveyMode) []string {
	all := liveperson.DefaultFeatures()
	if mode == conversation.SurveyCloud {
		return append(all, liveperson.FeatureSurvey)
	}
	return all
}

func newAdapter(c Channel, all Config) (channels.Adapter, error) {
	switch c.Kind {
	case kindTwilio:
		return twilio.New(twilio.Config{
			Channel: c.Name, AccountSID: c.Twilio.AccountSID, AuthTokens: c.Twilio.AuthTokens,
			From: c.Twilio.From, BaseURL: c.Twilio.BaseURL, PublicURL: all.PublicURL, Media: c.Twilio.Media,
		})
	case kindHTTP:
		return webhook.New(webhook.Config{Channel: c.Name, URL: c.HTTP.URL, Secrets: c.HTTP.Secrets, Rich: c.HTTP.Rich})
	}
	return nil, fmt.Errorf("kind %q has no adapter", c.Kind)
}

// settingsFor is what the rules are told of each channel.
func settingsFor(c Config, p *process) (map[string]conversation.Settings, error) {
	catalogue, err := texts(envconfig.MapLookuper(environment2map(p.env)))
	if err != nil {
		return nil, err
	}
	accounts := map[string]Account{}
	for _, a := range c.Accounts {
		accounts[a.Name] = a
	}
	out := map[string]conversation.Settings{}
	for _, ch := range c.Channels {
		words, ok := catalogue.For(ch.Name, ch.Language)
		if !ok {
			return nil, errUsage{fmt.Sprintf("PARLEY_CHANNEL_%s_LANGUAGE: there are no texts for %q; add them to the file that PARLEY_TEXTS names",
				variable(ch.Name), ch.Language)}
		}
		a := accounts[ch.Account]
		out[ch.Name] = conversation.Settings{
			Account: ch.Account, Language: ch.Language, Survey: conversation.SurveyMode(a.Survey), SurveyTimeout: a.SurveyTimeout,
			CloseWords: ch.CloseKeywords, ReorderWindow: c.ReorderWindow, Texts: words, Routes: ch.Routes,
		}
	}
	return out, nil
}

// texts reads the built-in texts and what PARLEY_TEXTS lays over them.
func texts(env envconfig.Lookuper) (conversation.Catalogue, error) {
	name, ok := env.Lookup("PARLEY_TEXTS")
	if !ok || name == "" {
		return conversation.LoadCatalogue(nil)
	}
	file, err := os.ReadFile(name)
	if err != nil {
		return nil, errUsage{"PARLEY_TEXTS: " + err.Error()}
	}
	catalogue, err := conversation.LoadCatalogue(file)
	if err != nil {
		return nil, errUsage{"PARLEY_TEXTS: " + err.Error()}
	}
	return catalogue, nil
}

// channelPolicies joins each adapter with what is to be done about uncertain sends.
func (r *rooms) channelPolicies() map[string]activities.Channel {
	out := map[string]activities.Channel{}
	for _, c := range r.config.Channels {
		out[c.Name] = activities.Channel{Adapter: r.channels[c.Name], Uncertain: activities.Policy(c.Uncertain)}
	}
	return out
}

// files is what it takes to pass files on. Consumers' files are fetched from public
// addresses only, and from where the configuration says that a channel is.
func (r *rooms) files(log *slog.Logger) *activities.Files {
	if r.config.PublicURL == "" {
		log.Warn("agents' files cannot be delivered: channels fetch them from us", "variable", "PARLEY_PUBLIC_URL")
	}
	rules := map[string]activities.FileRules{}
	for _, a := range r.config.Accounts {
		rules[a.Name] = activities.FileRules{Types: a.FileTypes, Most: a.FileMax}
	}
	var configured []string
	for _, c := range r.config.Channels {
		switch {
		case c.Twilio != nil:
			configured = append(configured, c.Twilio.BaseURL)
		case c.HTTP != nil:
			configured = append(configured, c.HTTP.URL)
		}
	}
	return activities.NewFiles(rules, channels.NewDownloads("fetch file", channels.Guarded(configured...)), r.config.PublicURL)
}

// sdkLogger is our logger in the shape the SDK wants.
func sdkLogger(p *process) sdklog.Logger { return sdklog.NewStructuredLogger(p.log) }
