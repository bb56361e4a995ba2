package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// The tests named TestRow_… prove one row each of the list of what the Connector API
// offers; docs/connector-api.md links to them. They share installations, since they
// have consumers of their own and need nothing else.

// common is an installation that many tests share. It is brought up by the first of
// them and taken down after the last test of all.
type common struct {
	once  sync.Once
	owner *owner
	stack *stack
	turn  sync.Mutex // of who changes what concerns everybody
}

// ordinaryRows is where nothing is changed that other tests would feel. What fails
// there is told by a text of the test's own. In strainedRows one test at a time
// changes faults and settings.
var ordinaryRows, strainedRows common

// owner stands for the test that an installation belongs to, where there is none.
type owner struct {
	testing.TB // the test that came first, while everything is being started

	mu       sync.Mutex
	cleanups []func()
	failed   bool
	dir      string
}

func (o *owner) Helper()                  {}
func (o *owner) Context() context.Context { return context.Background() }
func (o *owner) Name() string             { return "the rows' installation" }

func (o *owner) Cleanup(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cleanups = append(o.cleanups, f)
}

func (o *owner) Logf(format string, args ...any) {
	if testing.Verbose() || o.Failed() {
		fmt.Fprintf(os.Stderr, "    "+o.Name()+": "+format+"\n", args...)
	}
}

func (o *owner) Log(args ...any)                   { o.Logf("%s", fmt.Sprint(args...)) }
func (o *owner) Errorf(format string, args ...any) { o.Fail(); o.Logf(format, args...) }
func (o *owner) Error(args ...any)                 { o.Errorf("%s", fmt.Sprint(args...)) }
func (o *owner) Fatalf(format string, args ...any) { o.Errorf(format, args...); runtime.Goexit() }
func (o *owner) Fatal(args ...any)                 { o.Fatalf("%s", fmt.Sprint(args...)) }
func (o *owner) FailNow()                          { o.Fail(); runtime.Goexit() }

func (o *owner) Fail() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = true
}

func (o *owner) Failed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

func (o *owner) TempDir() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dir == "" {
		dir, err := os.MkdirTemp(here.dir, "rows-")
		if err != nil {
			o.TB.Fatal(err)
		}
		o.dir = dir
	}
	return o.dir
}

// of returns the installation as seen by a test.
func (c *common) of(t *testing.T, o func(testing.TB) options) *stack {
	t.Helper()
	requireMachine(t)
	c.once.Do(func() {
		c.owner = &owner{TB: t}
		c.stack = newStack(c.owner, o(c.owner))
	})
	if c.stack == nil {
		t.Fatal("the installation that the rows share did not come up")
	}
	t.Cleanup(func() {
		if t.Failed() {
			c.owner.Fail()
		}
	})
	return c.stack.as(t)
}

// close takes an installation down and says whether all was well.
func (c *common) close() bool {
	if c.owner == nil {
		return true
	}
	before := c.owner.Failed()
	for _, f := range slices.Backward(c.owner.cleanups) {
		done := make(chan struct{})
		go func() { defer close(done); f() }() // a fatal error ends its goroutine
		<-done
	}
	return before || !c.owner.Failed() // a test that failed has said so itself
}

// row begins a test of one row.
func row(t *testing.T) *stack {
	t.Helper()
	t.Parallel()
	return ordinaryRows.of(t, func(t testing.TB) options {
		gone.start(t)
		o := rowOptions(t)
		o.env["PARLEY_ACCOUNT_GONE_DOMAIN_API"] = gone.url
		return o
	})
}

// strained begins a test of a row that changes what concerns everybody; it has the
// installation for itself.
func strained(t *testing.T) *stack {
	t.Helper()
	t.Parallel()
	s := strainedRows.of(t, rowOptions)
	strainedRows.turn.Lock()
	t.Cleanup(func() {
		defer strainedRows.turn.Unlock()
		s.must(http.MethodPut, "/sim/faults", simulator.Faults{}, nil)
		s.set(rowSettings)
	})
	return s
}

