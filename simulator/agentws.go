package simulator

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	// The best kept WebSocket library for Go, on net/http alone: no hand-made frames,
	// and close codes of one's own.
	"github.com/coder/websocket"
)

// How a connection ends when its token is not, or no longer, accepted. An agent
// program logs in again and reconnects.
//
// Source: retry-and-keepalive-best-practices-overview.
const (
	closeUnauthorized = websocket.StatusCode(4401)
	closeExpired      = websocket.StatusCode(4407)
)

// agentBacklog is how many frames an agent program may be behind.
const agentBacklog = 4096

// agentConn is one WebSocket of an agent program's. What the account's mutex
// guards is its subscriptions.
type agentConn struct {
	desk *desk
	ses  *session
	who  *deskAgent
	ws   *websocket.Conn
	out  chan []byte
	end  chan goodbye

	conversations []*conversationWatch
	dialogs       map[string]bool // whose events were asked for
	tasks         string          // the routing tasks' subscription; empty: none
	states        string          // the agents' states' subscription
	answering     bool            // notifications wait until the response is out
	held          []any
}

type goodbye struct {
	code   websocket.StatusCode
	reason string
}

// agentSocket is GET /ws_api/account/{site}/messaging/brand/{bearer}?v=2.1.
//
// Source: node-agent-sdk, lib/Transport.js.
func (s *Simulator) agentSocket(w http.ResponseWriter, r *http.Request) {
	site, bearer := r.PathValue("site"), r.PathValue("bearer")
	a := s.account(site)
	if a == nil || a.cfg.SiteID != site {
		refuse(w, unknown("no such account"))
		return
	}
	if !slices.Contains([]string{"2", "2.0", "2.1"}, r.URL.Query().Get("v")) {
		refuse(w, badRequest("query v=2.1 is required"))
		return
	}
	release, ok := s.busy()
	if !ok {
		refuse(w, impossible("the simulator is closing"))
		return
	}
	defer release()
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // any origin, as everywhere here
	if err != nil {
		return // answered by Accept
	}
	ws.SetReadLimit(maxRequest)
	a.mu.Lock()
	ses := a.desk.session(bearer)
	a.mu.Unlock()
	if ses == nil {
		_ = ws.Close(closeUnauthorized, "unknown or expired token")
		return
	}
	c := &agentConn{
		desk: a.desk, ses: ses, who: ses.who, ws: ws, dialogs: map[string]bool{},
		out: make(chan []byte, agentBacklog), end: make(chan goodbye, 1),
	}
	c.serve(s.life)
}

// busy makes Close wait until release is called; it is not ok when closing began.
func (s *Simulator) busy() (release func(), ok bool) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil, false
	}
	s.tasks.Add(1)
	return s.tasks.Done, true
}

func (c *agentConn) serve(life context.Context) {
	ctx, cancel := context.WithCancel(life)
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		c.write(ctx)
	}()
	c.desk.acc.mu.Lock()
	c.desk.arrive(c)
	c.desk.acc.mu.Unlock()
	for {
		kind, frame, err := c.ws.Read(ctx)
		if err != nil {
			break
		}
		if kind == websocket.MessageText {
			c.take(frame)
		}
	}
	cancel()
	<-wrote
	_ = c.ws.CloseNow()
	c.desk.acc.mu.Lock()
	c.desk.depart(c)
	c.desk.acc.mu.Unlock()
}

// write sends frames until the connection or the session ends.
func (c *agentConn) write(ctx context.Context) {
	over := time.NewTimer(c.lasts())
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case bye := <-c.end:
			_ = c.ws.Close(bye.code, bye.reason)
			return
		case <-over.C:
			if left := c.lasts(); left > 0 { // it was refreshed
				over.Reset(left)
				continue
			}
			c.stop(closeExpired, "the session is over")
		case frame := <-c.out:
			if c.ws.Write(ctx, websocket.MessageText, frame) != nil {
				_ = c.ws.CloseNow()
				return
			}
		}
	}
}

func (c *agentConn) lasts() time.Duration {
	c.desk.acc.mu.Lock()
	defer c.desk.acc.mu.Unlock()
	return c.ses.expires.Sub(c.desk.sim.now())
}

// stop ends the connection; only the first reason counts.
func (c *agentConn) stop(code websocket.StatusCode, reason string) {
	select {
	case c.end <- goodbye{code, reason}:
	default:
	}
}

// notify sends a notification, after the response to the request that caused it:
// what the real service makes of their order is not documented, and agent programs
// are easier to write so.
func (c *agentConn) notify(n any) {
	if c.answering {
		c.held = append(c.held, n)
		return
	}
	c.put(n)
}

// put hands a frame to the writer and never waits.
func (c *agentConn) put(v any) {
	select {
	case c.out <- marshal(v):
	default:
		c.stop(websocket.StatusInternalError, "the agent program is too slow")
	}
}

