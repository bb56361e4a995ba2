package liveperson_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/liveperson"
)

// cloud is a strict stand-in for the services we call. It answers as the
// documentation says, and each request that the documentation does not allow is
// the test's failure. All its paths are below a base path, and each service has
// its own, so that a forgotten one shows.
type cloud struct {
	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	now      time.Time
	life     time.Duration // of an AppJWT
	issued   int           // number of the only AppJWT that is valid
	jws      map[string]int
	calls    map[string]int
	last     map[string]string // the last body
	headers  map[string]http.Header
	scripts  map[string][]http.HandlerFunc
	sequence int
	signed   int               // number of the only address of the store that is valid
	stored   map[string]string // the store's files, by their relative path
}

// The services, by the part of the path that is their own.
const (
	domainAPI = "domain"
	sentinel  = "sentinel"
	idp       = "idp"
	messaging = "msg"
	send      = "send"         // of messaging
	open      = "conversation" // of messaging
	swift     = "swift"
	smt       = "smt"
)

func newCloud(t testing.TB) *cloud {
	c := &cloud{
		t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), life: time.Hour,
		jws: map[string]int{}, calls: map[string]int{}, last: map[string]string{}, headers: map[string]http.Header{},
		scripts: map[string][]http.HandlerFunc{}, stored: map[string]string{},
	}
	c.server = httptest.NewServer(c)
	t.Cleanup(c.server.Close)
	return c
}

func (c *cloud) client(change ...func(*liveperson.Config, *liveperson.Options)) *liveperson.Client {
	config := liveperson.Config{
		Name: "main", SiteID: "40112233", ClientID: "app-1", ClientSecrets: []string{secret, "an older secret"},
		DomainAPI: c.server.URL + "/base/domain/",
	}
	opts := liveperson.Options{Clock: c.clock, Timeout: 30 * time.Second}
	for _, f := range change {
		f(&config, &opts)
	}
	client, err := liveperson.New(config, opts)
	require.NoError(c.t, err)
	return client
}

func (c *cloud) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *cloud) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// next lets the given handlers answer the next requests of a service.
func (c *cloud) next(service string, handlers ...http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scripts[service] = append(c.scripts[service], handlers...)
}

func (c *cloud) count(service string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[service]
}

func (c *cloud) body(service string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[service]
}

func (c *cloud) header(service string) http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers[service]
}

// expire makes the AppJWT that is in use invalid.
func (c *cloud) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issued += 100
}

