package simulator

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// received lists the texts that arrived and were accepted, per conversation.
func (p *parley) received(t testing.TB) map[string][]string {
	t.Helper()
	texts := map[string][]string{}
	for _, n := range p.notifications(t) {
		if n["type"] != "ms.MessagingEventNotification" {
			continue
		}
		ch := change(n)
		if text, ok := ch["event"].(map[string]any)["message"].(string); ok {
			id := ch["conversationId"].(string)
			texts[id] = append(texts[id], text)
		}
	}
	return texts
}

func (g *rig) say(conv, text string) {
	g.t.Helper()
	g.must("POST", "/sim/conversations/"+conv+"/text", string(marshal(map[string]string{"text": text})), nil)
}

func (g *rig) sender() SenderState { return g.sim.account("main").sender.state() }

func numbers(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint("text ", i))
	}
	return list
}

func TestOrderIsKeptPerConversation(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	convs := []string{g.consumer("a").open(), g.consumer("b").open(), g.consumer("c").open()}
	for _, text := range numbers(60) {
		for _, id := range convs {
			g.say(id, text)
		}
	}
	eventually(t, "all delivered", func() bool { return g.sender().Queued == 0 })
	got := g.parley.received(t)
	for _, id := range convs {
		require.Equal(t, numbers(60), got[id])
	}
}

func TestOnly200And201Count(t *testing.T) {
	t.Parallel()
	for status, ok := range map[int]bool{200: true, 201: true, 202: false, 204: false, 302: false, 400: false, 500: false} {
		g := newRig(t, `{"retry":"none"}`)
		g.parley.answer(func(int, arrival) int { return status })
		g.consumer("a").open()
		eventually(t, "one attempt", func() bool { return g.sender().Queued == 0 })
		w := g.sim.totals().Webhooks
		require.Equal(t, ok, w.Delivered == 1, status)
		require.Equal(t, !ok, w.Dropped == 1, status)
		require.Len(t, g.parley.all(), 1)
	}
}

func TestSlowEndpointTimesOut(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"retry":"none","webhookTimeoutMs":30}`)
	release := make(chan struct{})
	defer close(release)
	g.parley.answer(func(int, arrival) int { <-release; return 200 })
	g.consumer("a").open()
	eventually(t, "given up", func() bool { return g.sim.totals().Webhooks.Dropped == 1 })
}

func TestRetryByNumbers(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"retry":"numbers","maxRetries":3,"retryIntervalMs":20}`)
	var bad atomic.Int32
	g.parley.answer(func(_ int, a arrival) int {
		if strings.Contains(string(a.body), "never") || (strings.Contains(string(a.body), "third time") && bad.Add(1) < 3) {
			return 500
		}
		return 200
	})
	id := g.consumer("a").open()
	for _, text := range []string{"never", "third time", "fine"} {
		g.say(id, text)
	}
	eventually(t, "settled", func() bool { return g.sender().Queued == 0 })
	got := g.parley.received(t)[id]
	count := func(text string) int {
		n := 0
		for _, x := range got {
			if x == text {
				n++
			}
		}
		return n
	}
	require.Equal(t, 4, count("never"), "one attempt and three retries")
	require.Equal(t, 3, count("third time"))
	require.Equal(t, 1, count("fine"), "others pass it")
	require.EqualValues(t, 1, g.sim.totals().Webhooks.Dropped)
	require.Equal(t, stateUp, g.sender().State)
}

// One failing event puts the whole app on hold; what is stored is replayed in
// order, and nothing is lost.
func TestRetryByTimeToLive(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"backoffMs":40,"backoffMaxMs":80,"drainMs":30}`)
	a, b := g.consumer("a").open(), g.consumer("b").open()
	eventually(t, "opened", func() bool { return len(g.parley.all()) == 2 })
	var down atomic.Bool
	var refused atomic.Int32
	g.parley.answer(func(int, arrival) int {
		if down.Load() {
			refused.Add(1)
			return 503
		}
		return 200
	})
	down.Store(true)
	g.say(a, "text 0")
	eventually(t, "on hold", func() bool { return g.sender().State == stateFailed })
	before := refused.Load()
	for _, text := range numbers(20)[1:] {
		g.say(a, text)
	}
	for _, text := range numbers(20) {
		g.say(b, text)
	}
	eventually(t, "tried again", func() bool { return refused.Load() >= before+2 })
	require.Equal(t, stateFailed, g.sender().State)
	for _, x := range g.parley.all()[2:] {
		require.Contains(t, string(x.body), a, "only the failed event is tried; the other conversation waits")
	}
	failures := len(g.parley.all())
	down.Store(false)
	eventually(t, "recovered", func() bool { s := g.sender(); return s.Queued == 0 && s.State == stateUp })
	after := map[string][]string{}
	for _, n := range g.parley.notifications(t)[failures-1:] {
		if text, ok := change(n)["event"].(map[string]any); ok {
			id := change(n)["conversationId"].(string)
			after[id] = append(after[id], text["message"].(string))
		}
	}
	require.Equal(t, numbers(20), after[b], "in order, each once")
	require.Equal(t, numbers(20), slices.Compact(after[a]))
	w := g.sim.totals().Webhooks
	require.Equal(t, w.Queued, w.Delivered)
	require.Zero(t, w.Dropped)
}

func TestStatesOfRecovery(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"backoffMs":20,"drainMs":60000}`)
	id := g.consumer("a").open()
	eventually(t, "opened", func() bool { return g.sender().Queued == 0 })
	hold := make(chan struct{})
	var n atomic.Int32
	g.parley.answer(func(int, arrival) int {
		switch n.Add(1) {
		case 1:
			return 500
		case 2:
			return 200
		default:
			<-hold
			return 200
		}
	})
	g.say(id, "one") // a change (the agent joins) and a text
	g.say(id, "two")
	eventually(t, "in transition", func() bool { return g.sender().State == stateTransition })
	close(hold)
	eventually(t, "recovered", func() bool { return g.sender().State == stateRecovered })
	g.parley.answer(func(int, arrival) int { return 500 })
	g.say(id, "three")
	eventually(t, "a failure in any state leads back", func() bool { return g.sender().State == stateFailed })
	g.parley.answer(nil)
	eventually(t, "and out again", func() bool { return g.sender().State == stateRecovered && g.sender().Queued == 0 })
}

