package simulator

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (g *rig) rule(r string) { g.t.Helper(); g.must("POST", "/sim/faults/rules", r, nil) }

func (g *rig) counted(conv string) ConversationCounters {
	g.t.Helper()
	var d DetailView
	g.must("GET", "/sim/conversations/"+conv, "", &d)
	return d.Counters
}

func TestFaultsOfRequests(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule      string
		status    int // 0: no answer
		says      string
		published int
	}{
		"429":                    {`{"class":"send","do":"throttle","count":1}`, 429, "42900", 0},
		"5xx before":             {`{"class":"send","do":"fail-before","count":1,"status":500}`, 500, "", 0},
		"5xx after":              {`{"class":"send","do":"fail-after","count":1}`, 503, "", 1},
		"cut before":             {`{"class":"send","do":"drop-before","count":1}`, 0, "", 0},
		"cut after":              {`{"class":"send","do":"drop-after","count":1}`, 0, "", 1},
		"no answer, before":      {`{"class":"send","do":"hang-before","count":1,"delayMs":20}`, 0, "", 0},
		"no answer, after":       {`{"class":"send","do":"hang-after","count":1,"delayMs":20}`, 0, "", 1},
		"late":                   {`{"class":"send","do":"delay","delayMs":5,"delayMaxMs":10}`, 200, "OK", 1},
		"AppJWT refused":         {`{"class":"send","do":"expire","count":1}`, 401, "40102", 0},
		"ConsumerJWS refused":    {`{"class":"send","do":"reject-jws","count":1}`, 401, "40103", 0},
		"what does not match":    {`{"class":"send","do":"fail-before","match":"something else"}`, 200, "OK", 1},
		"what is skipped":        {`{"class":"send","do":"fail-before","skip":1}`, 200, "OK", 1},
		"another class":          {`{"class":"token","do":"fail-before"}`, 200, "OK", 1},
		"delay, then a throttle": {`{"class":"send","do":"throttle","count":1}`, 429, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newRig(t, "")
			c := g.consumer("ada")
			c.open()
			if name == "delay, then a throttle" {
				g.rule(`{"class":"send","do":"delay","delayMs":1}`)
			}
			g.rule(tc.rule)
			status, b, err := g.try("POST", sendPath, c.header(), textOf(c.conv, "hello", ""))
			require.Equal(t, tc.status == 0, err != nil, b)
			require.Equal(t, tc.status, status)
			require.Contains(t, b, tc.says)
			require.Equal(t, tc.published, g.counted(c.conv).Published)
			status, b = c.send(textOf(c.conv, "again", ""))
			want := 200
			if name == "what is skipped" {
				want = 503
			}
			require.Equal(t, want, status, b)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	g.rule(`{"class":"domain","do":"throttle","retryAfter":7,"count":1}`)
	r, err := http.Get(g.url + "/api/account/" + site + "/service/idp/baseURI.json?version=1.0")
	require.NoError(t, err)
	defer func() { _ = r.Body.Close() }()
	require.Equal(t, "7", r.Header.Get("Retry-After"))
}

func TestSameSeedSameFaults(t *testing.T) {
	t.Parallel()
	run := func() (fired []bool) {
		f := newFaults()
		next, err := f.parse(Faults{}, []byte(`{"seed":42,"rules":[{"class":"send","do":"throttle","probability":0.3}]}`))
		require.NoError(t, err)
		f.replace(next)
		for range 200 {
			fired = append(fired, f.decide(classSend, nil).rule != nil)
		}
		return fired
	}
	a, b := run(), run()
	require.Equal(t, a, b)
	require.Contains(t, a, true)
	require.Contains(t, a, false)
}

func TestBadFaultsAreRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	for _, body := range []string{`{"rules":[{"do":"explode"}]}`, `{"rules":[{"class":"x","do":"delay"}]}`, `{"rulez":[]}`, `{"rules":[{"do":"delay","probability":2}]}`} {
		require.Equal(t, 400, g.control("PUT", "/sim/faults", body, nil), body)
	}
	require.Equal(t, 400, g.control("PUT", "/sim/settings", `{"retry":"sometimes"}`, nil))
}

