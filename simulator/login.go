package simulator

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DeskConfig is who may sit at the desk, for agent programs that log in as a
// person does in the Agent Workspace. The demo page asks for no login.
type DeskConfig struct {
	Agents  []string      `env:"PARLEY_SIMULATOR_AGENTS"`                     // name:password; Dana, Robin and bot with password desk when empty
	Session time.Duration `env:"PARLEY_SIMULATOR_AGENT_SESSION, default=1h"`  // how long a login lasts without a refresh
	Ring    time.Duration `env:"PARLEY_SIMULATOR_AGENT_RING, default=72s"`    // how long a conversation rings at one agent
	Install time.Duration `env:"PARLEY_SIMULATOR_INSTALL_DELAY, default=0ms"` // how long until a changed app installation takes effect, at most 2m
}

var defaultAgents = []string{"Dana:desk", "Robin:desk", "bot:desk"}

// longestInstallDelay is LivePerson's "up to two minutes".
//
// Source: connector-api-webhooks-configuration.
const longestInstallDelay = 2 * time.Minute

func (c *DeskConfig) check() error {
	seen := map[string]bool{}
	for _, entry := range c.Agents {
		name, password, found := strings.Cut(entry, ":")
		if !found || name == "" || password == "" {
			return errors.New("PARLEY_SIMULATOR_AGENTS: name:password, separated by commas")
		}
		if seen[userNumber(name)] {
			return errors.New("PARLEY_SIMULATOR_AGENTS: two agents have the same name, or the same number; change one name")
		}
		seen[userNumber(name)] = true
	}
	if c.Session < 0 || c.Ring < 0 {
		return errors.New("PARLEY_SIMULATOR_AGENT_SESSION, PARLEY_SIMULATOR_AGENT_RING: not negative")
	}
	if c.Install < 0 || c.Install > longestInstallDelay {
		return errors.New("PARLEY_SIMULATOR_INSTALL_DELAY: 0 to 2m")
	}
	return nil
}

// deskAgent is one who may log in. An agent has two identities: the newer one is a
// UUID (pid), the older one is made of the account and a number.
type deskAgent struct {
	name, password string
	pid, number    string
}

func (c *DeskConfig) agents() []*deskAgent {
	entries := c.Agents
	if len(entries) == 0 {
		entries = defaultAgents
	}
	var all []*deskAgent
	for _, entry := range entries {
		name, password, _ := strings.Cut(entry, ":")
		all = append(all, &deskAgent{name: name, password: password, pid: identity(name), number: userNumber(name)})
	}
	return all
}

// userNumber is an agent's userId: always the same for the same name.
func userNumber(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return strconv.Itoa(int(h.Sum32()%9_000_000) + 1_000_000)
}

// session is one login.
type session struct {
	who                  *deskAgent
	bearer, csrf, cookie string
	expires              time.Time
}

func random() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// credentials is the body of a login, in any of its three forms.
type credentials struct {
	Username          string `json:"username"`
	Password          string `json:"password"`
	AppKey            string `json:"appKey"`
	Secret            string `json:"secret"`
	AccessToken       string `json:"accessToken"`
	AccessTokenSecret string `json:"accessTokenSecret"`
	JWT               string `json:"jwt"`
	Assertion         string `json:"assertion"`
}

// login is the agents' login: POST …/login?v=1.3.
//
// A password is checked. Keys of OAuth 1 and SAML assertions are not, as nobody
// here has issued them: keys make their username log in, an assertion the first
// agent configured.
//
// Source: node-agent-sdk, lib/ExternalServices.js; login-service pages.
func (s *Simulator) login(c *call) reply {
	c.seen.summary = "agent login"
	a, bad := s.loginAccount(c)
	if bad != nil {
		return *bad
	}
	var in credentials
	if json.Unmarshal(c.body, &in) != nil {
		return loginRefused(http.StatusBadRequest, "body is not JSON")
	}
	for _, secret := range []string{in.Password, in.Secret, in.AppKey, in.AccessToken, in.AccessTokenSecret, in.Assertion} {
		c.hideSecret(secret)
	}
	who, bad := a.desk.recognise(in)
	if bad != nil {
		return *bad
	}
	a.mu.Lock()
	ses := a.desk.admit(who)
	a.mu.Unlock()
	body := func(bearer, csrf string) map[string]any {
		return map[string]any{
			"bearer": bearer, "csrf": csrf, "sessionTTl": strconv.Itoa(int(a.desk.sessionTime().Seconds())),
			"config": map[string]any{
				"loginName": who.name, "userId": who.number, "userPid": who.pid, "isAdmin": true, "isLPA": false,
			},
			"csdsCollectionResponse": map[string]any{"baseURIs": domainsOf(a.cfg.SiteID, c.r.Host)},
		}
	}
	cookie := http.Cookie{Name: sessionCookie, Value: ses.cookie, Path: "/", HttpOnly: true, Secure: c.r.TLS != nil}
	return reply{
		status: http.StatusOK, header: http.Header{"Set-Cookie": {cookie.String()}},
		body: body(ses.bearer, ses.csrf), hidden: body("…", "…"),
	}
}

