package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// installation is an app installed in an account: its manifest, and what
// LivePerson adds to it.
//
// Source: connector-api-getting-started, connector-api-webhooks-configuration.
type installation struct {
	manifest
	ID              string `json:"id"`
	ClientID        string `json:"client_id"`
	ClientSecret    string `json:"client_secret"`
	IDIssuedAt      int64  `json:"client_id_issued_at"`
	SecretExpiresAt int64  `json:"client_secret_expires_at"` // 0: never
	Deleted         bool   `json:"deleted"`
}

type manifest struct {
	ClientName   string          `json:"client_name"`
	DisplayName  string          `json:"display_name,omitempty"`
	Description  string          `json:"description,omitempty"`
	GrantTypes   []string        `json:"grant_types"`
	RedirectURIs []string        `json:"redirect_uris,omitempty"`
	Responses    []string        `json:"response_types,omitempty"`
	Scope        string          `json:"scope"`
	LogoURI      string          `json:"logo_uri,omitempty"`
	QuickLaunch  bool            `json:"quick_launch_enabled,omitempty"`
	EntryURI     string          `json:"entry_uri,omitempty"`
	ForProfiles  json.RawMessage `json:"enabled_for_profiles,omitempty"`
	Enabled      *bool           `json:"enabled"`
	Capabilities struct {
		Webhooks   map[string]json.RawMessage `json:"webhooks,omitempty"`
		Engagement json.RawMessage            `json:"engagement,omitempty"`
	} `json:"capabilities"`
}

// webhookEndpoint is where one kind of event goes.
type webhookEndpoint struct {
	Endpoint   string `json:"endpoint"`
	MaxRetries *int   `json:"max_retries,omitempty"`
	Headers    []struct {
		Name  string `json:"header_name"`
		Value string `json:"header_value"`
	} `json:"headers,omitempty"`
}

// webhookKeys are the manifest's names of the kinds of notifications.
var webhookKinds = map[string]string{
	"cqm.ExConversationChangeNotification":            kindChange,
	"ms.MessagingEventNotification.ContentEvent":      kindContent,
	"ms.MessagingEventNotification.RichContentEvent":  kindRich,
	"ms.MessagingEventNotification.AcceptStatusEvent": kindAccept,
	"ms.MessagingEventNotification.ChatStateEvent":    kindChat,
}

const retryKey = "retry"

// webhookConfig is what the webhook sender needs of a manifest.
type webhookConfig struct {
	enabled   bool
	endpoints map[string]webhookEndpoint // by kind
	retention int                        // seconds; 0: by numbers
}

// longest are the manifest's texts and how long they may be.
var longest = map[string]int{
	"client_name": 128, "display_name": 128, "description": 256, "scope": 128, "logo_uri": 1024, "entry_uri": 1024,
}

// readManifest checks a manifest as LivePerson would, and reads its webhooks.
func readManifest(body []byte) (manifest, webhookConfig, string) {
	var m manifest
	d := json.NewDecoder(bytes.NewReader(strip(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, webhookConfig{}, "the manifest was not understood: " + err.Error()
	}
	raw, _ := object(body)
	for name, most := range longest {
		if text, _ := raw[name].(string); len(text) > most {
			return m, webhookConfig{}, name + " is too long"
		}
	}
	switch {
	case m.ClientName == "":
		return m, webhookConfig{}, "client_name is required"
	case len(m.GrantTypes) == 0:
		return m, webhookConfig{}, "grant_types is required"
	case m.Scope == "":
		return m, webhookConfig{}, "scope is required"
	}
	if m.Enabled == nil {
		yes := true
		m.Enabled = &yes
	}
	w, problem := readWebhooks(m.Capabilities.Webhooks)
	w.enabled = *m.Enabled
	return m, w, problem
}

// strip takes what LivePerson added off, so that what was read can be sent back.
func strip(body []byte) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return body
	}
	for _, name := range []string{"id", "client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at", "deleted"} {
		delete(m, name)
	}
	return marshal(m)
}

func readWebhooks(entries map[string]json.RawMessage) (webhookConfig, string) {
	w := webhookConfig{endpoints: map[string]webhookEndpoint{}}
	for key, raw := range entries {
		if key == retryKey {
			var retry struct {
				Seconds *int `json:"retention_time"`
			}
			if json.Unmarshal(raw, &retry) != nil || retry.Seconds == nil || *retry.Seconds < 2 || *retry.Seconds > 259_200 {
				return w, "retention_time is 2 to 259200 seconds"
			}
			w.retention = *retry.Seconds
			continue
		}
		kind, known := webhookKinds[key]
		if !known {
			return w, "unknown event in webhooks: " + key
		}
		var e webhookEndpoint
		if json.Unmarshal(raw, &e) != nil {
			return w, key + " has the wrong shape"
		}
		// LivePerson takes https only; a stand-in also serves people without a certificate.
		if u, err := url.Parse(e.Endpoint); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return w, key + ": endpoint must be a URL"
		}
		if e.MaxRetries != nil && (*e.MaxRetries < 0 || *e.MaxRetries > 5) {
			return w, key + ": max_retries is 0 to 5"
		}
		w.endpoints[kind] = e
	}
	return w, ""
}

// installs are the apps of one account. The account's mutex guards them.
type installs struct {
	list     []*installation // the configured one first
	revision int
	manifest *manifest      // of the configured one, once it was changed; nil: as the settings say
	turn     int            // counts changes, so that a change that is overtaken has no effect
	webhooks *webhookConfig // in effect; nil: as the settings say
}