func TestWebhookFaults(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, faults string) (*rig, *consumerSide) {
		g := newRig(t, "")
		c := g.consumer("ada")
		c.open()
		eventually(t, "opened", func() bool { return len(g.parley.all()) == 1 })
		g.must("PUT", "/sim/faults", `{"webhooks":`+faults+`}`, nil)
		return g, c
	}
	t.Run("duplicated", func(t *testing.T) {
		t.Parallel()
		g, c := start(t, `{"duplicate":2}`)
		c.send(textOf(c.conv, "x", ""))
		eventually(t, "three copies", func() bool { return len(g.parley.all()) == 4 })
		require.Equal(t, []string{"x", "x", "x"}, g.parley.received(t)[c.conv])
		require.EqualValues(t, 2, g.counted(c.conv).Webhooks.Duplicated)
	})
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		g, c := start(t, `{"loseCount":2}`)
		for _, text := range numbers(4) {
			c.send(textOf(c.conv, text, ""))
		}
		eventually(t, "two", func() bool { return len(g.parley.all()) == 3 })
		require.Equal(t, numbers(4)[2:], g.parley.received(t)[c.conv])
	})
	t.Run("shuffled", func(t *testing.T) {
		t.Parallel()
		g, c := start(t, `{"shuffleMs":60}`)
		for _, text := range numbers(30) {
			c.send(textOf(c.conv, text, ""))
		}
		eventually(t, "all", func() bool { return len(g.parley.all()) == 31 })
		got := g.parley.received(t)[c.conv]
		require.NotEqual(t, numbers(30), got)
		require.ElementsMatch(t, numbers(30), got)
	})
	t.Run("no echoes", func(t *testing.T) {
		t.Parallel()
		g, c := start(t, `{"echoes":false}`)
		c.send(textOf(c.conv, "x", ""))
		g.say(c.conv, "from the agent")
		eventually(t, "the agent's", func() bool { return len(g.parley.all()) == 3 })
		require.Equal(t, []string{"from the agent"}, g.parley.received(t)[c.conv])
	})
	t.Run("held, then a burst", func(t *testing.T) {
		t.Parallel()
		g, c := start(t, `{"hold":true}`)
		for _, text := range numbers(10) {
			c.send(textOf(c.conv, text, ""))
		}
		require.Len(t, g.parley.all(), 1)
		require.Equal(t, 10, g.sender().Queued)
		g.must("PATCH", "/sim/faults", `{"webhooks":{"hold":false}}`, nil)
		eventually(t, "all", func() bool { return len(g.parley.all()) == 11 })
		require.Equal(t, numbers(10), g.parley.received(t)[c.conv])
	})
	t.Run("before the answer", func(t *testing.T) {
		t.Parallel()
		g, c := start(t, `{"early":true}`)
		g.parley.answer(func(int, arrival) int { return 200 })
		for i := range 10 {
			status, _ := c.send(textOf(c.conv, "x", ""))
			require.Equal(t, 200, status)
			require.Len(t, g.parley.all(), i+2, "delivered before SEND was answered")
		}
	})
}

func TestStream(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/sim/stream?bodies=1", nil)
	require.NoError(t, err)
	res, err := g.http.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	next := func() (event, data string) {
		for lines.Scan() {
			if e, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = e
			}
			if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return event, d
			}
		}
		t.Fatal("the stream ended")
		return "", ""
	}
	event, data := next()
	require.Equal(t, "hello", event)
	require.Contains(t, data, `"accounts"`)
	c := g.consumer("ada")
	c.open()
	c.send(textOf(c.conv, "canary", ""))
	g.must("POST", "/sim/phones/web/u-1/text", `{"text":"hi"}`, nil)
	var seen []string
	for !slices.Contains(seen, "wire") || !slices.Contains(seen, "conversation") || !slices.Contains(seen, "phone") {
		event, data = next()
		seen = append(seen, event)
		require.NotContains(t, data, c.app)
	}
}

// Every service fails in the envelope it is known for.
func TestFaultsSpeakTheServicesLanguage(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	g.must("PUT", "/sim/faults", `{"rules":[{"do":"throttle","retryAfter":3}]}`, nil)
	status, b := g.sms(nil)
	require.Equal(t, 429, status)
	require.Contains(t, b, `"code":20429`)
	_, b = g.deliver("1", `{"id":"1","conversation":{"id":"c-1"},"kind":"text","text":"x"}`)
	require.JSONEq(t, `{"error":{"code":"busy","class":"ratelimit","message":"Too Many Requests","retryAfter":3}}`, b)
	_, b = g.do("POST", sendPath, nil, "{}")
	require.Contains(t, b, `"errorCode":42900`)
	g.must("PUT", "/sim/faults", `{"rules":[{"do":"fail-before","status":500}]}`, nil)
	_, b = g.sms(nil)
	require.Contains(t, b, `"code":20500`)
	g.must("PUT", "/sim/faults", `{"rules":[{"do":"expire","class":"twilio"}]}`, nil)
	status, b = g.sms(nil)
	require.Equal(t, 401, status)
	require.Contains(t, b, `"code":20003`)
}
