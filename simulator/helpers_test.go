package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	site    = "40112233"
	client  = "5b0f6c1e-9a57-4a8e-b2d1-6c7f1e2d3a44"
	secret  = "k3s8v1q9example0client0secret"
	number1 = "+15550100200"
	whsec   = "whsec_Z2VuZXJpYy1zZWNyZXQtZGVtby0wMDAx"
)

func testConfig() Config {
	return Config{
		ParleyURL: "http://127.0.0.1:1",
		Accounts:  []Account{{Name: "main", SiteID: site, ClientID: client, ClientSecret: []string{secret}}, {Name: "other", SiteID: "qa1", ClientID: "c2", ClientSecret: []string{"s2"}}},
		Channels: []Channel{
			{Name: "sms", Kind: kindTwilio, Account: "main", AccountSID: "AC1", AuthToken: []string{"tok-demo"}, From: "+15550100900"},
			{Name: "web", Kind: kindHTTP, Account: "main", Secret: []string{whsec}},
		},
	}
}

// rig is a simulator behind a real server, with a stand-in for Parley.
type rig struct {
	t      testing.TB
	sim    *Simulator
	url    string
	parley *parley
	http   *http.Client
	home   string // of the stand-in for Parley
}

// parley records what the simulator posts to it.
type parley struct {
	mu     sync.Mutex
	got    []arrival
	status func(n int, a arrival) int // of the n-th request, from 1; nil: 200
}

type arrival struct {
	path   string
	header http.Header
	body   []byte
	at     time.Time
}

func (p *parley) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a := arrival{path: r.URL.RequestURI(), header: r.Header, body: body, at: time.Now()}
	p.mu.Lock()
	p.got = append(p.got, a)
	n, status := len(p.got), p.status
	p.mu.Unlock()
	if status != nil {
		w.WriteHeader(status(n, a))
	}
}

func (p *parley) answer(f func(n int, a arrival) int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = f
}

func (p *parley) all() []arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]arrival(nil), p.got...)
}

func newRig(t testing.TB, settings string, opts ...Option) *rig {
	t.Helper()
	p := &parley{}
	ps := httptest.NewServer(p)
	cfg := testConfig()
	cfg.ParleyURL, cfg.Settings = ps.URL, settings
	sim, err := New(cfg, opts...)
	require.NoError(t, err)
	srv := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.cancel()
		srv.CloseClientConnections()
		srv.Close()
		sim.Close()
		ps.Close()
	})
	return &rig{t: t, sim: sim, url: srv.URL, home: ps.URL, parley: p, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
}

// do sends a request and returns status and body.
func (g *rig) do(method, path string, header map[string]string, body string) (int, string) {
	g.t.Helper()
	status, b, err := g.try(method, path, header, body)
	require.NoError(g.t, err)
	return status, b
}

func (g *rig) try(method, path string, header map[string]string, body string) (int, string, error) {
	r, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	res, err := g.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// control calls the control API and decodes into out.
func (g *rig) control(method, path, body string, out any) int {
	g.t.Helper()
	status, b := g.do(method, path, nil, body)
	if out != nil {
		require.NoError(g.t, json.Unmarshal([]byte(b), out), b)
	}
	return status
}

func (g *rig) must(method, path, body string, out any) {
	g.t.Helper()
	status, b := g.do(method, path, nil, body)
	require.Equal(g.t, 200, status, b)
	if out != nil {
		require.NoError(g.t, json.Unmarshal([]byte(b), out), b)
	}
}

func (g *rig) app() string { return g.appOf(site, client, secret) }

func (g *rig) appOf(site, client, secret string) string {
	g.t.Helper()
	form := url.Values{"client_id": {client}, "client_secret": {secret}}
	status, b := g.do("POST", "/sentinel/api/account/"+site+"/app/token?v=1.0&grant_type=client_credentials",
		map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, form.Encode())
	require.Equal(g.t, 200, status, b)
	return field1(g.t, b, "access_token")
}

func (g *rig) jws(app, ext string) string {
	g.t.Helper()
	status, b := g.do("POST", "/api/account/"+site+"/consumer?v=1.0",
		map[string]string{"Content-Type": "application/json", "Authorization": app}, `{"ext_consumer_id":"`+ext+`"}`)
	require.Equal(g.t, 201, status, b)
	return field1(g.t, b, "token")
}

func field1(t testing.TB, body, name string) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &m), body)
	v, _ := m[name].(string)
	return v
}