const sessionCookie = "Session_id"

// refreshed prolongs a login: POST …/refresh?v=1.3.
func (s *Simulator) refreshed(c *call) reply {
	c.seen.summary = "agent login refreshed"
	a, bad := s.loginAccount(c)
	if bad != nil {
		return *bad
	}
	var in struct {
		CSRF string `json:"csrf"`
	}
	if json.Unmarshal(c.body, &in) != nil || in.CSRF == "" {
		return loginRefused(http.StatusBadRequest, "csrf is required")
	}
	c.hideSecret(in.CSRF)
	cookie, err := c.r.Cookie(sessionCookie)
	if err != nil {
		return loginRefused(http.StatusUnauthorized, "the session's cookie is missing")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ses := range a.desk.sessions {
		if same(ses.cookie, cookie.Value) && same(ses.csrf, in.CSRF) && s.now().Before(ses.expires) {
			ses.expires = s.now().Add(a.desk.sessionTime())
			body := map[string]string{"csrf": ses.csrf, "sessionTTl": strconv.Itoa(int(a.desk.sessionTime().Seconds()))}
			return reply{status: http.StatusOK, body: body, hidden: map[string]string{"csrf": "…"}}
		}
	}
	return loginRefused(http.StatusUnauthorized, "the session is over")
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *Simulator) loginAccount(c *call) (*account, *reply) {
	a := s.account(c.r.PathValue("site"))
	if a == nil || a.cfg.SiteID != c.r.PathValue("site") {
		r := loginRefused(http.StatusBadRequest, "unknown account")
		return nil, &r
	}
	c.seen.account = a.cfg.Name
	if c.r.URL.Query().Get("v") != "1.3" {
		r := loginRefused(http.StatusBadRequest, "query v=1.3 is required")
		return nil, &r
	}
	return a, nil
}

func loginRefused(status int, reason string) reply {
	return reply{status: status, reason: reason, body: map[string]any{"error": reason, "internalCode": fmt.Sprint(status)}}
}

// recognise says who logs in.
func (d *desk) recognise(in credentials) (*deskAgent, *reply) {
	refuse := func(status int, reason string) (*deskAgent, *reply) {
		r := loginRefused(status, reason)
		return nil, &r
	}
	if in.JWT != "" && in.Assertion != "" {
		return d.agents[0], nil
	}
	who := d.agentNamed(in.Username)
	switch keys := in.AppKey != "" && in.Secret != "" && in.AccessToken != "" && in.AccessTokenSecret != ""; {
	case in.Username == "" || (in.Password == "" && !keys):
		return refuse(http.StatusBadRequest, "username and password, or username and the four keys, or jwt and assertion are required")
	case who == nil || (!keys && !same(who.password, in.Password)):
		return refuse(http.StatusUnauthorized, "unknown agent or wrong password")
	}
	return who, nil
}

func (d *desk) agentNamed(name string) *deskAgent {
	for _, who := range d.agents {
		if who.name == name {
			return who
		}
	}
	return nil
}

func (d *desk) sessionTime() time.Duration {
	if d.sim.cfg.Desk.Session > 0 {
		return d.sim.cfg.Desk.Session
	}
	return time.Hour
}

// admit starts a session and forgets those that are over. The account is locked.
func (d *desk) admit(who *deskAgent) *session {
	now := d.sim.now()
	for bearer, old := range d.sessions {
		if !now.Before(old.expires) {
			delete(d.sessions, bearer)
		}
	}
	ses := &session{who: who, bearer: random(), csrf: random(), cookie: random(), expires: now.Add(d.sessionTime())}
	d.sessions[ses.bearer] = ses
	return ses
}

// session returns the session of a bearer, while it lasts. The account is locked.
func (d *desk) session(bearer string) *session {
	ses := d.sessions[bearer]
	if ses == nil || !d.sim.now().Before(ses.expires) {
		return nil
	}
	return ses
}
