package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// agentProgram is what an agent program does, without its SDK.
type agentProgram struct {
	g      *rig
	name   string
	pid    string
	old    string
	bearer string
	ws     *websocket.Conn

	mu     sync.Mutex
	frames []frame
	closed error
	next   int
}

type frame struct {
	Kind  string          `json:"kind"`
	ReqID string          `json:"reqId"`
	Code  int             `json:"code"`
	Type  string          `json:"type"`
	Body  json.RawMessage `json:"body"`

	raw map[string]any
}

// newRigOf is a rig whose configuration is changed first.
func newRigOf(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	p := &parley{}
	ps := httptest.NewServer(p)
	cfg := testConfig()
	cfg.ParleyURL = ps.URL
	change(&cfg)
	sim, err := New(cfg)
	require.NoError(t, err)
	srv := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.cancel()
		srv.CloseClientConnections()
		srv.Close()
		sim.Close()
		ps.Close()
	})
	return &rig{t: t, sim: sim, url: srv.URL, home: ps.URL, parley: p, http: &http.Client{Transport: &http.Transport{}}}
}

// signIn logs an agent in and returns the answer's body.
func (g *rig) signIn(body string) (status int, answer map[string]any, cookie string) {
	g.t.Helper()
	r, err := http.NewRequest("POST", g.url+"/api/account/"+site+"/login?v=1.3", strings.NewReader(body))
	require.NoError(g.t, err)
	r.Header.Set("Content-Type", "application/json")
	res, err := g.http.Do(r)
	require.NoError(g.t, err)
	defer func() { _ = res.Body.Close() }()
	require.NoError(g.t, json.NewDecoder(res.Body).Decode(&answer))
	for _, c := range res.Cookies() {
		if c.Name == sessionCookie {
			cookie = c.Value
		}
	}
	return res.StatusCode, answer, cookie
}

// agent logs in and connects.
func (g *rig) agent(name string) *agentProgram {
	g.t.Helper()
	status, in, _ := g.signIn(fmt.Sprintf(`{"username":%q,"password":"desk"}`, name))
	require.Equal(g.t, 200, status)
	config := in["config"].(map[string]any)
	p := &agentProgram{
		g: g, name: name, pid: config["userPid"].(string), old: site + "." + config["userId"].(string), bearer: in["bearer"].(string),
	}
	p.connect("2.1")
	return p
}

func (p *agentProgram) connect(version string) {
	p.g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(p.g.url, "http")+"/ws_api/account/"+site+"/messaging/brand/"+p.bearer+"?v="+version, nil)
	require.NoError(p.g.t, err)
	ws.SetReadLimit(1 << 20)
	p.ws = ws
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			_, b, err := ws.Read(context.Background())
			p.mu.Lock()
			if err != nil {
				p.closed = err
				p.mu.Unlock()
				return
			}
			f := frame{raw: map[string]any{}}
			if json.Unmarshal(b, &f) == nil && json.Unmarshal(b, &f.raw) == nil {
				p.frames = append(p.frames, f)
			}
			p.mu.Unlock()
		}
	}()
	p.g.t.Cleanup(func() {
		_ = ws.CloseNow()
		<-done
	})
}

// send writes a request and returns its id.
func (p *agentProgram) send(kind, body, rest string) string {
	p.g.t.Helper()
	p.next++
	id := fmt.Sprintf("%s-%d", p.name, p.next)
	require.NoError(p.g.t, p.ws.Write(context.Background(), websocket.MessageText,
		fmt.Appendf(nil, `{"kind":"req","id":%q,"type":%q,"body":%s%s}`, id, kind, body, rest)))
	return id
}

// ask sends a request and waits for its response.
func (p *agentProgram) ask(kind, body string) frame { return p.askWith(kind, body, "") }

func (p *agentProgram) askWith(kind, body, rest string) frame {
	p.g.t.Helper()
	id := p.send(kind, body, rest)
	return p.await("response to "+kind, func(f frame) bool { return f.Kind == "resp" && f.ReqID == id })
}

// must asks, and wants a response of a type.
func (p *agentProgram) must(kind, body, wantType string) frame {
	p.g.t.Helper()
	f := p.ask(kind, body)
	require.Equal(p.g.t, 200, f.Code, string(f.Body))
	require.Equal(p.g.t, wantType, f.Type)
	require.Equal(p.g.t, []string{"body", "code", "kind", "reqId", "type"}, names(f.raw))
	return f
}

