package simulator

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// loadingAccount is the internalCode of a Monitoring API that warms up.
const loadingAccount = 20

// sessions are the visitors' sessions at the Monitoring API. The account guards it.
type sessions map[string]*visit // by sessionId

type visit struct {
	Visitor  string `json:"visitor"`
	Page     string `json:"page"`
	Contexts int    `json:"contexts"`
	Consumer string `json:"consumer,omitempty"` // the external id of who opened a conversation in it
}

// keptSessions bounds the memory of sessions.
const keptSessions = 20_000

// engagementRequest is the body of the engagement call.
//
// Source: rt-interactions-monitoring-methods-engagement.
type engagementRequest struct {
	ConsumerID *string `json:"consumerId"`
	Identities []struct {
		Issuer  *string `json:"iss"`
		Level   *string `json:"acr"`
		Subject *string `json:"sub"`
	} `json:"identities"`
	ClientProperties *struct {
		AppID string `json:"appId"`
	} `json:"clientProperties"`
	EntryPoints []string          `json:"entryPoints"`
	Attributes  []json.RawMessage `json:"engagementAttributes"`
}

// engagementDetails is one engagement that is shown to the visitor.
type engagementDetails struct {
	CampaignID         string `json:"campaignId"`
	EngagementID       string `json:"engagementId"`
	EngagementRevision int    `json:"engagementRevision"`
	ContextID          string `json:"contextId"`
	ConnectorID        int    `json:"connectorId"`
	WindowID           string `json:"windowId"`
	Language           string `json:"language,omitempty"`
	Status             string `json:"status"`
	ConversationID     string `json:"conversationId,omitempty"`
}

// monitoringError is an error of the Monitoring API's. The form of its body is not
// documented beyond internalCode.
func monitoringError(status, code int, text string, header http.Header) reply {
	if code == loadingAccount {
		text = "Loading account"
	}
	return reply{status: status, reason: text, header: header, body: map[string]any{"message": text, "internalCode": code}}
}

func (q *engagementRequest) check(c *call) *reply {
	bad := func(text string) *reply {
		r := monitoringError(http.StatusBadRequest, http.StatusBadRequest, text, nil)
		return &r
	}
	if q.ConsumerID != nil {
		c.warn("consumerId is deprecated: identities take its place")
	}
	if q.ConsumerID == nil && len(q.Identities) == 0 {
		return bad("identities are required")
	}
	for _, id := range q.Identities {
		if id.Issuer == nil || *id.Issuer == "" || id.Subject == nil || *id.Subject == "" {
			return bad("identities need iss and sub")
		}
		if id.Level == nil || (*id.Level != "loa1" && *id.Level != "0") {
			return bad("acr must be loa1 or 0")
		}
	}
	for _, e := range q.EntryPoints {
		if scheme, rest, ok := strings.Cut(e, "://"); !ok || scheme == "" || rest == "" {
			return bad("an entry point is written as scheme://value")
		}
	}
	for _, raw := range q.Attributes {
		var sde any
		_ = json.Unmarshal(raw, &sde) // it was parsed once
		if r := checkSDE(sde); r != nil {
			return bad("engagementAttributes: " + r.reason)
		}
	}
	return nil
}

