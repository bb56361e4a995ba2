package simulator

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// channel is one channel account at its provider, with the phones that write to
// it. Its mutex is never held while something is sent, and no account is locked
// under it.
type channel struct {
	sim  *Simulator
	cfg  Channel
	keys [][]byte // http

	mu       sync.Mutex
	phones   map[string]*phone        // by consumer
	threads  map[string]*phone        // by the conversation's id on the http channel
	outs     map[string]*phoneMessage // what Parley sent, by the provider's id
	answered map[string]answeredSend  // by webhook-id
	rejected int64
}

// answeredSend is what a webhook-id was answered with.
type answeredSend struct {
	body  [32]byte
	reply reply
}

// keptSends bounds the memory of webhook-ids.
const keptSends = 200_000

type phoneRef struct {
	Channel  string `json:"channel"`
	Consumer string `json:"consumer"`
}

// phone is one consumer on one channel.
type phone struct {
	channel      *channel
	consumer     string
	name         string
	conversation string
	delivery     string // what becomes of messages to it: delivered, failed, undelivered, none
	code         string
	typing       bool // an agent is typing
	optedOut     bool
	thread       []*phoneMessage
	byID         map[string]*phoneMessage
	counters     PhoneCounters
	texts        map[string]int
	lastAt       time.Time
	wrote        string                     // the last text of the consumer
	profile      map[string]json.RawMessage // told with every event of the http channel
}

// phoneMessage is one message on a phone, in either direction.
type phoneMessage struct {
	phone   *phone
	id      string
	out     bool // from Parley
	kind    string
	text    string
	choices []choiceView
	at      time.Time
	status  string
	code    string
	read    bool
	ref     string
	repeats int
	raw     json.RawMessage
	media   []phoneMedia
}

type choiceView struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// PhoneSummary is a phone in a list.
type PhoneSummary struct {
	Channel  string `json:"channel"`
	Kind     string `json:"kind"`
	Consumer string `json:"consumer"`
	Name     string `json:"name"`
	Messages int    `json:"messages"`
	Last     string `json:"last"`
	LastAt   string `json:"lastAt"`
	Typing   bool   `json:"typing"`
	OptedOut bool   `json:"optedOut"`
}

// PhoneView is a phone with all its messages.
type PhoneView struct {
	PhoneSummary
	Conversation string         `json:"conversation"`
	Delivery     string         `json:"delivery"`
	Counters     PhoneCounters  `json:"counters"`
	Thread       []PhoneMessage `json:"thread"`

	Profile map[string]json.RawMessage `json:"profile"`
}

// PhoneMessage is what is shown of a message.
type PhoneMessage struct {
	ID        string          `json:"id"`
	Direction string          `json:"direction"`
	Kind      string          `json:"kind"`
	Text      string          `json:"text"`
	Choices   []choiceView    `json:"choices"`
	At        string          `json:"at"`
	Status    string          `json:"status"`
	Code      string          `json:"code"`
	Read      bool            `json:"read"`
	Ref       string          `json:"ref"`
	Repeats   int             `json:"repeats"`
	Raw       json.RawMessage `json:"raw"`
	Media     []PhoneMedia    `json:"media"`
}

// PhoneMedia is what is shown of a file on a phone.
type PhoneMedia struct {
	URL   string `json:"url"`
	MIME  string `json:"mime"`
	Name  string `json:"name"`
	Size  int64  `json:"size"`
	Sum   string `json:"sum"`   // SHA-256; "" while it was not fetched
	Error string `json:"error"` // why it was not fetched
	Show  string `json:"show"`  // where this server shows it
}

// PhoneCounters count what happened to one phone.
type PhoneCounters struct {
	Received     int            `json:"received"` // messages from Parley, without repeats
	Repeats      int            `json:"repeats"`  // the same webhook-id again
	DoubledTexts map[string]int `json:"doubledTexts"`
	Rejected     int            `json:"rejected"`
	Posted       int            `json:"posted"` // events sent to Parley
	Acknowledged int            `json:"acknowledged"`
	Typing       int            `json:"typing"` // typing marks from Parley
}

// PhoneTotals sums PhoneCounters up.
type PhoneTotals struct {
	Received     int `json:"received"`
	Repeats      int `json:"repeats"`
	DoubledTexts int `json:"doubledTexts"`
	Rejected     int `json:"rejected"`
	Posted       int `json:"posted"`
	Acknowledged int `json:"acknowledged"`
	Typing       int `json:"typing"`
}

func newChannel(s *Simulator, cfg Channel) *channel {
	c := &channel{sim: s, cfg: cfg}
	if cfg.Kind == kindHTTP {
		c.keys, _ = webhookKeys(cfg.Secret) // checked with the configuration
	}
	c.clear()
	return c
}

func (c *channel) clear() {
	c.phones, c.threads = map[string]*phone{}, map[string]*phone{}
	c.outs, c.answered, c.rejected = map[string]*phoneMessage{}, map[string]answeredSend{}, 0
}

func (c *channel) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
}

// has says whether a consumer has used the channel.
func (c *channel) has(consumer string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phones[consumer] != nil
}