// The accounts of the rows' installation: main asks how it went itself, care leaves
// that to the cloud's survey bot, quiet does not ask; gone is an account whose far
// side can be switched off. Each has channels of its own, main several of a kind.
func rowOptions(t testing.TB) options {
	texts := filepath.Join(t.TempDir(), "texts.json")
	b, err := json.Marshal(map[string]any{"web-told/en": map[string]string{
		"joined": "An agent is with you now.", "transferred": "We pass you on to another department.", "away": "Nobody is here until {until}.",
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(texts, b, 0o600))
	env := map[string]string{
		"PARLEY_ACCOUNTS": "main,care,quiet,gone", "PARLEY_TEXTS": texts,
		"PARLEY_ACCOUNT_CARE_SURVEY": "cloud", "PARLEY_ACCOUNT_QUIET_SURVEY": "off", "PARLEY_ACCOUNT_GONE_SURVEY": "off",
		"PARLEY_CHANNEL_WEB_ROUTED_ROUTES": routes, "PARLEY_CHANNEL_WEB_ROUTED_LANGUAGE": "de-CH",
		"PARLEY_CHANNEL_WEB_CARE_ROUTES": `[{"skill":"2210"}]`, "PARLEY_CHANNEL_SMS_CARE_ROUTES": `[{"skill":"2210"}]`,
		"PARLEY_CHANNEL_SMS_MEDIA": "on", "PARLEY_CHANNEL_WEB_CARDS_RICH": "on",
	}
	for i, name := range []string{"care", "quiet", "gone"} {
		p := "PARLEY_ACCOUNT_" + strings.ToUpper(name) + "_"
		env[p+"SITE_ID"], env[p+"CLIENT_ID"], env[p+"CLIENT_SECRET"] = fmt.Sprint(50112233+i), random(8)+"-app", random(16)
	}
	channels := []string{"sms", "web"}
	channel := func(name, kind, account string, more ...string) {
		channels = append(channels, name)
		p := "PARLEY_CHANNEL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_"
		env[p+"KIND"], env[p+"ACCOUNT"] = kind, account
		if kind == "http" {
			env[p+"SECRET"] = "whsec_" + base64.StdEncoding.EncodeToString([]byte(random(16)))
			return
		}
		env[p+"ACCOUNT_SID"], env[p+"AUTH_TOKEN"], env[p+"FROM"] = "AC"+random(16), random(16), fmt.Sprintf("+155501009%02d", len(channels))
		env[p+"CLOSE_KEYWORDS"] = "goodbye"
	}
	channel("sms-two", "twilio", "main")
	channel("web-routed", "http", "main")
	channel("web-told", "http", "main")
	channel("web-cards", "http", "main")
	channel("sms-care", "twilio", "care")
	channel("web-care", "http", "care")
	channel("web-quiet", "http", "quiet")
	channel("web-gone", "http", "gone")
	env["PARLEY_CHANNELS"] = strings.Join(channels, ",")
	return options{env: env, settings: rowSettings}
}

// routes send the words of a first message to a skill, or set how urgent it is; all
// others are asked about at the Monitoring API.
const routes = `[{"words":["invoice"],"skill":"2211"},{"words":["burning"],"urgency":"URGENT"},{"engagement":true,"entry":["sec://orders"]}]`

const rowSettings = `{"wireEntries":60000,"signature":"sha1-base64","appJwtLifetimeSec":3600,"alreadyOpen":"reject",
	"autoMessages":{"on":true,"accounts":["quiet"],"welcome":"Welcome, somebody is coming","withinMs":10000},
	"survey":{"on":true,"accounts":["care"],"greeting":"Before you go","thanks":"Thank you for the answers","timeoutMs":3600000,"questions":[
		{"kind":"csat","text":"How was it?"},{"kind":"fcr","text":"Was it solved?"},{"kind":"text","text":"Anything else?"}]}}`

// set changes settings of the simulator.
func (s *stack) set(settings string) {
	s.t.Helper()
	s.must(http.MethodPut, "/sim/settings", json.RawMessage(settings), nil)
}

// breaks adds a rule by which the far sides fail. In the installation of all rows it
// must match a text of the test's own.
func (s *stack) breaks(r simulator.Rule) {
	s.t.Helper()
	s.must(http.MethodPost, "/sim/faults/rules", r, nil)
}

// broke is how often the rule with this text was applied.
func (s *stack) broke(match string) (n int) {
	s.t.Helper()
	var f simulator.Faults
	s.must(http.MethodGet, "/sim/faults", nil, &f)
	for _, r := range f.Rules {
		if r.Match == match {
			n += r.Hits
		}
	}
	return n
}

// calls are Parley's requests of a class, oldest first, that pick is true of.
func (s *stack) calls(class string, pick func(simulator.Wire) bool) (found []simulator.Wire) {
	s.t.Helper()
	var list struct {
		Entries []simulator.Wire `json:"entries"`
	}
	s.must(http.MethodGet, "/sim/wire?direction=in&bodies=1&limit=60000&class="+url.QueryEscape(class), nil, &list)
	for _, e := range slices.Backward(list.Entries) {
		if pick(e) {
			found = append(found, e)
		}
	}
	return found
}

// about picks the requests whose body has a text in it.
func about(text string) func(simulator.Wire) bool {
	return func(w simulator.Wire) bool { return strings.Contains(w.Request.Body, text) }
}

// in picks the requests about a conversation.
func in(conversation string) func(simulator.Wire) bool {
	return func(w simulator.Wire) bool { return w.Conversation == conversation }
}

// tree is JSON that is looked at by path.
type tree map[string]any

func parsed(t testing.TB, raw string) tree {
	t.Helper()
	var m tree
	require.NoError(t, json.Unmarshal([]byte(raw), &m))
	return m
}

// at returns what is at a path such as "body.event.type"; nil if there is nothing.
func (m tree) at(path string) any {
	var v any = map[string]any(m)
	for name := range strings.SplitSeq(path, ".") {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = inner[name]
	}
	return v
}

// sent are the requests of a conversation as Parley wrote them, without presence,
// each checked for what all of them need.
func (s *stack) sent(conversation string) (all []tree) {
	s.t.Helper()
	for _, w := range s.sends(conversation) {
		s.announces(w)
		m := parsed(s.t, w.Request.Body)
		if m.at("body.event.type") == "ChatStateEvent" {
			continue
		}
		all = append(all, m)
	}
	return all
}

// sends are all requests of a conversation. What a request did can be seen a moment
// before it is written down that there was one.
func (s *stack) sends(conversation string) (all []simulator.Wire) {
	s.t.Helper()
	d, err := s.detail(conversation)
	require.NoError(s.t, err)
	eventually(s.t, "the requests are written down", func() error {
		if all = s.calls("send", in(conversation)); len(all) < d.Counters.Requests {
			return errNotYet
		}
		return nil
	})
	return all
}

// announces checks that a request says what the connector can carry: the cloud
// judges by each of them.
func (s *stack) announces(w simulator.Wire) {
	s.t.Helper()
	p := parsed(s.t, w.Request.Headers["Client-Properties"])
	assert.Equal(s.t, ".ClientProperties", p.at("type"))
	for _, feature := range []string{"AUTO_MESSAGES", "RICH_CONTENT", "QUICK_REPLIES", "PHOTO_SHARING", "FILE_SHARING"} {
		assert.Contains(s.t, p.at("features"), feature, "%s %s", w.Method, w.Path)
	}
	assert.NotEmpty(s.t, w.Request.Headers["X-Lp-On-Behalf"])
	assert.NotEmpty(s.t, w.Request.Headers["Authorization"])
}

// opened brings a consumer of a channel to an open conversation.
func (s *stack) opened(channel string) (*phone, string) {
	s.t.Helper()
	p := s.newPhone(channel)
	text := "A question of " + p.name
	p.says(text)
	id := p.conversation(1)
	s.onDesk(id, text)
	return p, id
}

// until waits for a conversation to be as it should.
func (s *stack) until(conversation, what string, is func(simulator.DetailView) bool) (d simulator.DetailView) {
	s.t.Helper()
	eventually(s.t, what, func() (err error) {
		d, err = s.detail(conversation)
		if err == nil && !is(d) {
			err = errNotYet
		}
		return err
	})
	return d
}

// gets waits for something on the phone and returns it.
func (p *phone) gets(what string, is func(simulator.PhoneMessage) bool) (got simulator.PhoneMessage) {
	p.s.t.Helper()
	eventually(p.s.t, what, func() error {
		v, err := p.look()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(v.Thread, func(m simulator.PhoneMessage) bool { return m.Direction == "out" && is(m) })
		if i < 0 {
			return errNotYet
		}
		got = v.Thread[i]
		return nil
	})
	return got
}

func saying(text string) func(simulator.PhoneMessage) bool {
	return func(m simulator.PhoneMessage) bool { return strings.Contains(m.Text, text) }
}

// transcript are the texts of one role in one dialog, in order.
func transcript(d simulator.DetailView, dialog, role string) (texts []string) {
	for _, e := range d.Transcript {
		if e.Dialog == dialog && e.Role == role && (e.Type == "ContentEvent" || e.Type == "RichContentEvent") {
			texts = append(texts, e.Text)
		}
	}
	return texts
}
