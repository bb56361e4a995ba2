package simulator

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sender delivers one app's webhooks. Events of one conversation go out one after
// the other, those of different conversations at the same time. Its mutex guards
// queues only; nothing is sent under it.
type sender struct {
	sim      *Simulator
	acc      *account
	counters hookCounters
	config   atomic.Pointer[webhookConfig] // the app installation's, once it was changed

	mu       sync.Mutex
	lanes    map[string]*lane
	ready    []*lane
	queued   int
	inFlight int
	workers  int
	epoch    int // counts resets; what is of an earlier one is forgotten
	hold     holdState
}

// lane is what waits for one conversation.
type lane struct {
	id      string
	hooks   []*hook
	busy    bool // ready, or in a worker's hands
	aside   bool // holds a single event out of order, and is dropped when empty
	waiting bool // for the time of its first event
}

// hook is one webhook to deliver.
type hook struct {
	epoch    int
	conv     string
	kind     string
	summary  string
	body     []byte
	created  time.Time
	notAt    time.Time // not to be sent before
	attempts int
	stored   bool // from before the endpoints answered again, and not on its way yet
	draining bool // such a one, on its way
	tally    *hookCounters
	watched  sync.Mutex
	over     bool
	done     chan struct{} // closed when it was delivered or given up, if somebody watches
}

func newSender(s *Simulator, a *account) *sender {
	return &sender{sim: s, acc: a, lanes: map[string]*lane{}, hold: holdState{state: stateUp}}
}

// settled returns a channel that is closed when the webhook was delivered or given up.
func (h *hook) settled() <-chan struct{} {
	h.watched.Lock()
	defer h.watched.Unlock()
	if h.done == nil {
		h.done = make(chan struct{})
		if h.over {
			close(h.done)
		}
	}
	return h.done
}

func (h *hook) finish() {
	h.watched.Lock()
	defer h.watched.Unlock()
	if !h.over {
		h.over = true
		if h.done != nil {
			close(h.done)
		}
	}
}

// enqueue takes a webhook for delivery. It is called in the order of events, with
// the account locked.
func (s *sender) enqueue(c *conversation, kind, summary string, body []byte) *hook {
	fate := s.sim.faults.fateOf()
	now := time.Now()
	h := &hook{conv: c.id, kind: kind, summary: summary, body: body, created: now, tally: &c.counters.hooks}
	s.count(h, func(n *hookCounters) { n.queued.Add(1) })
	if !s.registered(kind) {
		s.count(h, func(n *hookCounters) { n.dropped.Add(1) })
		h.finish()
		return h
	}
	if fate.lost {
		s.count(h, func(n *hookCounters) { n.lost.Add(1) })
		h.finish()
		return h
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, d := range fate.delays {
		one := h
		if i > 0 {
			one = &hook{conv: h.conv, kind: kind, summary: summary + " (again)", body: body, created: now, tally: h.tally}
			s.count(h, func(n *hookCounters) { n.duplicated.Add(1) })
		}
		one.epoch = s.epoch
		if d > 0 {
			one.notAt = now.Add(d)
		}
		s.put(one, fate.shuffle)
	}
	s.pump()
	return h
}

// put appends a hook to its conversation's lane, or to a lane of its own.
func (s *sender) put(h *hook, aside bool) {
	if s.queued >= s.sim.settings.Load().QueueLimit {
		s.count(h, func(n *hookCounters) { n.dropped.Add(1) })
		h.finish()
		return
	}
	s.queued++
	l := s.lanes[h.conv]
	if aside {
		l = &lane{id: h.conv, aside: true}
	} else if l == nil {
		l = &lane{id: h.conv}
		s.lanes[h.conv] = l
	}
	l.hooks = append(l.hooks, h)
	if !aside && l.busy && l.hooks[0].draining {
		s.overtake(l, h)
	}
	if aside {
		s.hold.asides = append(s.hold.asides, l)
		if n := len(s.hold.asides); n > 1024 && n > 2*s.queued {
			s.waitingLanes() // forgets the empty ones
		}
	}
	s.offer(l)
}

// offer makes a lane ready, if it is not in somebody's hands.
func (s *sender) offer(l *lane) {
	if l.busy || l.waiting || len(l.hooks) == 0 || s.hold.state == stateFailed {
		return
	}
	if d := time.Until(l.hooks[0].notAt); d > 0 {
		l.waiting = true
		s.sim.soon(d, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			l.waiting = false
			s.offer(l)
			s.pump()
		})
		return
	}
	l.busy = true
	s.ready = append(s.ready, l)
}

// pump starts workers for lanes that are ready.
func (s *sender) pump() {
	if s.sim.faults.webhooks().Hold {
		return
	}
	most := s.sim.settings.Load().WebhookConcurrency
	for s.workers < most && s.workers < s.inFlight+len(s.ready) {
		s.workers++
		s.sim.soon(0, s.work)
	}
}

// kick looks again at what may go out, after a switch was changed. An app is on
// hold only while its webhooks are retried by time to live.
func (s *sender) kick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold.state != stateUp && s.rules(kindChange).Retry != retryRetention {
		s.to(stateUp)
	}
	s.pump()
}