// reissue makes the ConsumerJWS that is in use invalid.
func (c *cloud) reissue(external string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jws[external] += 100
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangUp reads the request and breaks the connection.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service, path, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/base/"), "/")
	if !ok || !strings.HasPrefix(r.URL.Path, "/base/") {
		assert.Fail(c.t, "not below the base path", r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if service == messaging {
		service = open
		if strings.HasSuffix(path, "/send") {
			service = send
		}
	}
	var body []byte
	if service != swift { // files are streams
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			panic(http.ErrAbortHandler) // half a request is none
		}
	}
	c.mu.Lock()
	c.calls[service]++
	c.last[service], c.headers[service] = string(body), r.Header
	var scripted http.HandlerFunc
	if s := c.scripts[service]; len(s) > 0 {
		scripted, c.scripts[service] = s[0], s[1:]
	}
	c.mu.Unlock()
	assert.True(c.t, strings.HasPrefix(r.UserAgent(), "parley/"), r.UserAgent())
	if scripted != nil {
		scripted(w, r)
		return
	}
	if service == swift {
		c.file(w, r, "/"+path)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	const site = "api/account/40112233/"
	switch target := r.Method + " " + path + "?" + r.URL.RawQuery; {
	case service == domainAPI && strings.HasPrefix(target, "GET "+site+"service/"):
		c.domain(w, target)
	case service == sentinel && target == "POST sentinel/"+site+"app/token?v=1.0&grant_type=client_credentials":
		c.token(w, r, string(body))
	case service == idp && target == "POST "+site+"consumer?v=1.0":
		c.consumer(w, r, body)
	case service == open && target == "POST "+site+"messaging/consumer/conversation?v=3":
		c.conversation(w, r, body)
	case service == send && target == "POST "+site+"messaging/consumer/conversation/send?v=3":
		c.publish(w, r, body)
	case service == smt && target == "POST "+site+"app/app-1/engagement?v=1.0":
		c.engagement(w, r, body)
	default:
		assert.Fail(c.t, "no such endpoint", service+": "+target)
		w.WriteHeader(http.StatusNotFound)
	}
}

func (c *cloud) domain(w http.ResponseWriter, target string) {
	_, rest, _ := strings.Cut(target, "/service/")
	name := strings.TrimSuffix(rest, "/baseURI.json?version=1.0")
	paths := map[string]string{"sentinel": sentinel, "idp": idp, "asyncMessagingEnt": messaging, "swift": swift, "smt": smt}
	if !assert.Contains(c.t, paths, name) {
		return
	}
	fmt.Fprintf(w, `{"service":%q,"account":"40112233","baseURI":%q}`, name, strings.TrimPrefix(c.server.URL, "http://")+"/base/"+paths[name])
}

func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc([]byte(claims)) + ".c2lnbmF0dXJl"
}

func (c *cloud) appJWT() string {
	return jwt(fmt.Sprintf(`{"iss":"Sentinel","n":%d,"iat":%d,"exp":%d}`, c.issued, 1700000000, 1700000000+int64(c.life.Seconds())))
}

func (c *cloud) token(w http.ResponseWriter, r *http.Request, body string) {
	assert.Equal(c.t, "application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
	assert.Equal(c.t, "client_id=app-1&client_secret="+secret, body)
	c.issued++
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer"}`, c.appJWT())
}

func lpID(external string) string { return "lp-of-" + external }

func (c *cloud) consumerJWS(external string) string {
	return jwt(fmt.Sprintf(`{"n":%d,"ext_consumer_id":%q,"lp_consumer_id":%q}`, c.jws[external], external, lpID(external)))
}

func (c *cloud) consumer(w http.ResponseWriter, r *http.Request, body []byte) {
	var in map[string]string
	assert.NoError(c.t, json.Unmarshal(body, &in))
	assert.Equal(c.t, "application/json", r.Header.Get("Content-Type"))
	assert.Len(c.t, in, 1)
	if !c.authorized(w, r) {
		return
	}
	external := in["ext_consumer_id"]
	c.jws[external]++
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"token":%q}`, c.consumerJWS(external))
}

func refusal(w http.ResponseWriter, code int, title string) {
	w.WriteHeader(code / 100)
	fmt.Fprintf(w, `{"kind":"resp","code":%d,"body":{"title":%q,"details":%q,"errorCode":%d},"type":".ReqBody$ErrorResp"}`, code/100, title, title, code)
}

func (c *cloud) authorized(w http.ResponseWriter, r *http.Request) bool {
	ok := r.Header.Get("Authorization") == c.appJWT()
	if !ok {
		refusal(w, 40102, "Invalid AppJWT")
	}
	return ok
}

// onBehalf checks both tokens and the headers that every Send API call carries.
func (c *cloud) onBehalf(w http.ResponseWriter, r *http.Request) (ok bool) {
	assert.Equal(c.t, "application/json", r.Header.Get("Content-Type"))
	assert.JSONEq(c.t, `{"type":".ClientProperties","appId":"main","deviceFamily":"OTHER","os":"OTHER",
		"features":["AUTO_MESSAGES","RICH_CONTENT","QUICK_REPLIES","PHOTO_SHARING","FILE_SHARING"]}`, r.Header.Get("Client-Properties"))
	if !c.authorized(w, r) {
		return false
	}
	for external := range c.jws {
		ok = ok || r.Header.Get("X-LP-ON-BEHALF") == c.consumerJWS(external)
	}
	if !ok {
		refusal(w, 40103, "Invalid ConsumerJWS")
	}
	return ok
}

type wire struct {
	Kind, ID, Type string
	Body           map[string]any
	Metadata       []map[string]any
}

func (c *cloud) conversation(w http.ResponseWriter, r *http.Request, body []byte) {
	var batch []wire
	assert.NoError(c.t, json.Unmarshal(body, &batch))
	if !assert.Len(c.t, batch, 2) || !c.onBehalf(w, r) {
		return
	}
	assert.Equal(c.t, "userprofile.SetUserProfile", batch[0].Type)
	assert.Equal(c.t, "cm.ConsumerRequestConversation", batch[1].Type)
	assert.Equal(c.t, "40112233", batch[1].Body["brandId"])
	assert.NotEqual(c.t, batch[0].ID, batch[1].ID)
	for _, q := range batch {
		assert.Equal(c.t, "req", q.Kind)
		assert.True(c.t, len(q.ID) >= 1 && len(q.ID) <= 64)
	}
	fmt.Fprintf(w, `[{"code":"OK","body":{"msg":"OK User Profile set successfully"},"reqId":%q},
		{"code":"OK","body":{"conversationId":"conv-1"},"reqId":%q}]`, batch[0].ID, batch[1].ID)
}

func (c *cloud) publish(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire
	assert.NoError(c.t, json.Unmarshal(body, &q))
	if !c.onBehalf(w, r) {
		return
	}
	assert.Equal(c.t, "req", q.Kind)
	assert.True(c.t, len(q.ID) >= 1 && len(q.ID) <= 64)
	switch q.Type {
	case "ms.GenerateURLForUploadFile":
		c.uploadURL(w, q)
		return
	case "ms.GenerateURLForDownloadFile":
		c.downloadURL(w, q)
		return
	case "userprofile.SetUserProfile":
		fmt.Fprintf(w, `{"reqId":%q,"code":"OK","body":{"msg":"OK User Profile set successfully"}}`, q.ID)
		return
	}
	assert.Equal(c.t, "conv-1", q.Body["conversationId"])
	if q.Type == "cm.UpdateConversationField" {
		fmt.Fprintf(w, `{"reqId":%q,"code":"OK","body":{"msg":"OK Conversation resolved successfully"}}`, q.ID)
		return
	}
	assert.Equal(c.t, "ms.PublishEvent", q.Type)
	assert.NotEmpty(c.t, q.Body["dialogId"])
	c.sequence++
	fmt.Fprintf(w, `{"reqId":%q,"code":"OK","body":{"sequence":%d}}`, q.ID, c.sequence-1)
}