// own is the configured app as its installation. The account is locked.
func (a *account) own() *installation {
	in := &installation{
		ID: a.cfg.ClientID, ClientID: a.cfg.ClientID, ClientSecret: first(a.cfg.ClientSecret), IDIssuedAt: a.sim.started.Unix(),
	}
	if m := a.installs.manifest; m != nil {
		in.manifest = *m
		return in
	}
	set, yes := a.sim.settings.Load(), true
	in.manifest = manifest{
		ClientName: "Parley " + a.cfg.Name, GrantTypes: []string{"client_credentials"}, Scope: "msg.consumer", Enabled: &yes,
	}
	in.Capabilities.Webhooks = map[string]json.RawMessage{}
	for key, kind := range webhookKinds {
		e := map[string]any{"endpoint": set.ParleyURL + "/webhooks/liveperson/" + a.cfg.Name}
		if kind == kindChat && !set.ChatStateRetries {
			e["max_retries"] = 0
		} else if set.Retry == retryNumbers {
			e["max_retries"] = set.MaxRetries
		}
		in.Capabilities.Webhooks[key] = marshal(e)
	}
	if set.Retry == retryRetention {
		in.Capabilities.Webhooks[retryKey] = marshal(map[string]int{"retention_time": set.RetentionSec})
	}
	return in
}

// installations is the app-install API: …/installations[/{id}]?v=1.0, with an
// agent's token.
func (s *Simulator) installations(c *call) reply {
	method := c.r.Method
	if over := c.r.Header.Get("X-HTTP-Method-Override"); over != "" && method == http.MethodPost {
		method = over
	}
	c.seen.summary = "app installations: " + method
	a := s.account(c.r.PathValue("site"))
	if a == nil || a.cfg.SiteID != c.r.PathValue("site") {
		return installRefused(http.StatusBadRequest, "unknown account")
	}
	c.seen.account = a.cfg.Name
	if c.r.URL.Query().Get("v") != "1.0" {
		return installRefused(http.StatusBadRequest, "query v=1.0 is required")
	}
	bearer, _ := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.desk.session(bearer) == nil {
		return installRefused(http.StatusUnauthorized, "an agent's Bearer token is required")
	}
	id := c.r.PathValue("id")
	at := slices.IndexFunc(a.installs.list, func(in *installation) bool { return in.ID == id })
	if id != "" && id != a.cfg.ClientID && at < 0 {
		return installRefused(http.StatusNotFound, "no such installation")
	}
	if method == http.MethodPut || method == http.MethodDelete {
		if tag := strings.Trim(c.r.Header.Get("If-Match"), `"`); tag != strconv.Itoa(a.installs.revision) {
			return installRefused(http.StatusPreconditionFailed, "If-Match must be the latest ac-revision")
		}
	}
	switch {
	case method == http.MethodGet && id == "":
		return a.installed(http.StatusOK, append([]*installation{a.own()}, a.installs.list...))
	case method == http.MethodGet:
		return a.installed(http.StatusOK, a.byID(id))
	case method == http.MethodPost && id == "":
		return a.install(c.body)
	case method == http.MethodPut && id != "":
		return a.reinstall(id, c.body)
	case method == http.MethodDelete && id == a.cfg.ClientID:
		return installRefused(http.StatusConflict, "the configured application stays")
	case method == http.MethodDelete && id != "":
		a.installs.list = slices.Delete(a.installs.list, at, at+1)
		a.installs.revision++
		return a.installed(http.StatusOK, map[string]any{"id": id, "deleted": true})
	}
	return installRefused(http.StatusMethodNotAllowed, "method is not supported")
}

func (a *account) byID(id string) *installation {
	for _, in := range a.installs.list {
		if in.ID == id {
			return in
		}
	}
	return a.own()
}

// install adds an app. It gets no webhooks: those of the account's conversations
// go to the configured app, which opened them.
func (a *account) install(body []byte) reply {
	m, _, problem := readManifest(body)
	if problem != "" {
		return installRefused(http.StatusBadRequest, problem)
	}
	if m.ClientName == a.own().ClientName || slices.ContainsFunc(a.installs.list, func(in *installation) bool { return in.ClientName == m.ClientName }) {
		return installRefused(http.StatusConflict, "client_name is in use")
	}
	id := uuid.NewString()
	in := &installation{manifest: m, ID: id, ClientID: id, ClientSecret: random(), IDIssuedAt: a.sim.now().Unix()}
	a.installs.list = append(a.installs.list, in)
	a.installs.revision++
	return a.installed(http.StatusCreated, in)
}

// reinstall replaces a manifest. That of the configured app changes its webhooks,
// after the delay that is configured.
func (a *account) reinstall(id string, body []byte) reply {
	m, w, problem := readManifest(body)
	if problem != "" {
		return installRefused(http.StatusBadRequest, problem)
	}
	a.installs.revision++
	if in := a.byID(id); id != a.cfg.ClientID {
		in.manifest = m
		return a.installed(http.StatusOK, in)
	}
	a.installs.manifest = &m
	a.installs.turn++
	turn, delay := a.installs.turn, a.sim.cfg.Desk.Install
	if delay == 0 {
		a.installs.webhooks = &w
		a.sender.settle(&w)
		return a.installed(http.StatusOK, a.own())
	}
	a.sim.soon(delay, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.installs.turn == turn {
			a.installs.webhooks = &w
			a.sender.settle(&w)
		}
	})
	return a.installed(http.StatusOK, a.own())
}

func (a *account) installed(status int, body any) reply {
	return reply{
		status: status, body: body, hidden: map[string]string{"installations": "…"},
		header: http.Header{"Ac-Revision": {strconv.Itoa(a.installs.revision)}},
	}
}

func installRefused(status int, reason string) reply {
	return reply{status: status, reason: reason, body: map[string]any{"error": map[string]string{"message": reason}}}
}
