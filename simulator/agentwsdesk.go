package simulator

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/coder/websocket"
)

// desk is where agent programs sit in one account: who may log in, who is
// connected, and what rings where. The account's mutex guards it.
type desk struct {
	sim      *Simulator
	acc      *account
	agents   []*deskAgent
	sessions map[string]*session // by bearer
	conns    []*agentConn
	states   map[string]string // availability, by the agent's name
	tasks    map[string]*routingTask
}

// What an agent is open to.
const (
	available = "ONLINE"   // new conversations and transfers
	occupied  = "OCCUPIED" // transfers only
	away      = "AWAY"
)

func newDesk(s *Simulator, a *account) *desk {
	return &desk{
		sim: s, acc: a, agents: s.cfg.Desk.agents(), sessions: map[string]*session{}, states: map[string]string{}, tasks: map[string]*routingTask{},
	}
}

// clear forgets what rings, and what was being watched in conversations that are
// gone; agents stay logged in.
func (d *desk) clear() {
	clear(d.tasks)
	for _, c := range d.conns {
		clear(c.dialogs)
		for _, w := range c.conversations {
			clear(w.shown)
		}
	}
}

func (d *desk) arrive(c *agentConn) { d.conns = append(d.conns, c) }

// depart takes a connection away. With an agent's last one, nothing rings there
// any more.
func (d *desk) depart(c *agentConn) {
	d.conns = slices.DeleteFunc(d.conns, func(o *agentConn) bool { return o == c })
	if !slices.ContainsFunc(d.conns, func(o *agentConn) bool { return o.who == c.who }) {
		d.setState(c.who, away)
	}
	for _, t := range d.sortedTasks() {
		if t.waiting() && !d.reachable(t.ring.who) {
			d.endRing(t, ringCancelled)
			d.offer(t)
		}
	}
}

// saw lets agent programs know what happened in a conversation: an event, or with
// none a change of its state.
func (d *desk) saw(c *conversation, e *event) {
	if len(d.conns) == 0 {
		return
	}
	if e == nil {
		d.changed(c)
		d.route(c)
		return
	}
	d.happened(c, e)
	if e.kind == contentEvent || e.kind == richEvent {
		d.changed(c)
	}
}

// changed tells who watches conversations.
func (d *desk) changed(c *conversation) {
	var result *agentResult
	for _, conn := range d.conns {
		for _, w := range conn.conversations {
			kind := w.look(c)
			if kind == "" {
				continue
			}
			if result == nil {
				result = c.agentResult()
			}
			conn.notify(conversationNotice(w.id, agentChange{Type: kind, Result: result}))
		}
	}
}

// happened tells who takes part, or has asked for the dialog's messages.
func (d *desk) happened(c *conversation, e *event) {
	var frame *agentNotification
	for _, conn := range d.conns {
		if !conn.dialogs[e.dialog] && c.roleOf(conn.who) == "" {
			continue
		}
		if frame == nil {
			n := notice(".ams.ms.OnlineEventDistribution", e.flat(c))
			frame = &n
		}
		conn.notify(frame)
	}
}

// roleOf says what an agent is in a conversation; empty: nothing.
func (c *conversation) roleOf(who *deskAgent) string {
	for _, p := range c.others {
		if p.id == who.pid {
			return p.role
		}
	}
	return ""
}

// reachable says whether an agent has a connection that wants to hear of routing tasks.
func (d *desk) reachable(who *deskAgent) bool {
	return slices.ContainsFunc(d.conns, func(c *agentConn) bool { return c.who == who && c.tasks != "" })
}

// setState notes what an agent is open to, and tells those who want to know.
func (d *desk) setState(who *deskAgent, state string) {
	if cmp.Or(d.states[who.name], away) == state {
		return
	}
	d.states[who.name] = state
	for _, c := range d.conns {
		if c.states != "" {
			c.notify(d.stateNotice(c.states, who))
		}
	}
}

// agentOf finds an agent by one of its identities.
func (d *desk) agentOf(id string) *deskAgent {
	for _, who := range d.agents {
		if id != "" && (id == who.pid || id == d.oldID(who)) {
			return who
		}
	}
	return nil
}

func (d *desk) oldID(who *deskAgent) string { return d.acc.cfg.SiteID + "." + who.number }

// AgentView is an agent who may log in, as the control API shows it.
type AgentView struct {
	Name        string `json:"name"`
	ID          string `json:"id"`
	OldID       string `json:"oldId"`
	State       string `json:"state"`
	Connections int    `json:"connections"`
}

// listAgents is GET /sim/accounts/{account}/agents.
func (s *Simulator) listAgents(r *http.Request) (any, error) {
	a := s.account(r.PathValue("account"))
	if a == nil {
		return nil, unknown("no such account")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	views := []AgentView{}
	for _, who := range a.desk.agents {
		v := AgentView{Name: who.name, ID: who.pid, OldID: a.desk.oldID(who), State: cmp.Or(a.desk.states[who.name], away)}
		for _, c := range a.desk.conns {
			if c.who == who {
				v.Connections++
			}
		}
		views = append(views, v)
	}
	return map[string]any{"agents": views}, nil
}

// logout is POST /sim/accounts/{account}/agents/logout: an agent's sessions end,
// and its connections are closed with a code of the caller's choice.
func (s *Simulator) logout(r *http.Request) (any, error) {
	a := s.account(r.PathValue("account"))
	if a == nil {
		return nil, unknown("no such account")
	}
	in := struct {
		Agent string `json:"agent"`
		Code  int    `json:"code"`
	}{Code: int(closeExpired)}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Code < 1000 || in.Code > 4999 {
		return nil, badRequest("code is 1000 to 4999")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, c := range a.desk.conns {
		if in.Agent == "" || c.who.name == in.Agent {
			c.stop(websocket.StatusCode(in.Code), "logged out")
			n++
		}
	}
	for bearer, ses := range a.desk.sessions {
		if in.Agent == "" || ses.who.name == in.Agent {
			delete(a.desk.sessions, bearer)
		}
	}
	return map[string]int{"closed": n}, nil
}

// deskRoutes are what agent programs use: login, WebSocket, and what the control
// API knows of them.
func (s *Simulator) deskRoutes(m *http.ServeMux) {
	m.HandleFunc("POST /api/account/{site}/login", s.far(classLogin, s.login))
	m.HandleFunc("POST /api/account/{site}/refresh", s.far(classLogin, s.refreshed))
	m.HandleFunc("GET /ws_api/account/{site}/messaging/brand/{bearer}", s.agentSocket)
	m.HandleFunc("GET /sim/accounts/{account}/agents", handle(s.listAgents))
	m.HandleFunc("POST /sim/accounts/{account}/agents/logout", handle(s.logout))
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		m.HandleFunc(method+" /api/account/{site}/configuration/app-install/installations", s.far(classInstall, s.installations))
		m.HandleFunc(method+" /api/account/{site}/configuration/app-install/installations/{id}", s.far(classInstall, s.installations))
	}
}

// The classes of requests that agent programs and administrators send.
const (
	classLogin   = "login"
	classAgent   = "agent"
	classInstall = "install"
)
