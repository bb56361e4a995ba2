package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

const soon = 10 * time.Second

// desk is the cloud as far as consumers' typing goes.
type desk struct {
	mu     sync.Mutex
	states []liveperson.ChatState
	block  chan struct{} // nil: answers at once
	fail   []error       // what the next calls return
}

func (d *desk) ChatState(ctx context.Context, s liveperson.ChatState) error {
	if d.block != nil {
		select {
		case <-d.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.states = append(d.states, s)
	if len(d.fail) > 0 {
		err := d.fail[0]
		d.fail = d.fail[1:]
		return err
	}
	return nil
}

func (d *desk) said() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, s := range d.states {
		out = append(out, s.State)
	}
	return out
}

// phone is an adapter that shows presence.
type phone struct {
	channels.Adapter
	mu    sync.Mutex
	shown []message.Outbound
}

func (p *phone) Signal(_ context.Context, out message.Outbound) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = append(p.shown, out)
	return nil
}

func (p *phone) all() []message.Outbound {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]message.Outbound(nil), p.shown...)
}

var ada = message.Address{Channel: "web", Consumer: canaryNumber}

// book is a Directory with one conversation.
type book struct {
	mu      sync.Mutex
	asked   int
	refsAt  int // how often Refs is asked before it knows
	refs    []string
	missing bool
	err     error
}

func (b *book) ask() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return !b.missing, b.err
}

func (b *book) OpenConversation(_ context.Context, account string, a message.Address) (string, time.Time, bool, error) {
	found, err := b.ask()
	return conversation, time.Time{}, found && account == "main" && a == ada, err
}

func (b *book) Address(_ context.Context, account, name string) (message.Address, bool, error) {
	found, err := b.ask()
	return ada, found && account == "main" && name == conversation, err
}

func (b *book) Reply(context.Context, message.Address) (string, error) { return "c-77", nil }

func (b *book) Refs(_ context.Context, _, dialog string, sequences []int) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refsAt--; b.refsAt >= 0 || dialog != conversation || len(sequences) == 0 {
		return nil, nil
	}
	return b.refs, nil
}

func (b *book) questions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// scene is a Presence between a desk and a phone.
type scene struct {
	*Presence
	desk  *desk
	phone *phone
	book  *book
	logs  *safeBuffer
	stop  func() // returns when Run has
}

func newScene(t *testing.T, change func(*PresenceConfig, *scene)) *scene {
	t.Helper()
	s := &scene{desk: &desk{}, phone: &phone{}, book: &book{refs: []string{"m-1", "m-2"}}, logs: &safeBuffer{}}
	log := slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := PresenceConfig{
		Accounts:   map[string]Typist{"main": s.desk},
		Channels:   map[string]channels.Adapter{"web": s.phone, "sms": oneAnswer{}},
		AccountOf:  map[string]string{"web": "main", "sms": "main"},
		Directory:  s.book,
		ExternalID: func(a message.Address) string { return "digest-of-" + a.Channel },
		Ops:        NewOps(log),
		Log:        log,
		ClearAfter: time.Hour,
	}
	if change != nil {
		change(&c, s)
	}
	s.Presence = NewPresence(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	s.stop = func() { cancel(); <-done }
	t.Cleanup(s.stop)
	return s
}

func (s *scene) consumer(typing bool) {
	s.fromChannel(channels.Received{Presence: []message.Presence{{Address: ada, Typing: typing}}}, false)
}

func (s *scene) agent(e liveperson.Event) {
	e.Conversation, e.Dialog = conversation, conversation
	s.fromCloud("main", []liveperson.Event{e}, false)
}

func (s *scene) agentState(state string) {
	s.agent(liveperson.Event{Kind: liveperson.KindChatState, ChatState: state})
}

// desk and phone eventually have seen exactly this.
func (s *scene) deskSees(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.desk.said()) >= len(want) }, soon, time.Millisecond)
	assert.Equal(t, want, s.desk.said())
}

func (s *scene) phoneShows(t *testing.T, want ...message.Outbound) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.phone.all()) >= len(want) }, soon, time.Millisecond)
	for i := range want {
		want[i].To, want[i].Reply = ada, "c-77"
	}
	assert.Equal(t, want, s.phone.all())
}

func typingNow(on bool) message.Outbound {
	return message.Outbound{Kind: message.Typing, Typing: on}
}