// consumerSide is one consumer with valid tokens.
type consumerSide struct {
	g        *rig
	app, jws string
	conv     string
	features []string // Client-Properties, where there are any
}

const sendPath = "/api/account/" + site + "/messaging/consumer/conversation/send?v=3"
const openPath = "/api/account/" + site + "/messaging/consumer/conversation?v=3"
const openBody = `[{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{}},{"kind":"req","id":"2","type":"cm.ConsumerRequestConversation","body":{"brandId":"` + site + `"}}]`

func (g *rig) consumer(ext string) *consumerSide {
	g.t.Helper()
	c := &consumerSide{g: g, app: g.app()}
	c.jws = g.jws(c.app, ext)
	return c
}

func (c *consumerSide) header() map[string]string {
	h := map[string]string{"Content-Type": "application/json", "Authorization": c.app, "X-LP-ON-BEHALF": c.jws}
	if c.features != nil {
		h["Client-Properties"] = string(marshal(map[string]any{"type": ".ClientProperties", "features": c.features}))
	}
	return h
}

// surveyable are the features a survey needs.
var surveyable = []string{"RICH_CONTENT", "QUICK_REPLIES", "MULTI_DIALOG", "AUTO_MESSAGES"}

// openWith opens a conversation with further members of ConsumerRequestConversation.
func (c *consumerSide) openWith(members string) string {
	c.g.t.Helper()
	status, b := c.g.do("POST", openPath, c.header(), strings.Replace(openBody, `"brandId"`, members+`,"brandId"`, 1))
	require.Equal(c.g.t, 200, status, b)
	var out []struct {
		Body struct{ ConversationID string }
	}
	require.NoError(c.g.t, json.Unmarshal([]byte(b), &out))
	c.conv = out[1].Body.ConversationID
	return c.conv
}

// requestOf is a request of any type.
func requestOf(kind, body string) string {
	return `{"kind":"req","id":"1","type":"` + kind + `","body":` + body + `}`
}

func (c *consumerSide) detail() DetailView {
	c.g.t.Helper()
	var d DetailView
	c.g.must("GET", "/sim/conversations/"+c.conv, "", &d)
	return d
}

func (c *consumerSide) open() string {
	c.g.t.Helper()
	status, b := c.g.do("POST", openPath, c.header(), openBody)
	require.Equal(c.g.t, 200, status, b)
	var out []struct {
		Code string
		Body struct{ ConversationID string }
	}
	require.NoError(c.g.t, json.Unmarshal([]byte(b), &out))
	c.conv = out[1].Body.ConversationID
	return c.conv
}

func (c *consumerSide) send(body string) (int, string) {
	c.g.t.Helper()
	return c.g.do("POST", sendPath, c.header(), body)
}

func publishOf(dialog, event, rest string) string {
	return `{"kind":"req","id":"1","type":"ms.PublishEvent"` + rest + `,"body":{"dialogId":"` + dialog + `","event":` + event + `}}`
}

func textOf(dialog, text, externalID string) string {
	rest := ""
	if externalID != "" {
		rest = `,"metadata":[{"type":"ExternalId","id":"` + externalID + `"}]`
	}
	return publishOf(dialog, `{"type":"ContentEvent","contentType":"text/plain","message":`+string(marshal(text))+`}`, rest)
}

func fieldOf(conv, field string) string {
	return `{"kind":"req","id":"1","type":"cm.UpdateConversationField","body":{"conversationId":"` + conv + `","conversationField":` + field + `}}`
}

// notifications are the webhooks that arrived, decoded.
func (p *parley) notifications(t testing.TB) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, a := range p.all() {
		if !strings.HasPrefix(a.path, "/webhooks/liveperson/") {
			continue
		}
		var m map[string]any
		require.NoError(t, json.NewDecoder(bytes.NewReader(a.body)).Decode(&m))
		all = append(all, m)
	}
	return all
}

func change(m map[string]any) map[string]any {
	return m["body"].(map[string]any)["changes"].([]any)[0].(map[string]any)
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 10*time.Second, 2*time.Millisecond, what)
}

// clock is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock(at time.Time) *clock { return &clock{at: at} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func copyTo(w io.Writer, res *http.Response) (int64, error) { return io.Copy(w, res.Body) }
