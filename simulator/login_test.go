package simulator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAgentsLogInInThreeWays(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	for name, one := range map[string]struct {
		body   string
		status int
		who    string
	}{
		"password":            {`{"username":"Robin","password":"desk"}`, 200, "Robin"},
		"keys of OAuth 1":     {`{"username":"bot","appKey":"k","secret":"s","accessToken":"t","accessTokenSecret":"u"}`, 200, "bot"},
		"assertion":           {`{"jwt":"dummy","assertion":"PHNhbWw+"}`, 200, "Dana"},
		"wrong password":      {`{"username":"Robin","password":"no"}`, 401, ""},
		"unknown agent":       {`{"username":"Nobody","password":"desk"}`, 401, ""},
		"unknown, with keys":  {`{"username":"Nobody","appKey":"k","secret":"s","accessToken":"t","accessTokenSecret":"u"}`, 401, ""},
		"one key is missing":  {`{"username":"bot","appKey":"k","secret":"s","accessToken":"t"}`, 400, ""},
		"nothing":             {`{}`, 400, ""},
		"not JSON":            {`username=Robin`, 400, ""},
		"jwt, no assertion":   {`{"jwt":"dummy"}`, 400, ""},
		"password of another": {`{"username":"Robin","password":""}`, 400, ""},
	} {
		status, in, cookie := g.signIn(one.body)
		require.Equal(t, one.status, status, name)
		if one.status != 200 {
			require.Equal(t, []string{"error", "internalCode"}, names(in), name)
			continue
		}
		require.Equal(t, []string{"bearer", "config", "csdsCollectionResponse", "csrf", "sessionTTl"}, names(in), name)
		config := in["config"].(map[string]any)
		require.Equal(t, []string{"isAdmin", "isLPA", "loginName", "userId", "userPid"}, names(config), name)
		require.Equal(t, one.who, config["loginName"], name)
		require.Equal(t, identity(one.who), config["userPid"], name)
		require.NotEmpty(t, cookie, name)
	}
}

func TestLoginNamesTheServicesOnTheCallersHost(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	_, in, _ := g.signIn(`{"username":"bot","password":"desk"}`)
	host := g.url[len("http://"):]
	found := map[string]any{}
	for _, u := range in["csdsCollectionResponse"].(map[string]any)["baseURIs"].([]any) {
		m := u.(map[string]any)
		require.Equal(t, []string{"account", "baseURI", "service"}, names(m))
		found[m["service"].(string)] = m["baseURI"]
	}
	require.Equal(t, host, found["asyncMessagingEnt"])
	require.Equal(t, host, found["agentVep"])
	var all struct{ BaseURIs []map[string]string }
	g.must("GET", "/api/account/"+site+"/service/baseURI.json?version=1.0", "", &all)
	require.Len(t, all.BaseURIs, len(found))
}

func TestLoginWantsItsVersionAndAKnownAccount(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	status, _ := g.do("POST", "/api/account/"+site+"/login", nil, `{"username":"bot","password":"desk"}`)
	require.Equal(t, 400, status)
	status, _ = g.do("POST", "/api/account/nobody/login?v=1.3", nil, `{"username":"bot","password":"desk"}`)
	require.Equal(t, 400, status)
}

func TestRefreshProlongsASession(t *testing.T) {
	t.Parallel()
	at := newClock(time.Now())
	g := newRig(t, "", WithClock(at.now))
	_, in, cookie := g.signIn(`{"username":"bot","password":"desk"}`)
	refresh := func(cookie, csrf string) int {
		status, _ := g.do("POST", "/api/account/"+site+"/refresh?v=1.3", map[string]string{"Cookie": sessionCookie + "=" + cookie}, `{"csrf":"`+csrf+`"}`)
		return status
	}
	csrf := in["csrf"].(string)
	require.Equal(t, 401, refresh("other", csrf))
	require.Equal(t, 401, refresh(cookie, "other"))
	require.Equal(t, 400, refresh(cookie, ""))
	status, _ := g.do("POST", "/api/account/"+site+"/refresh?v=1.3", nil, `{"csrf":"`+csrf+`"}`)
	require.Equal(t, 401, status)
	at.move(50 * time.Minute)
	require.Equal(t, 200, refresh(cookie, csrf))
	at.move(50 * time.Minute) // beyond the first hour
	require.Equal(t, 200, refresh(cookie, csrf))
	at.move(61 * time.Minute)
	require.Equal(t, 401, refresh(cookie, csrf))
}

func TestSecretsOfALoginStayOffTheWire(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	p := g.agent("bot")
	p.must(".GetClock", "{}", ".GetClock$Response")
	_, seen := g.do("GET", "/sim/wire?bodies=1", nil, "")
	require.Contains(t, seen, "agent login")
	require.NotContains(t, seen, `\"desk\"`)
	require.NotContains(t, seen, p.bearer)
}

func TestConfiguredAgentsAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]string{{"bot"}, {"bot:"}, {":x"}, {"bot:a", "bot:b"}} {
		cfg := testConfig()
		cfg.Desk.Agents = bad
		_, err := New(cfg)
		require.ErrorContains(t, err, "PARLEY_SIMULATOR_AGENTS", bad)
	}
	cfg := testConfig()
	cfg.Desk.Install = 3 * time.Minute
	_, err := New(cfg)
	require.ErrorContains(t, err, "PARLEY_SIMULATOR_INSTALL_DELAY")
}