func TestAConsumersTypingReachesTheDesk(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.consumer(true)
	s.consumer(true) // goes on: is not said again at once
	s.consumer(false)
	s.deskSees(t, "COMPOSING", "PAUSE")
	s.stop()
	s.deskSees(t, "COMPOSING", "PAUSE")
	assert.Equal(t, liveperson.ChatState{Consumer: "digest-of-web", Conversation: conversation, State: "COMPOSING"}, s.desk.states[0])
	assert.Equal(t, 1, s.book.questions(), "the second lookup is remembered")
	assert.Contains(t, scrape(t, s.Ops), `parley_presence_total{outcome="done",target="cloud/main"} 2`)
	assert.NotContains(t, s.logs.String()+scrape(t, s.Ops), canaryNumber)
}

func TestAMessageEndsTyping(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	wrote := channels.Received{Events: []message.Inbound{{Kind: message.Wrote, Address: ada}}}
	s.fromChannel(wrote, false) // nobody typed: nothing to end
	s.consumer(true)
	s.fromChannel(wrote, false)
	s.fromChannel(wrote, false)
	s.stop()
	s.deskSees(t, "COMPOSING", "PAUSE")

	s = newScene(t, nil)
	s.agentState("COMPOSING")
	s.agent(liveperson.Event{Kind: liveperson.KindContent, Text: canaryText})
	s.stop()
	s.phoneShows(t, typingNow(true), typingNow(false))
}

func TestTypingIsSwitchedOffWhenNobodyDoes(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(c *PresenceConfig, _ *scene) { c.ClearAfter = 20 * time.Millisecond })
	s.consumer(true)
	s.agentState("COMPOSING")
	s.deskSees(t, "COMPOSING", "PAUSE")
	s.phoneShows(t, typingNow(true), typingNow(false))
}

func TestTypingIsSwitchedOffWhenTheProcessStops(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.consumer(true)
	s.agentState("COMPOSING")
	s.deskSees(t, "COMPOSING")
	s.phoneShows(t, typingNow(true))
	s.stop()
	s.deskSees(t, "COMPOSING", "PAUSE")
	s.phoneShows(t, typingNow(true), typingNow(false))
	s.consumer(true)
	s.agentState("COMPOSING")
	assert.Len(t, s.desk.said(), 2, "nothing is begun any more")
}

func TestSwitchingOffIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(_ *PresenceConfig, s *scene) {
		s.desk.fail = []error{nil, fault.New(fault.Transient, "liveperson: chat state", "busy")}
	})
	s.consumer(true)
	s.consumer(false)
	s.deskSees(t, "COMPOSING", "PAUSE", "PAUSE")
}

func TestAnAgentsTypingReachesThePhone(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.agentState("COMPOSING")
	s.agentState("ACTIVE")
	s.phoneShows(t, typingNow(true), typingNow(false))
}

func TestStatesOfAnotherProcessAreEnded(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.consumer(false)
	s.agentState("ACTIVE")
	s.deskSees(t, "PAUSE")
	s.phoneShows(t, typingNow(false))
}

func TestWhatAnAgentReadIsMarked(t *testing.T) {
	t.Parallel()
	read := liveperson.Event{Kind: liveperson.KindAccept, Status: "READ", Sequences: []int{0, 3}}
	want := message.Outbound{Kind: message.ReadMark, Refs: []string{"m-1", "m-2"}}
	s := newScene(t, nil)
	s.agent(liveperson.Event{Kind: liveperson.KindAccept, Status: "ACCEPT", Sequences: []int{0, 3}})
	s.agent(read)
	s.phoneShows(t, want)

	// An agent who looks at the conversation may be faster than our own record.
	s = newScene(t, func(_ *PresenceConfig, s *scene) { s.book.refsAt = 1 })
	s.agent(read)
	s.phoneShows(t, want)
}

func TestPresenceThatHasNowhereToGo(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(_ *PresenceConfig, s *scene) { s.book.missing = true })
	s.consumer(true)
	s.agentState("COMPOSING")
	s.fromChannel(channels.Received{Presence: []message.Presence{{Address: message.Address{Channel: "unknown"}, Typing: true}}}, false)
	s.stop()
	assert.Empty(t, s.desk.said())
	assert.Empty(t, s.phone.all())

	s = newScene(t, func(_ *PresenceConfig, s *scene) { s.book.err = errors.New("no database") })
	s.consumer(true)
	s.stop()
	assert.Empty(t, s.desk.said())
	assert.Contains(t, scrape(t, s.Ops), `parley_presence_total{outcome="failed",target="cloud/main"}`)

	var none *Presence
	none.fromChannel(channels.Received{Events: []message.Inbound{{Kind: message.Wrote}}}, false)
	none.fromCloud("main", []liveperson.Event{{}}, false)
}

