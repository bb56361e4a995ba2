package vendorcheck

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// long is how long anything here may take on a loaded machine.
const long = 90 * time.Second

const (
	site    = "40112233"
	appID   = "5b0f6c1e-9a57-4a8e-b2d1-6c7f1e2d3a44"
	secret  = "vendorcheck-client-secret"
	pause   = 20 * time.Millisecond
	jsonUTF = "application/json"
)

// here is the folder of what the tests make, removed at the end.
var here string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vendorcheck-")
	if err != nil {
		panic(err)
	}
	here = dir
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// build makes the parley binary, once for all tests.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(here, "parley")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/parley")
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
})

// cloud is `parley simulator` running alone, over TLS, with a listener for the
// webhooks it sends.
type cloud struct {
	t      *testing.T
	host   string
	caFile string
	client *http.Client
	hooks  string // where webhooks go

	mu       sync.Mutex
	webhooks [][]byte
	requests []*http.Request // those that brought them
}

func startCloud(t *testing.T, env ...string) *cloud {
	t.Helper()
	return startWith(t, append([]string{
		"PARLEY_SIMULATOR_TLS=self-signed", "PARLEY_SIMULATOR_AGENTS=bot:vendor-check",
		"PARLEY_ACCOUNTS=main", "PARLEY_ACCOUNT_MAIN_SITE_ID=" + site, "PARLEY_ACCOUNT_MAIN_CLIENT_ID=" + appID, "PARLEY_ACCOUNT_MAIN_CLIENT_SECRET=" + secret,
	}, env...))
}

// startWith starts the simulator with nothing but the given environment, on a free
// port and in a folder of its own.
func startWith(t *testing.T, env []string) *cloud {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	path, err := build()
	require.NoError(t, err)
	c := &cloud{t: t}
	hooks := httptest.NewServer(c)
	t.Cleanup(hooks.Close)
	c.hooks = hooks.URL
	cmd := exec.Command(path, "simulator")
	cmd.Dir = t.TempDir()
	cmd.Env = append(env, "PARLEY_SIMULATOR_ADDR=127.0.0.1:0", "PARLEY_SIMULATOR_PARLEY_URL="+hooks.URL)
	said, err := cmd.StderrPipe()
	require.NoError(t, err)
	cmd.Stdout = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	c.readLog(said)
	c.trust()
	return c
}

// readLog takes the address and the CA's file from what the simulator logs.
func (c *cloud) readLog(said io.Reader) {
	c.t.Helper()
	lines := bufio.NewScanner(said)
	for c.host == "" && lines.Scan() {
		var line struct{ Addr, File string }
		_ = json.Unmarshal(lines.Bytes(), &line)
		if line.File != "" {
			c.caFile = line.File
		}
		c.host = line.Addr
	}
	require.NotEmpty(c.t, c.host, "the simulator did not say where it listens")
	require.NotEmpty(c.t, c.caFile, "the simulator did not name its CA")
	go func() { _, _ = io.Copy(io.Discard, said) }()
}

func (c *cloud) trust() {
	c.t.Helper()
	pem, err := os.ReadFile(c.caFile)
	require.NoError(c.t, err)
	pool := x509.NewCertPool()
	require.True(c.t, pool.AppendCertsFromPEM(pem))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	c.t.Cleanup(transport.CloseIdleConnections)
	c.client = &http.Client{Transport: transport, Timeout: long}
}

// ServeHTTP is where webhooks go.
func (c *cloud) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.webhooks, c.requests = append(c.webhooks, b), append(c.requests, r)
}

// told waits for webhooks that fit, and returns all there are then.
func (c *cloud) told(what string, enough func([][]byte) bool) [][]byte {
	c.t.Helper()
	var all [][]byte
	require.Eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		all = append([][]byte(nil), c.webhooks...)
		return enough(all)
	}, long, pause, what)
	return all
}

func holding(parts ...string) func([][]byte) bool {
	return func(all [][]byte) bool {
		for _, part := range parts {
			found := false
			for _, b := range all {
				found = found || bytes.Contains(b, []byte(part))
			}
			if !found {
				return false
			}
		}
		return true
	}
}

// call posts and decodes the answer.
func (c *cloud) call(path string, header map[string]string, body string, want int, out any) {
	c.t.Helper()
	c.do(http.MethodPost, path, header, body, want, out)
}

// do sends a request, wants a status, decodes the answer and returns its headers.
func (c *cloud) do(method, path string, header map[string]string, body string, want int, out any) http.Header {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), long)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "https://"+c.host+path, strings.NewReader(body))
	require.NoError(c.t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := c.client.Do(r)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, want, res.StatusCode, string(b))
	require.NoError(c.t, json.Unmarshal(b, out), string(b))
	return res.Header
}

// consumer speaks the Connector API as a connector would.
type consumer struct {
	*cloud
	header map[string]string
	dialog string
}

func (c *cloud) consumer(name string) *consumer { return c.consumerOf(name, appID, secret) }

func (c *cloud) consumerOf(name, appID, secret string) *consumer {
	c.t.Helper()
	var app, jws map[string]string
	c.call("/sentinel/api/account/"+site+"/app/token?v=1.0&grant_type=client_credentials", map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		url.Values{"client_id": {appID}, "client_secret": {secret}}.Encode(), http.StatusOK, &app)
	c.call("/api/account/"+site+"/consumer?v=1.0", map[string]string{"Content-Type": jsonUTF, "Authorization": app["access_token"]},
		`{"ext_consumer_id":"`+name+`"}`, http.StatusCreated, &jws)
	return &consumer{cloud: c, header: map[string]string{
		"Content-Type": jsonUTF, "Authorization": app["access_token"], "X-LP-ON-BEHALF": jws["token"],
		"Client-Properties": `{"type":".ClientProperties","features":["AUTO_MESSAGES","RICH_CONTENT","CO_BROWSE","PHOTO_SHARING","QUICK_REPLIES","MULTI_DIALOG"]}`,
	}}
}

func (c *consumer) open() {
	c.t.Helper()
	var out []struct {
		Body struct {
			ConversationID string `json:"conversationId"`
		} `json:"body"`
	}
	c.call("/api/account/"+site+"/messaging/consumer/conversation?v=3", c.header, `[
		{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"firstname":"Mira"}}]}}},
		{"kind":"req","id":"2","type":"cm.ConsumerRequestConversation","body":{"brandId":"`+site+`","skillId":"2210"}}]`, http.StatusOK, &out)
	require.Len(c.t, out, 2)
	c.dialog = out[1].Body.ConversationID
}

func (c *consumer) send(kind string, body any) {
	c.t.Helper()
	b, err := json.Marshal(map[string]any{"kind": "req", "id": "1", "type": kind, "body": body})
	require.NoError(c.t, err)
	var out map[string]any
	c.call("/api/account/"+site+"/messaging/consumer/conversation/send?v=3", c.header, string(b), http.StatusOK, &out)
}

func (c *consumer) says(text string) {
	c.t.Helper()
	c.send("ms.PublishEvent", map[string]any{"dialogId": c.dialog, "event": map[string]string{"type": "ContentEvent", "contentType": "text/plain", "message": text}})
}