// work sends until nothing is ready.
func (s *sender) work() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.workers-- }()
	for len(s.ready) > 0 && !s.sim.faults.webhooks().Hold && s.sim.life.Err() == nil {
		l := s.ready[0]
		s.ready = s.ready[1:]
		if len(l.hooks) == 0 {
			l.busy = false
			continue
		}
		h := l.hooks[0]
		h.attempts++
		s.inFlight++
		s.leaves(h)
		s.mu.Unlock()
		ok := s.deliver(h)
		s.mu.Lock()
		s.inFlight--
		if h.epoch != s.epoch {
			continue
		}
		l.busy = false
		if ok {
			s.delivered(l, h)
		} else {
			s.failed(l, h)
		}
	}
}

// delivered takes h, the first of its lane, off and goes on.
func (s *sender) delivered(l *lane, h *hook) {
	s.count(h, func(n *hookCounters) { n.delivered.Add(1) })
	s.answered(l)
	s.pop(l)
	h.finish()
	s.offer(l)
}

// give drops h, the first of its lane, and goes on.
func (s *sender) give(l *lane, h *hook) {
	s.count(h, func(n *hookCounters) { n.dropped.Add(1) })
	s.pop(l)
	h.finish()
	s.offer(l)
}

func (s *sender) pop(l *lane) {
	l.hooks[0] = nil
	l.hooks = l.hooks[1:]
	s.queued--
	if len(l.hooks) > 0 {
		return
	}
	if !l.aside {
		delete(s.lanes, l.id)
	}
	l.hooks = nil
}

// failed decides what becomes of h, the first of its lane, by the retry mechanism.
func (s *sender) failed(l *lane, h *hook) {
	s.count(h, func(n *hookCounters) { n.failed.Add(1) })
	set := s.rules(h.kind)
	mute := s.mute(h.kind, set)
	switch {
	case set.Retry == retryRetention && s.hold.state == stateFailed && mute:
		// What waits for the endpoints is stored, of whatever kind.
		s.keepFailing(l, h, set)
	case set.Retry == retryNone || mute:
		s.give(l, h)
	case set.Retry == retryNumbers:
		s.again(l, h, set)
	default:
		s.keepFailing(l, h, set)
	}
}

// again is the retry by numbers: each event on its own, others pass it.
func (s *sender) again(l *lane, h *hook, set *Settings) {
	if h.attempts > set.MaxRetries {
		s.give(l, h)
		return
	}
	s.pop(l)
	s.offer(l)
	h.notAt = time.Now().Add(ms(set.RetryIntervalMs))
	s.put(h, true)
}

func (s *sender) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.config.Store(nil)
	s.lanes, s.ready, s.queued = map[string]*lane{}, nil, 0
	s.hold = holdState{state: stateUp, turn: s.hold.turn + 1}
	s.counters.reset()
}

func (s *sender) count(h *hook, f func(*hookCounters)) {
	f(&s.counters)
	f(h.tally)
}

// slowEndpoint, kept up for two minutes, may disable an app without warning.
//
// Source: connector-api-webhooks-disclaimers.
const slowEndpoint = 2500 * time.Millisecond

// deliver makes one attempt. Only 200 and 201 within the time allowed count.
//
// Source: connector-api-webhooks-notification-protocol.
func (s *sender) deliver(h *hook) bool {
	s.count(h, func(n *hookCounters) { n.attempts.Add(1) })
	set := s.sim.settings.Load()
	e := s.post(set, h.kind, h.body, cloudSignature(set.Signature, first(s.acc.cfg.ClientSecret), h.body))
	e.class, e.summary, e.attempt, e.conversation = "webhook", h.summary, h.attempts, h.conv
	if e.took > slowEndpoint {
		e.warnings = []string{"webhook was answered slower than 2.5 s"}
		s.count(h, func(n *hookCounters) { n.slow.Add(1) })
	}
	s.sim.wire.add(e)
	return e.status == http.StatusOK || e.status == http.StatusCreated
}

// post posts a body to the app's endpoint for its kind. An empty signature sends none.
func (s *sender) post(set *Settings, kind string, body []byte, signature string) *exchange {
	e := &exchange{at: s.sim.now(), direction: "out", method: http.MethodPost, account: s.acc.cfg.Name, request: body}
	ctx, cancel := context.WithTimeout(s.sim.life, ms(set.WebhookTimeoutMs))
	defer cancel()
	endpoint, headers := s.endpoint(set, kind)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		e.failure = err.Error()
		return e
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("x-liveperson-account-id", s.acc.cfg.SiteID)
	r.Header.Set("x-liveperson-client-id", s.acc.cfg.ClientID)
	if signature != "" {
		r.Header.Set("x-liveperson-signature", signature)
	}
	s.sim.roundTrip(s.sim.webhooks, r, e)
	return e
}

// roundTrip sends r and notes how it went.
func (s *Simulator) roundTrip(client *http.Client, r *http.Request, e *exchange) {
	began := time.Now()
	e.path, e.requestHeader = r.URL.RequestURI(), r.Header
	res, err := client.Do(r)
	if err != nil {
		e.failure, e.took = plain(err), time.Since(began)
		return
	}
	defer func() { _ = res.Body.Close() }()
	e.answer, err = io.ReadAll(io.LimitReader(res.Body, keptBody))
	e.took, e.answerHeader = time.Since(began), res.Header
	if err != nil {
		e.failure = plain(err)
		return
	}
	e.status = res.StatusCode
}

// plain is an error without the URL, which may hold a number.
func plain(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, `": `); i >= 0 {
		return text[i+3:]
	}
	return text
}