// A far side that hangs takes nobody's time: what finds no room is dropped, what is
// late is not sent, and webhooks are answered meanwhile.
func TestWhatIsTooMuchOrTooLateIsDropped(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(c *PresenceConfig, s *scene) {
		c.Within = 50 * time.Millisecond
		s.desk.block = make(chan struct{})
	})
	begin := time.Now()
	const many = 2000
	for i := range many {
		a := message.Address{Channel: "web", Consumer: ada.Consumer}
		if i > 0 {
			a.Consumer = strconv.Itoa(i)
		}
		s.open.get(openKey{"main", a}, func() (string, bool, error) { return conversation, true, nil })
		s.consumerTypes(message.Presence{Address: a, Typing: true}, true, false)
	}
	assert.Less(t, time.Since(begin), 2*time.Second)
	require.Eventually(t, func() bool {
		s.backlog.mu.Lock()
		defer s.backlog.mu.Unlock()
		return s.backlog.n == 0
	}, soon, time.Millisecond)
	got := scrape(t, s.Ops)
	assert.Contains(t, got, `outcome="dropped",target="cloud/main"`)
	assert.Contains(t, got, `outcome="late",target="cloud/main"`)
	assert.Contains(t, got, `outcome="failed",target="cloud/main"`)
	assert.Empty(t, s.desk.said())
	close(s.desk.block)
}

func TestRecentForgetsByItself(t *testing.T) {
	t.Parallel()
	r := newRecent[int, int]()
	one := func() (int, bool, error) { return 1, true, nil }
	for i := range mostRecents + 10 {
		_, _, _ = r.get(i, one)
	}
	assert.LessOrEqual(t, len(r.entries), mostRecents)
	v, found, err := r.get(3, func() (int, bool, error) { return 0, false, errors.New("x") })
	assert.Error(t, err)
	assert.False(t, found)
	assert.Zero(t, v, "a failed lookup is not remembered")
	r.forget(mostRecents)
	v, _, _ = r.get(mostRecents, func() (int, bool, error) { return 2, true, nil })
	assert.Equal(t, 2, v)
}

// The whole way: webhooks in, presence out, and what was answered.
func TestPresenceThroughWebhooks(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	h := newHouse(t, func(server *Server) { server.Presence = s.Presence })
	body := `{"events":[{"id":"t1","type":"typing","typing":true,"conversation":{"id":"c-77","participant":{"id":"` + canaryNumber + `"}}}]}`
	assert.Equal(t, http.StatusAccepted, h.do(h.web("/webhooks/channels/web", body)).status)
	s.deskSees(t, "COMPOSING")
	assert.Equal(t, 202, h.do(h.web("/webhooks/channels/web", wrote("e1", canaryNumber, canaryText))).status)
	s.deskSees(t, "COMPOSING", "PAUSE")

	assert.Equal(t, 200, h.do(h.cloud(said("ASSIGNED_AGENT", 0, chatState("COMPOSING"), nil))).status)
	assert.Equal(t, 200, h.do(h.cloud(said("CONSUMER", 0, chatState("COMPOSING"), nil))).status)
	s.phoneShows(t, typingNow(true))
	assert.Equal(t, 200, h.do(h.cloud(said("ASSIGNED_AGENT", 5, content(canaryText), nil))).status)
	s.phoneShows(t, typingNow(true), typingNow(false))
	assert.Equal(t, 200, h.do(h.cloud(said("ASSIGNED_AGENT", 6, accepted("READ", 0, 3), nil))).status)
	require.Eventually(t, func() bool { return len(s.phone.all()) == 3 }, soon, time.Millisecond)
	assert.Equal(t, message.ReadMark, s.phone.all()[2].Kind)

	everything := h.logs.String() + s.logs.String() + scrape(t, h.ops) + scrape(t, s.Ops)
	for _, secret := range []string{canaryNumber, canaryName, canaryText} {
		assert.NotContains(t, everything, secret)
	}
}

func TestASurveyTakesNoChatStates(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	snapshot := func(stage, state string) {
		s.agent(liveperson.Event{Kind: liveperson.KindChange, Change: &liveperson.Change{Stage: stage, State: state}})
	}
	snapshot("OPEN", "CLOSE")
	s.consumer(true)
	s.consumer(false)
	require.Eventually(t, func() bool { return s.book.questions() > 0 }, soon, time.Millisecond)
	snapshot("OPEN", "OPEN") // an agent has opened it again
	s.consumer(true)
	s.stop()
	said := s.desk.said()
	require.NotEmpty(t, said)
	assert.Equal(t, "COMPOSING", said[0])

	s = newScene(t, func(_ *PresenceConfig, s *scene) {
		s.desk.fail = []error{fault.New(fault.Rejected, "liveperson: chat state", "no such dialog")}
	})
	s.consumer(true)
	s.deskSees(t, "COMPOSING")
	s.consumer(false)
	s.consumer(true)
	s.stop()
	s.deskSees(t, "COMPOSING")
}
