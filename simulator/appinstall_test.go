package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const installsPath = "/api/account/" + site + "/configuration/app-install/installations"

// admin is somebody who may change the app installations.
type admin struct {
	g      *rig
	bearer string
}

func (g *rig) admin() *admin {
	g.t.Helper()
	_, in, _ := g.signIn(`{"username":"Dana","password":"desk"}`)
	return &admin{g: g, bearer: in["bearer"].(string)}
}

// do calls the app-install API and returns status, ac-revision and body.
func (a *admin) do(method, path, match, body string, header ...string) (int, string, string) {
	a.g.t.Helper()
	r, err := http.NewRequest(method, a.g.url+installsPath+path+"?v=1.0", strings.NewReader(body))
	require.NoError(a.g.t, err)
	r.Header.Set("Authorization", "Bearer "+a.bearer)
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := a.g.http.Do(r)
	require.NoError(a.g.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(a.g.t, err)
	return res.StatusCode, res.Header.Get("ac-revision"), string(b)
}

// own is the configured app as the API shows it.
func (a *admin) own() (revision string, m map[string]any) {
	a.g.t.Helper()
	status, revision, b := a.do("GET", "/"+client, "", "")
	require.Equal(a.g.t, 200, status, b)
	require.NoError(a.g.t, json.Unmarshal([]byte(b), &m))
	return revision, m
}

func (a *admin) put(m map[string]any) {
	a.g.t.Helper()
	revision, _ := a.own()
	status, next, b := a.do("PUT", "/"+client, revision, string(marshal(m)))
	require.Equal(a.g.t, 200, status, b)
	require.NotEqual(a.g.t, revision, next)
}

func webhooksOf(m map[string]any) map[string]any {
	return m["capabilities"].(map[string]any)["webhooks"].(map[string]any)
}

func TestTheConfiguredAppIsAnInstallation(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	a := g.admin()
	_, m := a.own()
	require.Subset(t, names(m), []string{
		"capabilities", "client_id", "client_id_issued_at", "client_name", "client_secret", "client_secret_expires_at", "deleted",
		"enabled", "grant_types", "id", "scope",
	})
	require.Equal(t, client, m["client_id"])
	require.Equal(t, secret, m["client_secret"])
	hooks := webhooksOf(m)
	require.Len(t, hooks, 6)
	require.Equal(t, map[string]any{"retention_time": 259200.0}, hooks["retry"])
	require.Equal(t, map[string]any{"endpoint": g.home + "/webhooks/liveperson/main"}, hooks["ms.MessagingEventNotification.ContentEvent"])
	require.Equal(t, map[string]any{"endpoint": g.home + "/webhooks/liveperson/main", "max_retries": 0.0}, hooks["ms.MessagingEventNotification.ChatStateEvent"])
	_, _, b := a.do("GET", "", "", "")
	var all []map[string]any
	require.NoError(t, json.Unmarshal([]byte(b), &all))
	require.Len(t, all, 1)
	_, seen := g.do("GET", "/sim/wire?bodies=1&class=install", nil, "")
	require.NotContains(t, seen, secret)
}

func TestInstallationsWantAToken(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	status, _ := g.do("GET", installsPath+"?v=1.0", nil, "")
	require.Equal(t, 401, status)
	status, _ = g.do("GET", installsPath+"?v=1.0", map[string]string{"Authorization": g.app()}, "")
	require.Equal(t, 401, status)
	status, _ = g.do("GET", installsPath, nil, "")
	require.Equal(t, 400, status)
	a := g.admin()
	status, _, _ = a.do("GET", "/other", "", "")
	require.Equal(t, 404, status)
}

func TestAnUpdateNamesTheRevisionItIsMadeFrom(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	a := g.admin()
	revision, m := a.own()
	body := string(marshal(m))
	status, _, _ := a.do("PUT", "/"+client, "", body)
	require.Equal(t, 412, status)
	status, _, _ = a.do("PUT", "/"+client, "other", body)
	require.Equal(t, 412, status)
	status, next, _ := a.do("POST", "/"+client, revision, body, "X-HTTP-Method-Override", "PUT")
	require.Equal(t, 200, status)
	status, _, _ = a.do("PUT", "/"+client, revision, body)
	require.Equal(t, 412, status)
	status, _, _ = a.do("PUT", "/"+client, `"`+next+`"`, body)
	require.Equal(t, 200, status)
}

func TestAManifestIsChecked(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	a := g.admin()
	for body, why := range map[string]string{
		`{}`:                  "client_name is required",
		`{"client_name":"x"}`: "grant_types is required",
		`{"colour":"x"}`:      "not understood",
		`{"client_name":"x","grant_types":["client_credentials"]}`:                                                                                                                  "scope is required",
		`{"client_name":"` + strings.Repeat("x", 129) + `"}`:                                                                                                                        "client_name is too long",
		`{"client_name":"x","grant_types":["a"],"scope":"s","capabilities":{"webhooks":{"nonsense":{}}}}`:                                                                           "unknown event",
		`{"client_name":"x","grant_types":["a"],"scope":"s","capabilities":{"webhooks":{"retry":{"retention_time":1}}}}`:                                                            "retention_time is 2 to 259200",
		`{"client_name":"x","grant_types":["a"],"scope":"s","capabilities":{"webhooks":{"cqm.ExConversationChangeNotification":{"endpoint":"x"}}}}`:                                 "endpoint must be a URL",
		`{"client_name":"x","grant_types":["a"],"scope":"s","capabilities":{"webhooks":{"cqm.ExConversationChangeNotification":{"endpoint":"https://h.example","max_retries":6}}}}`: "max_retries is 0 to 5",
	} {
		status, _, b := a.do("POST", "", "", body)
		require.Equal(t, 400, status, b)
		require.Contains(t, b, why)
	}
}

func TestAppsComeAndGo(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	a := g.admin()
	body := `{"client_name":"Other","grant_types":["client_credentials"],"scope":"msg.consumer"}`
	status, revision, b := a.do("POST", "", "", body)
	require.Equal(t, 201, status, b)
	id := field1(t, b, "id")
	require.NotEmpty(t, field1(t, b, "client_secret"))
	status, _, _ = a.do("POST", "", "", body)
	require.Equal(t, 409, status)
	status, revision, b = a.do("PUT", "/"+id, revision, strings.Replace(body, "Other", "Another", 1))
	require.Equal(t, 200, status, b)
	require.Equal(t, "Another", field1(t, b, "client_name"))
	status, _, _ = a.do("DELETE", "/"+client, revision, "")
	require.Equal(t, 409, status)
	status, _, _ = a.do("DELETE", "/"+id, "", "")
	require.Equal(t, 412, status)
	status, _, _ = a.do("DELETE", "/"+id, revision, "")
	require.Equal(t, 200, status)
	status, _, _ = a.do("GET", "/"+id, "", "")
	require.Equal(t, 404, status)
}

func TestAChangedManifestMovesTheWebhooks(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	a := g.admin()
	_, m := a.own()
	hooks := webhooksOf(m)
	hooks["ms.MessagingEventNotification.ContentEvent"] = map[string]any{
		"endpoint": g.home + "/elsewhere?x=1", "headers": []map[string]string{{"header_name": "X-Tenant", "header_value": "acme"}},
	}
	delete(hooks, "ms.MessagingEventNotification.ChatStateEvent")
	a.put(m)
	conv := g.consumer("mira").open()
	g.must("POST", "/sim/conversations/"+conv+"/typing", `{"on":true}`, nil)
	g.must("POST", "/sim/conversations/"+conv+"/text", `{"text":"Hello"}`, nil)
	eventually(t, "the text goes elsewhere", func() bool {
		for _, one := range g.parley.all() {
			if one.path == "/elsewhere?x=1" && one.header.Get("X-Tenant") == "acme" && strings.Contains(string(one.body), "Hello") {
				return true
			}
		}
		return false
	})
	for _, one := range g.parley.all() {
		require.NotContains(t, string(one.body), "COMPOSING") // not registered any more
	}
	g.must("POST", "/sim/reset", "", nil)
	_, m = a.own()
	require.Len(t, webhooksOf(m), 6)
}

func TestADisabledAppGetsNoWebhooks(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	a := g.admin()
	_, m := a.own()
	m["enabled"] = false
	a.put(m)
	g.consumer("mira").open()
	m["enabled"] = true
	a.put(m)
	g.consumer("later").open()
	eventually(t, "the later one is told of", func() bool { return len(g.parley.notifications(t)) > 0 })
	require.Len(t, g.parley.notifications(t), 1)
}

func TestAChangedManifestTakesEffectAfterItsDelay(t *testing.T) {
	t.Parallel()
	g := newRigOf(t, func(c *Config) { c.Desk.Install = 200 * time.Millisecond })
	a := g.admin()
	_, m := a.own()
	webhooksOf(m)["cqm.ExConversationChangeNotification"] = map[string]any{"endpoint": g.home + "/elsewhere"}
	a.put(m)
	require.Nil(t, g.sim.account("main").sender.config.Load())
	eventually(t, "the change has taken effect", func() bool { return g.sim.account("main").sender.config.Load() != nil })
	g.consumer("mira").open()
	eventually(t, "the endpoint has moved", func() bool {
		for _, one := range g.parley.all() {
			if one.path == "/elsewhere" {
				return true
			}
		}
		return false
	})
}

func TestAManifestWithoutRetentionRetriesByNumbers(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"retryIntervalMs":5}`)
	a := g.admin()
	_, m := a.own()
	hooks := webhooksOf(m)
	delete(hooks, "retry")
	hooks["ms.MessagingEventNotification.ContentEvent"].(map[string]any)["max_retries"] = 2
	a.put(m)
	g.parley.answer(func(int, arrival) int { return 503 })
	conv := g.consumer("mira").open()
	g.must("POST", "/sim/conversations/"+conv+"/text", `{"text":"Hello"}`, nil)
	eventually(t, "everything was given up", func() bool { return g.detail(conv).Counters.Webhooks.Dropped == 3 })
	texts, changes := 0, 0
	for _, n := range g.parley.notifications(t) {
		if n["type"] == "cqm.ExConversationChangeNotification" {
			changes++
		} else {
			texts++
		}
	}
	require.Equal(t, 3, texts)   // 1 and 2 more
	require.Equal(t, 2, changes) // opened, and the agent joined: once each
}