// engagement is the Monitoring API's call of that name.
func (s *Simulator) engagement(c *call) reply {
	c.seen.summary = "engagement"
	fail := func(status int, text string) reply { return monitoringError(status, status, text, nil) }
	site := c.r.PathValue("site")
	a := s.account(site)
	query := c.r.URL.Query()
	switch {
	case a == nil || a.cfg.SiteID != site:
		return fail(http.StatusBadRequest, "unknown account")
	case c.r.PathValue("install") != a.cfg.ClientID:
		return fail(http.StatusNotFound, "unknown app installation")
	case query.Get("v") != "1.0" && query.Get("v") != "1.1":
		return fail(http.StatusBadRequest, "query v=1.0 is required")
	}
	c.seen.account = a.cfg.Name
	var in engagementRequest
	if bad := c.wantJSON(query.Get("v")); bad != nil {
		return fail(http.StatusBadRequest, bad.reason)
	}
	if !isObject(c.body) || json.Unmarshal(c.body, &in) != nil {
		return fail(http.StatusBadRequest, "members of the body have the wrong type")
	}
	if bad := in.check(c); bad != nil {
		return *bad
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id, one, fresh := a.visit(query.Get("vid"), query.Get("sid"))
	out := map[string]any{"sessionId": id, "visitorId": one.Visitor, "pageId": one.Page}
	if list := a.engagements(one, &in); len(list) > 0 {
		out["engagementDetails"] = list
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return reply{status: status, body: out}
}

// visit returns the visitor's session, new unless it is known. The account is locked.
func (a *account) visit(visitor, id string) (string, *visit, bool) {
	if one := a.sessions[id]; one != nil && one.Visitor == visitor {
		return id, one, false
	}
	if len(a.sessions) >= keptSessions || a.sessions == nil {
		a.sessions = sessions{}
	}
	id = strings.ReplaceAll(uuid.NewString(), "-", "")[:22]
	one := &visit{Visitor: cmp.Or(visitor, strings.ReplaceAll(uuid.NewString(), "-", "")[:22]), Page: number(len(a.sessions) + 774411)}
	a.sessions[id] = one
	return id, one, true
}

// engagements are what is shown at the entry points. The account is locked.
func (a *account) engagements(one *visit, in *engagementRequest) []engagementDetails {
	var list []engagementDetails
	for _, e := range a.sim.settings.Load().Engagements {
		if e.Account != "" && e.Account != a.cfg.Name && e.Account != a.cfg.SiteID {
			continue
		}
		if slices.ContainsFunc(e.EntryPoints, func(p string) bool { return !slices.Contains(in.EntryPoints, p) }) {
			continue
		}
		one.Contexts++
		d := engagementDetails{
			CampaignID: e.CampaignID, EngagementID: e.EngagementID, EngagementRevision: e.Revision, ContextID: number(one.Contexts),
			ConnectorID: e.ConnectorID, WindowID: e.WindowID, Language: e.Language, Status: "expose",
		}
		if open := a.conversationOf(one, in); open != nil {
			d.Status, d.ConversationID = "conversation", open.id
		}
		list = append(list, d)
	}
	return list
}

// conversationOf is the open conversation of a visitor: of the session, or of a
// consumer whose external id an identity names.
func (a *account) conversationOf(one *visit, in *engagementRequest) *conversation {
	names := []string{one.Consumer}
	for _, id := range in.Identities {
		names = append(names, *id.Subject)
	}
	for _, name := range names {
		if co := a.consumers[name]; co != nil && co.current != nil && co.current.open() {
			return co.current
		}
	}
	return nil
}

// routed lets a campaign choose the skill of a conversation that names none, and
// ties its session to the consumer. What LivePerson does with ids that it does not
// know is not documented: here they change nothing, and are warned of.
func (a *account) routed(c *call, o *opening) {
	if o.campaign != "" {
		list := a.sim.settings.Load().Engagements
		i := slices.IndexFunc(list, func(e Engagement) bool { return e.CampaignID == o.campaign && e.EngagementID == o.engagement })
		switch {
		case i < 0:
			c.warn("campaignInfo names no engagement of the account")
		case o.skill == "" || o.skill == unassigned:
			o.skill = list[i].Skill
		}
	}
	var context struct {
		Type    string `json:"type"`
		Visitor string `json:"visitorId"`
		Session string `json:"sessionId"`
	}
	_ = json.Unmarshal(o.context, &context) // it was checked
	if context.Type != "SharkContext" || context.Session == "" {
		return
	}
	o.session, o.visitor = context.Session, context.Visitor
}

// visited ties a session to the consumer who opened a conversation in it. The
// account is locked.
func (a *account) visited(c *call, co *consumer, o opening) {
	if o.session == "" {
		return
	}
	if one := a.sessions[o.session]; one != nil && one.Visitor == o.visitor {
		one.Consumer = co.ext
		return
	}
	c.warn("conversationContext names no session of the Monitoring API")
}

// copied are sessions as they are now: they go on to change.
func copied(all sessions) sessions {
	out := sessions{}
	for id, one := range all {
		v := *one
		out[id] = &v
	}
	return out
}