func TestRetentionEnds(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"retentionSec":0,"backoffMs":10}`)
	g.parley.answer(func(int, arrival) int { return 500 })
	id := g.consumer("a").open()
	g.say(id, "x")
	eventually(t, "dropped", func() bool { s := g.sender(); return s.Queued == 0 && g.sim.totals().Webhooks.Dropped >= 2 })
}

func TestChatStateIsNotRetried(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	id := g.consumer("a").open()
	g.must("POST", "/sim/conversations/"+id+"/join", "", nil)
	eventually(t, "opened", func() bool { return g.sender().Queued == 0 })
	g.parley.answer(func(int, arrival) int { return 500 })
	g.must("POST", "/sim/conversations/"+id+"/typing", `{"on":true}`, nil)
	eventually(t, "dropped", func() bool { return g.sim.totals().Webhooks.Dropped == 1 })
	require.Equal(t, stateUp, g.sender().State, "and nothing is put on hold")
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"queueLimit":5}`)
	g.must("PATCH", "/sim/faults", `{"webhooks":{"hold":true}}`, nil)
	id := g.consumer("a").open()
	for _, text := range numbers(20) {
		g.say(id, text)
	}
	require.Equal(t, 5, g.sender().Queued)
	g.must("PATCH", "/sim/faults", `{"webhooks":{"hold":false}}`, nil)
	eventually(t, "delivered", func() bool { return g.sender().Queued == 0 })
	require.Len(t, g.parley.all(), 5)
}

func TestRestartedParleyIsFoundAgain(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"backoffMs":20,"drainMs":1,"parleyUrl":"http://127.0.0.1:1"}`)
	id := g.consumer("a").open()
	g.say(id, "hello")
	eventually(t, "on hold", func() bool { return g.sender().State == stateFailed })
	require.NoError(t, g.sim.SetParleyURL(g.home))
	eventually(t, "delivered", func() bool { return g.sender().Queued == 0 })
	require.Equal(t, []string{"hello"}, g.parley.received(t)[id])
}

func TestNothingIsSentAfterClose(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	s, err := New(cfg)
	require.NoError(t, err)
	s.Close()
	ran := make(chan struct{})
	s.soon(0, func() { close(ran) })
	select {
	case <-ran:
		t.Fatal("it ran")
	case <-time.After(20 * time.Millisecond): // a closed simulator must stay silent: there is nothing to wait for
	}
}

func TestAnotherRetryEndsTheHold(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"backoffMs":60000}`)
	g.parley.answer(func(int, arrival) int { return 500 })
	id := g.consumer("a").open()
	g.say(id, "x")
	eventually(t, "on hold", func() bool { return g.sender().State == stateFailed })
	g.must("PUT", "/sim/settings", `{"retry":"none"}`, nil)
	eventually(t, "given up", func() bool { s := g.sender(); return s.State == stateUp && s.Queued == 0 })
}

// In the drain period an event waits for the stored one before it, but not for ever:
// then its order is lost.
func TestDrainPeriodLosesOrderInTheEnd(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"backoffMs":10,"drainMs":50}`)
	id := g.consumer("a").open()
	g.must("POST", "/sim/conversations/"+id+"/join", "", nil)
	eventually(t, "opened", func() bool { return g.sender().Queued == 0 })
	hold := make(chan struct{})
	var down atomic.Bool
	down.Store(true)
	g.parley.answer(func(_ int, a arrival) int {
		if down.Load() {
			return 503
		}
		if strings.Contains(string(a.body), "slow") {
			<-hold
		}
		return 200
	})
	g.say(id, "first")
	eventually(t, "on hold", func() bool { s := g.sender(); return s.State == stateFailed && s.Failures > 0 && s.NextTry != "" })
	g.say(id, "slow")
	down.Store(false)
	eventually(t, "the store is empty", func() bool { s := g.sender(); return s.State != stateFailed && s.Stored == 0 && s.InFlight == 1 })
	g.say(id, "overtakes")
	eventually(t, "it went out", func() bool { return slices.Contains(g.parley.received(t)[id], "overtakes") })
	require.Equal(t, 1, g.sender().OutOfOrder)
	close(hold)
	eventually(t, "all", func() bool { s := g.sender(); return s.Queued == 0 && s.State == stateUp })
	w := g.sim.totals().Webhooks
	require.Equal(t, w.Queued, w.Delivered)
}
