package simulator

import "net/http"

// services are the names the Domain API knows; all of them live on this server.
//
// Source: agent-domain-domain-api.
var services = []string{
	"sentinel", "idp", "asyncMessagingEnt", "swift", "smt", "msgHist", "accountConfigReadWrite", "agentVep", "facadeMsg",
}

type baseURI struct {
	Service string `json:"service"`
	Account string `json:"account"`
	BaseURI string `json:"baseURI"`
}

// domainsOf are all services of an account, on one host.
func domainsOf(site, host string) []baseURI {
	all := make([]baseURI, 0, len(services))
	for _, name := range services {
		all = append(all, baseURI{Service: name, Account: site, BaseURI: host})
	}
	return all
}

// domains is the Domain API, both forms. The address it gives is the one the
// caller used.
func (s *Simulator) domains(c *call) reply {
	site, service := c.r.PathValue("site"), c.r.PathValue("service")
	c.seen.summary = "domain of " + service
	if service == "" {
		c.seen.summary = "all domains"
	}
	a := s.account(site)
	if a == nil || a.cfg.SiteID != site {
		return *invalid("unknown account")
	}
	c.seen.account = a.cfg.Name
	if c.r.URL.Query().Get("version") != "1.0" {
		return *invalid("query version=1.0 is required")
	}
	all := domainsOf(site, c.r.Host)
	for _, u := range all {
		if u.Service == service {
			return reply{status: http.StatusOK, body: u}
		}
	}
	if service != "" {
		return *invalid("unknown service")
	}
	return reply{status: http.StatusOK, body: map[string]any{"baseURIs": all}}
}