// phone returns a consumer's phone, new if need be. The channel is locked.
func (c *channel) phone(consumer string) *phone {
	p := c.phones[consumer]
	if p == nil {
		p = &phone{channel: c, consumer: consumer, delivery: "delivered", byID: map[string]*phoneMessage{}, texts: map[string]int{}}
		p.conversation = "c-" + consumer
		c.phones[consumer] = p
		c.threads[p.conversation] = p
	}
	return p
}

// thread returns the phone with a conversation; an id this process never gave out
// may be from before a restart. The channel is locked.
func (c *channel) thread(id string) *phone {
	if p := c.threads[id]; p != nil {
		return p
	}
	if consumer, ok := strings.CutPrefix(id, "c-"); ok && consumer != "" {
		return c.phone(consumer)
	}
	return nil
}

// wroteLast says which phone wrote a text as its last; nil if none or several did.
func (c *channel) wroteLast(text string) *phone {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *phone
	for _, p := range c.phones {
		if p.wrote != text {
			continue
		}
		if found != nil {
			return nil
		}
		found = p
	}
	return found
}

// add puts a message on the phone. The channel is locked.
func (p *phone) add(m *phoneMessage) {
	m.phone, m.at = p, p.channel.sim.now()
	p.lastAt = m.at
	if m.out {
		p.typing = false
	} else {
		p.wrote = m.text
	}
	if m.out && m.kind != "system" {
		p.counters.Received++
	}
	if !p.channel.sim.settings.Load().Transcripts {
		p.thread = nil // only the last one is kept
	} else if m.out && m.kind != "system" && m.text != "" {
		p.texts[m.text]++
	}
	p.thread = append(p.thread, m)
	if p.channel.sim.settings.Load().Transcripts {
		p.byID[m.id] = m
		if m.out {
			p.channel.outs[m.id] = m
		}
	}
	p.show(m)
}

// show tells the readers of the stream. The channel is locked.
func (p *phone) show(m *phoneMessage) {
	p.channel.sim.hub.publish("phone", "", func() any {
		var seen *PhoneMessage
		if m != nil {
			v := m.view()
			seen = &v
		}
		return map[string]any{"phone": p.summary(), "message": seen}
	})
}

func (p *phone) summary() PhoneSummary {
	s := PhoneSummary{
		Channel: p.channel.cfg.Name, Kind: p.channel.cfg.Kind, Consumer: p.consumer, Name: p.name, Messages: len(p.thread),
		LastAt: stamp(p.lastAt), Typing: p.typing, OptedOut: p.optedOut,
	}
	if n := len(p.thread); n > 0 {
		s.Last = p.thread[n-1].text
	}
	return s
}

func (p *phone) view() PhoneView {
	v := PhoneView{PhoneSummary: p.summary(), Conversation: p.conversation, Delivery: p.delivery, Counters: p.counters, Thread: []PhoneMessage{}, Profile: p.profile}
	v.Counters.DoubledTexts = doubled(p.texts)
	for _, m := range p.thread {
		v.Thread = append(v.Thread, m.view())
	}
	return v
}

func (m *phoneMessage) view() PhoneMessage {
	v := PhoneMessage{
		ID: m.id, Direction: "in", Kind: m.kind, Text: m.text, Choices: append([]choiceView{}, m.choices...), At: stamp(m.at), Status: m.status, Code: m.code,
		Read: m.read, Ref: m.ref, Repeats: m.repeats, Raw: m.raw,
	}
	if m.out {
		v.Direction = "out"
	}
	v.Media = []PhoneMedia{}
	for _, f := range m.media {
		shown := PhoneMedia{URL: f.URL, MIME: f.MIME, Name: f.Name, Size: f.Size, Sum: f.Sum, Error: f.Error}
		if f.File != "" {
			shown.Show = "/sim/files/" + f.File
		}
		v.Media = append(v.Media, shown)
	}
	return v
}

// addTo adds the channel's share to the totals.
func (c *channel) addTo(t *PhoneTotals) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Rejected += int(c.rejected)
	for _, p := range c.phones {
		t.Received += p.counters.Received
		t.Repeats += p.counters.Repeats
		t.Rejected += p.counters.Rejected
		t.Posted += p.counters.Posted
		t.Acknowledged += p.counters.Acknowledged
		t.Typing += p.counters.Typing
		for _, n := range p.texts {
			t.DoubledTexts += n - 1
		}
	}
}

func (c *channel) state() ChannelState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ChannelState{Name: c.cfg.Name, Kind: c.cfg.Kind, Account: c.cfg.Account, From: c.cfg.From, Phones: len(c.phones)}
}

// summaries are the channel's phones, the latest first.
func (c *channel) summaries() []PhoneSummary {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]PhoneSummary, 0, len(c.phones))
	for _, p := range slices.Collect(maps.Values(c.phones)) {
		all = append(all, p.summary())
	}
	return all
}

func latestFirst(list []PhoneSummary) []PhoneSummary {
	slices.SortFunc(list, func(a, b PhoneSummary) int {
		return cmp.Or(cmp.Compare(b.LastAt, a.LastAt), cmp.Compare(a.Consumer, b.Consumer))
	})
	return list
}

func newID(prefix string) string { return prefix + strings.ReplaceAll(uuid.NewString(), "-", "") }
