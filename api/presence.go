package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley/channels"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// What presence is worth. COMPOSING stays on an agent's screen until something
// else is sent, and many channels show typing until told otherwise: whatever was
// switched on is switched off after clearAfter.
//
// Source: liveperson's connector-api-send-api-send (chat state).
const (
	presenceWithin = 3 * time.Second
	clearAfter     = 10 * time.Second
	sayAgainAfter  = 5 * time.Second // typing that goes on is not passed on more often
	againAfter     = 700 * time.Millisecond
	mostTries      = 3 // to switch typing off
	mostTyping     = 10_000
	mostLater      = 256
	stopWithin     = 2 * time.Second
)

// Typist tells agents what a consumer is doing.
type Typist interface {
	ChatState(context.Context, liveperson.ChatState) error
}

// Directory knows where conversations live.
type Directory interface {
	// OpenConversation returns the newest cloud conversation of an address that
	// has not ended.
	OpenConversation(ctx context.Context, account string, a message.Address) (conversation string, boundAt time.Time, found bool, err error)
	// Address returns what a cloud conversation is bound to.
	Address(ctx context.Context, account, conversation string) (message.Address, bool, error)
	// Reply returns where answers to a consumer go, empty when that is the consumer.
	Reply(ctx context.Context, a message.Address) (string, error)
	// Refs returns the provider's names of what was published at these sequences.
	Refs(ctx context.Context, account, dialog string, sequences []int) ([]string, error)
}

// PresenceConfig is what Presence works with.
type PresenceConfig struct {
	Accounts   map[string]Typist           // by configured name
	Channels   map[string]channels.Adapter // by configured name; those that are a channels.Signaller are told
	AccountOf  map[string]string           // the account of a channel
	Directory  Directory
	ExternalID func(message.Address) string // our name for a consumer, as the cloud was given it
	Ops        *Ops
	Log        *slog.Logger

	Within     time.Duration // how long typing and read marks are worth something; 3 s when 0
	ClearAfter time.Duration // after which typing is switched off; 10 s when 0
}

// Presence passes typing and read marks straight through, in both directions: at
// once, best effort, bounded, and dropped when late. Nothing of it is stored.
type Presence struct {
	PresenceConfig
	backlog   backlog
	lookups   *lane
	accounts  map[string]*lane
	channels  map[string]*lane
	open      *recent[openKey, string]
	deaf      *recent[conversationKey, bool] // conversations that take no chat state
	addresses *recent[conversationKey, place]

	mu      sync.Mutex
	typing  map[string]*typing
	later   []later
	stopped bool
}

type openKey struct {
	account string
	address message.Address
}

// place is where an agent's typing is shown.
type place struct {
	address message.Address
	reply   string
}

// typing is something switched on that must be switched off.
type typing struct {
	due  time.Time
	said time.Time
	off  func() bool // says whether there was room
}

type later struct {
	due time.Time
	do  func()
}

// NewPresence returns a Presence that does its work while Run runs.
func NewPresence(c PresenceConfig) *Presence {
	if c.Within <= 0 {
		c.Within = presenceWithin
	}
	if c.ClearAfter <= 0 {
		c.ClearAfter = clearAfter
	}
	p := &Presence{
		PresenceConfig: c,
		accounts:       map[string]*lane{},
		channels:       map[string]*lane{},
		open:           newRecent[openKey, string](),
		deaf:           newRecent[conversationKey, bool](),
		addresses:      newRecent[conversationKey, place](),
		typing:         map[string]*typing{},
	}
	p.lookups = p.lane("lookup")
	for name := range c.Accounts {
		p.accounts[name] = p.lane("cloud/" + name)
	}
	for name, adapter := range c.Channels {
		if _, ok := adapter.(channels.Signaller); ok {
			p.channels[name] = p.lane("channel/" + name)
		}
	}
	return p
}

func (p *Presence) lane(target string) *lane {
	count := func(outcome string) { p.Ops.metrics.presence.WithLabelValues(target, outcome).Inc() }
	var l *lane
	failed := func(j job, err error) {
		p.Log.Debug("presence not passed on", "target", target, "class", fault.ClassOf(err), "err", err)
		if class := fault.ClassOf(err); j.must && j.tries < mostTries && class != fault.Gone && class != fault.Rejected {
			p.soon(func() { l.submit(j) })
		}
	}
	l = newLane(p.Within, &p.backlog, count, failed)
	return l
}

// Run passes presence on until ctx is done; then everything that is switched on is
// switched off, within two seconds.
func (p *Presence) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	p.lookups.start(work, &wg)
	for _, l := range p.accounts {
		l.start(work, &wg)
	}
	for _, l := range p.channels {
		l.start(work, &wg)
	}
	tick := time.NewTicker(min(p.ClearAfter/4, 250*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			p.sweep(now)
		case <-ctx.Done():
			p.stop()
			return
		}
	}
}

// sweep switches off what is due, and tries again what waits for its turn. What
// finds no room now is switched off at a later sweep.
func (p *Presence) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, t := range p.typing {
		if !now.Before(t.due) && t.off() {
			delete(p.typing, key)
		}
	}
	waiting := p.later[:0]
	for _, l := range p.later {
		if now.Before(l.due) {
			waiting = append(waiting, l)
		} else {
			l.do()
		}
	}
	p.later = waiting
}

func (p *Presence) stop() {
	p.mu.Lock()
	p.stopped = true
	for _, t := range p.typing {
		t.off()
	}
	p.mu.Unlock()
	select {
	case <-p.backlog.drained():
	case <-time.After(stopWithin):
	}
}

// on notes that key is typing and says it by say, unless that was said just now.
// off is called once, when key stops or falls silent.
func (p *Presence) on(key string, say, off func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	t, known := p.typing[key]
	switch {
	case p.stopped:
		return
	case known:
		t.due = now.Add(p.ClearAfter)
		if now.Sub(t.said) < sayAgainAfter {
			return
		}
	case len(p.typing) >= mostTyping:
		p.lookups.count("dropped")
		return
	default:
		t = &typing{due: now.Add(p.ClearAfter)}
	}
	if say() {
		t.said, t.off = now, off
		p.typing[key] = t
	}
}

// off switches key off. Where this process does not know it to be on, another may
// have switched it on: it is told all the same if the other side said so.
func (p *Presence) off(key string, said bool, off func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, known := p.typing[key]
	if p.stopped || (!known && !said) {
		return
	}
	if off() {
		delete(p.typing, key)
	} else if known {
		t.due = time.Now() // at the next sweep
	}
}