// refused asks, and wants a 400 with a text.
func (p *agentProgram) refused(kind, body, why string) {
	p.g.t.Helper()
	f := p.ask(kind, body)
	require.Equal(p.g.t, 400, f.Code, string(f.Body))
	require.Equal(p.g.t, textResponse, f.Type)
	require.JSONEq(p.g.t, string(marshal(why)), string(f.Body))
}

// await returns the first frame that fits, of all that ever came.
func (p *agentProgram) await(what string, fits func(frame) bool) frame {
	p.g.t.Helper()
	var found frame
	eventually(p.g.t, what, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.IndexFunc(p.frames, fits)
		if i >= 0 {
			found = p.frames[i]
		}
		return i >= 0
	})
	return found
}

// awaitChange waits for a notification whose first change fits.
func (p *agentProgram) awaitChange(kind string, fits func(kind string, result map[string]any) bool) map[string]any {
	p.g.t.Helper()
	var result map[string]any
	p.await(kind, func(f frame) bool {
		if f.Kind != "notification" || f.Type != kind {
			return false
		}
		for _, ch := range f.raw["body"].(map[string]any)["changes"].([]any) {
			m := ch.(map[string]any)
			if r := m["result"].(map[string]any); fits(m["type"].(string), r) {
				result = r
				return true
			}
		}
		return false
	})
	return result
}

func (p *agentProgram) count(fits func(frame) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, f := range p.frames {
		if fits(f) {
			n++
		}
	}
	return n
}

// ends waits for the connection's end and returns its close code.
func (p *agentProgram) ends() websocket.StatusCode {
	p.g.t.Helper()
	eventually(p.g.t, "the connection ends", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.closed != nil
	})
	return websocket.CloseStatus(p.closed)
}

// online makes an agent ready for conversations.
func (p *agentProgram) online() *agentProgram {
	p.g.t.Helper()
	p.must(".ams.routing.SetAgentState", p.stateBody("ONLINE"), textResponse)
	p.must(".ams.routing.SubscribeRoutingTasks", fmt.Sprintf(`{"channelType":"MESSAGING","agentId":%q,"brandId":%q}`, p.old, site), ".ams.routing.SubscribeRoutingTasks$Response")
	return p
}

func (p *agentProgram) stateBody(state string) string {
	return fmt.Sprintf(`{"availability":%q,"channels":["MESSAGING"],"agentUserId":%q}`, state, p.old)
}

const (
	tasksType   = ".ams.routing.RoutingTaskNotification"
	changesType = ".ams.aam.ExConversationChangeNotification"
	eventsType  = ".ams.ms.OnlineEventDistribution"
)

// rung waits for a ring of a conversation in a state, and returns the task.
func (p *agentProgram) rung(conv, state string) map[string]any {
	p.g.t.Helper()
	return p.awaitChange(tasksType, func(_ string, r map[string]any) bool {
		return r["conversationId"] == conv && ringOf(r)["ringState"] == state
	})
}

func ringOf(task map[string]any) map[string]any {
	return task["ringsDetails"].([]any)[0].(map[string]any)
}

// accepts takes the ring of a conversation.
func (p *agentProgram) accepts(conv string) {
	p.g.t.Helper()
	id := ringOf(p.rung(conv, ringWaiting))["ringId"].(string)
	f := p.must(".ams.routing.UpdateRingState", fmt.Sprintf(`{"ringId":%q,"ringState":"ACCEPTED"}`, id), textResponse)
	require.JSONEq(p.g.t, `"Ring state updated successfully"`, string(f.Body))
}

// heard waits for an event in a dialog.
func (p *agentProgram) heard(dialog string, fits func(change map[string]any) bool) map[string]any {
	p.g.t.Helper()
	return p.await(eventsType, func(f frame) bool {
		if f.Type != eventsType {
			return false
		}
		b := f.raw["body"].(map[string]any)
		return b["dialogId"] == dialog && fits(b)
	}).raw["body"].(map[string]any)
}

func names(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func saying(text string) func(map[string]any) bool {
	return func(c map[string]any) bool { return c["event"].(map[string]any)["message"] == text }
}