// agentRequest is a request frame.
type agentRequest struct {
	Kind     string          `json:"kind"`
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Body     json.RawMessage `json:"body"`
	Metadata json.RawMessage `json:"metadata"`
}

// agentResponse is the frame that answers it. A code above 399 is an error.
type agentResponse struct {
	Kind  string `json:"kind"`
	ReqID string `json:"reqId"`
	Code  int    `json:"code"`
	Type  string `json:"type"`
	Body  any    `json:"body"`
}

// agentNotification is a frame nobody asked for.
type agentNotification struct {
	Kind string `json:"kind"`
	Type string `json:"type"`
	Body any    `json:"body"`
}

func notice(kind string, body any) agentNotification {
	return agentNotification{Kind: "notification", Type: kind, Body: body}
}

// agentAnswer is what a request led to.
type agentAnswer struct {
	kind string // of the response
	code int
	body any
	then func() // what follows the response, e.g. a subscription's first notification
	conv string // for the wire
}

// textResponse is the type of every response whose body is a text.
const textResponse = ".ReqBody$StringResp"

func said(text string) agentAnswer {
	return agentAnswer{kind: textResponse, code: http.StatusOK, body: text}
}

// wrong is the refusal of a request.
//
// Source: node-agent-sdk issues 127 and Android-Messaging-SDK issue 126 for a text
// as the body.
func wrong(text string) agentAnswer {
	return agentAnswer{kind: textResponse, code: http.StatusBadRequest, body: text}
}

func answers(request string, body any) agentAnswer {
	return agentAnswer{kind: request + "$Response", code: http.StatusOK, body: body}
}

// agentRequests are the requests that are understood; each is called with the
// account locked.
var agentRequests = map[string]func(*agentConn, *agentRequest) agentAnswer{
	".GetClock":                           (*agentConn).clock,
	".ams.aam.SubscribeExConversations":   (*agentConn).subscribeConversations,
	".ams.aam.UnsubscribeExConversations": (*agentConn).unsubscribeConversations,
	".ams.ms.QueryMessages":               (*agentConn).queryMessages,
	".ams.ms.PublishEvent":                (*agentConn).publish,
	".ams.ms.GenerateURLForUploadFile":    (*agentConn).uploadURL,
	".ams.ms.GenerateURLForDownloadFile":  (*agentConn).downloadURL,
	".ams.cm.UpdateConversationField":     (*agentConn).updateField,
	".ams.cm.AgentRequestConversation":    (*agentConn).requestConversation,
	".ams.routing.SubscribeRoutingTasks":  (*agentConn).subscribeTasks,
	".ams.routing.UpdateRingState":        (*agentConn).updateRing,
	".ams.routing.SetAgentState":          (*agentConn).setState,
	".ams.routing.SubscribeAgentsState":   (*agentConn).subscribeStates,
	".ams.userprofile.GetUserProfile":     (*agentConn).userProfile,
}

// take answers one frame.
func (c *agentConn) take(frame []byte) {
	clock := time.Now()
	seen := &exchange{
		at: c.desk.sim.now(), direction: "in", class: classAgent, method: "WS", attempt: 1, account: c.desk.acc.cfg.Name, request: frame,
	}
	var q agentRequest
	if json.Unmarshal(frame, &q) != nil || q.Kind != "req" || q.ID == "" || q.Type == "" {
		c.respond(seen, &q, wrong("a request has kind req, id, type and body"), clock)
		return
	}
	f := agentRequests[q.Type]
	if f == nil {
		c.respond(seen, &q, wrong("unknown type of request"), clock)
		return
	}
	c.desk.acc.mu.Lock()
	defer c.desk.acc.mu.Unlock()
	if !c.desk.sim.now().Before(c.ses.expires) {
		c.stop(closeExpired, "the session is over")
		return
	}
	c.answering = true
	out := f(c, &q)
	c.answering = false
	c.respond(seen, &q, out, clock)
	for _, n := range c.held {
		c.put(n)
	}
	c.held = nil
	if out.then != nil {
		out.then()
	}
}

func (c *agentConn) respond(seen *exchange, q *agentRequest, out agentAnswer, clock time.Time) {
	answer := agentResponse{Kind: "resp", ReqID: q.ID, Code: out.code, Type: out.kind, Body: out.body}
	c.put(answer)
	if q.Type == ".GetClock" && out.code < 400 {
		return // every half a minute, from everybody
	}
	seen.path, seen.summary, seen.conversation = q.Type, c.who.name+": "+shortType(q.Type), out.conv
	seen.status, seen.answer, seen.took = out.code, marshal(answer), time.Since(clock)
	if text, isText := out.body.(string); isText && out.code >= 400 {
		seen.rejected = text
	}
	c.desk.sim.wire.add(seen)
}

// shortType is a request's name without its prefix.
func shortType(kind string) string {
	for i := len(kind) - 1; i >= 0; i-- {
		if kind[i] == '.' {
			return kind[i+1:]
		}
	}
	return kind
}
