package vendorcheck

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fromReadme are the variables that the README's chapter "The simulator alone" exports.
func fromReadme(t *testing.T) (env []string, chapter string) {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(b), "## The simulator alone")
	require.True(t, found, "the chapter has another name")
	chapter, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(chapter) {
		if assignments, is := strings.CutPrefix(line, "export "); is {
			env = append(env, strings.Fields(assignments)...)
		}
	}
	require.NotEmpty(t, env)
	return env, chapter
}

// TestTheSimulatorRunsAloneAsTheReadmeSays starts the real binary with what the README
// exports, and does what its table promises.
func TestTheSimulatorRunsAloneAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	env, chapter := fromReadme(t)
	c := startWith(t, env)

	var domains struct{ BaseURIs []map[string]string }
	c.do("GET", "/api/account/40112233/service/baseURI.json?version=1.0", nil, "", http.StatusOK, &domains)
	require.NotEmpty(t, domains.BaseURIs)
	for _, u := range domains.BaseURIs {
		require.Equal(t, c.host, u["baseURI"], u["service"])
	}

	var login map[string]any
	require.Contains(t, chapter, "`Dana`, `Robin` or `bot` with password `desk`")
	for _, name := range []string{"Dana", "Robin", "bot"} {
		c.call("/api/account/40112233/login?v=1.3", nil, `{"username":"`+name+`","password":"desk"}`, http.StatusOK, &login)
	}

	// The endpoint moves through the app-install API.
	const app = "/api/account/40112233/configuration/app-install/installations/my-app?v=1.0"
	auth := map[string]string{"Authorization": "Bearer " + login["bearer"].(string)}
	var manifest map[string]any
	auth["If-Match"] = c.do("GET", app, auth, "", http.StatusOK, &manifest).Get("ac-revision")
	webhooks := manifest["capabilities"].(map[string]any)["webhooks"].(map[string]any)
	webhooks["ms.MessagingEventNotification.ContentEvent"] = map[string]any{
		"endpoint": c.hooks + "/mine?of=me", "headers": []map[string]string{{"header_name": "X-Mine", "header_value": "yes"}},
	}
	b, err := json.Marshal(manifest)
	require.NoError(t, err)
	c.do("PUT", app, auth, string(b), http.StatusOK, &manifest)

	mira := c.consumerOf("mira", "my-app", "my-secret")
	mira.open()
	mira.says("Hello")
	c.told("the echo", holding(`"message":"Hello"`, `"convId":"`+mira.dialog+`"`))
	c.mu.Lock()
	for i, body := range c.webhooks {
		r := c.requests[i]
		mac := hmac.New(sha1.New, []byte("my-secret"))
		mac.Write(body)
		require.Equal(t, "sha1="+base64.StdEncoding.EncodeToString(mac.Sum(nil)), r.Header.Get("x-liveperson-signature"))
		want, mine := "/webhooks/liveperson/main", ""
		if bytes.Contains(body, []byte(`"ContentEvent"`)) {
			want, mine = "/mine?of=me", "yes"
		}
		require.Equal(t, want, r.URL.RequestURI())
		require.Equal(t, mine, r.Header.Get("X-Mine"))
	}
	c.mu.Unlock()

	_, fault, found := strings.Cut(chapter, "…/sim/faults -d '")
	require.True(t, found)
	fault, _, _ = strings.Cut(fault, "'")
	var out map[string]any
	c.do("PUT", "/sim/faults", nil, fault, http.StatusOK, &out)
	c.call("/api/account/40112233/messaging/consumer/conversation/send?v=3", mira.header,
		`{"kind":"req","id":"1","type":"ms.PublishEvent","body":{"dialogId":"`+mira.dialog+`","event":{"type":"ContentEvent","contentType":"text/plain","message":"Again"}}}`,
		http.StatusServiceUnavailable, &out)
	c.do("GET", "/sim/state", nil, "", http.StatusOK, &out)
}
