package liveperson

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/fault"
)

// The services we talk to, as the Domain API names them.
const (
	serviceSentinel   = "sentinel"
	serviceIDP        = "idp"
	serviceMessaging  = "asyncMessagingEnt"
	serviceSwift      = "swift" // the store of files
	serviceMonitoring = "smt"
)

// domainLife is how long a looked-up domain is used before it is looked up again,
// in the background. LivePerson documents no lifetime and advises against
// hard-coding; its own agent SDK keeps them for a minute.
const domainLife = time.Hour

// domainPause keeps an outage of a service from becoming a storm of lookups.
const domainPause = 5 * time.Second

// domains knows where each service of the account lives. A domain once known
// stays known while the Domain API is down.
type domains struct {
	services map[string]*held[string]
}

func newDomains(c *Client) *domains {
	d := &domains{services: map[string]*held[string]{}}
	for _, s := range []string{serviceSentinel, serviceIDP, serviceMessaging, serviceSwift, serviceMonitoring} {
		d.services[s] = newHeld(c, "domain of "+s, func(ctx context.Context) (kept[string], error) { return c.fetchDomain(ctx, s) })
	}
	return d
}

// base returns the service's base URL, without a trailing slash.
func (d *domains) base(ctx context.Context, service string) (string, error) {
	return d.services[service].get(ctx)
}

// moved says whether a service that could not be reached at base lives elsewhere now.
func (d *domains) moved(ctx context.Context, service, base string) bool {
	return d.services[service].doubt(ctx, base, domainPause)
}

// fetchDomain asks the Domain API for one service. The answer is a bare host, or
// host and port; the scheme is the Domain API's own, so that a simulator is
// spoken to by http and nothing else ever is.
//
// Source: agent-domain-domain-api.
func (c *Client) fetchDomain(ctx context.Context, service string) (kept[string], error) {
	const op = "liveperson: look up domain"
	target := c.base.String() + "/api/account/" + url.PathEscape(c.config.SiteID) + "/service/" + service + "/baseURI.json?version=1.0"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return kept[string]{}, fault.New(fault.Rejected, op, "no usable address")
	}
	a, err := c.exchange(req, op, repeatable)
	if err != nil {
		return kept[string]{}, err
	}
	if err := a.judgeAccount(op, c.now()); err != nil {
		return kept[string]{}, err
	}
	var found struct {
		BaseURI string `json:"baseURI"`
	}
	base, ok := "", json.Unmarshal(a.body, &found) == nil
	if ok {
		base, ok = c.baseURL(found.BaseURI)
	}
	if !ok {
		return kept[string]{}, fault.New(fault.Transient, op, "the answer names no host")
	}
	return kept[string]{value: base, renewAt: c.now().Add(domainLife)}, nil
}

func (c *Client) baseURL(baseURI string) (string, bool) {
	if _, rest, ok := strings.Cut(baseURI, "://"); ok {
		baseURI = rest
	}
	u, err := url.Parse(c.base.Scheme + "://" + strings.TrimRight(strings.TrimSpace(baseURI), "/"))
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	return u.String(), true
}
