package simulator

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// exchange is one request and its answer, in either direction. It is not changed
// once it has been added to the wire.
type exchange struct {
	id           int64
	at           time.Time
	direction    string // in or out
	class        string
	method, path string
	summary      string
	status       int
	took         time.Duration
	attempt      int
	account      string
	channel      string
	conversation string
	rejected     string
	fault        string
	warnings     []string
	failure      string

	requestHeader, answerHeader http.Header
	request, answer             []byte
}

// Wire is what is shown of an exchange.
type Wire struct {
	ID           int64     `json:"id"`
	At           string    `json:"at"`
	Direction    string    `json:"direction"`
	Class        string    `json:"class"`
	Method       string    `json:"method"`
	Path         string    `json:"path"`
	Summary      string    `json:"summary"`
	Status       int       `json:"status"`
	Ms           float64   `json:"ms"`
	Attempt      int       `json:"attempt"`
	Account      string    `json:"account,omitempty"`
	Channel      string    `json:"channel,omitempty"`
	Conversation string    `json:"conversation,omitempty"`
	Rejected     string    `json:"rejected,omitempty"`
	Fault        string    `json:"fault,omitempty"`
	Warnings     []string  `json:"warnings,omitempty"`
	Error        string    `json:"error,omitempty"`
	Request      *WireHalf `json:"request,omitempty"`
	Response     *WireHalf `json:"response,omitempty"`
}

// WireHalf is one half of an exchange, without secrets and tokens.
type WireHalf struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func (e *exchange) view(bodies bool) Wire {
	v := Wire{
		ID: e.id, At: stamp(e.at), Direction: e.direction, Class: e.class, Method: e.method, Path: e.path,
		Summary: e.summary, Status: e.status, Ms: millis(e.took), Attempt: e.attempt, Account: e.account, Channel: e.channel,
		Conversation: e.conversation, Rejected: e.rejected, Fault: e.fault, Warnings: e.warnings, Error: e.failure,
	}
	if bodies {
		v.Request = &WireHalf{Headers: shown(e.requestHeader), Body: string(e.request)}
		v.Response = &WireHalf{Headers: shown(e.answerHeader), Body: string(e.answer)}
	}
	return v
}

// shown flattens headers and hides what proves identity.
func shown(h http.Header) map[string]string {
	flat := make(map[string]string, len(h))
	for name, values := range h {
		switch strings.ToLower(name) {
		case "authorization", "x-lp-on-behalf", "lp-on-behalf", "cookie", "set-cookie":
			flat[name] = "…"
		default:
			flat[name] = strings.Join(values, ", ")
		}
	}
	return flat
}

// wire keeps the last exchanges.
type wire struct {
	hub  *hub
	mu   sync.Mutex
	last int64
	ring []*exchange // the exchange with ID n is at n % len(ring)
}

func newWire(h *hub) *wire { return &wire{hub: h, ring: make([]*exchange, 1)} }

// keptBody is how much of a body the wire keeps.
const keptBody = 64 << 10

func (w *wire) add(e *exchange) {
	e.request, e.answer = clip(e.request), clip(e.answer)
	w.mu.Lock()
	w.last++
	e.id = w.last
	w.ring[e.id%int64(len(w.ring))] = e
	w.mu.Unlock()
	w.hub.publish("wire", strconv.FormatInt(e.id, 10), func() any { return e })
}

func clip(b []byte) []byte {
	if len(b) > keptBody {
		return append(b[:keptBody:keptBody], "…"...)
	}
	return b
}

func (w *wire) resize(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n == len(w.ring) {
		return
	}
	ring := make([]*exchange, n)
	for _, e := range w.ring {
		if e != nil && e.id > w.last-int64(n) {
			ring[e.id%int64(n)] = e
		}
	}
	w.ring = ring
}

func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.ring) // ids go on, so that a reader's last id stays in the past
}

func (w *wire) lastID() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func (w *wire) get(id int64) *exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id < 1 {
		return nil
	}
	if e := w.ring[id%int64(len(w.ring))]; e != nil && e.id == id {
		return e
	}
	return nil
}

// find returns what matches, newest first.
func (w *wire) find(limit int, match func(*exchange) bool) []*exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*exchange
	for id := w.last; id > w.last-int64(len(w.ring)) && id > 0 && len(found) < limit; id-- {
		if e := w.ring[id%int64(len(w.ring))]; e != nil && e.id == id && match(e) {
			found = append(found, e)
		}
	}
	return found
}

// listWire is GET /sim/wire.
func (s *Simulator) listWire(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64)
	is := func(name, value string) bool { return q.Get(name) == "" || q.Get(name) == value }
	found := s.wire.find(limit(r, 200), func(e *exchange) bool {
		return e.id > after && is("direction", e.direction) && is("class", e.class) && is("conversation", e.conversation) &&
			is("account", e.account) && is("channel", e.channel) &&
			(q.Get("rejected") != "1" || e.rejected != "") && (q.Get("faulted") != "1" || e.fault != "")
	})
	entries := make([]Wire, 0, len(found))
	for _, e := range found {
		entries = append(entries, e.view(q.Get("bodies") == "1"))
	}
	answer(w, http.StatusOK, map[string]any{"entries": entries, "last": s.wire.lastID()})
}

// showWire is GET /sim/wire/{id}.
func (s *Simulator) showWire(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, badRequest("id is a number"))
		return
	}
	e := s.wire.get(id)
	if e == nil {
		refuse(w, unknown("no such entry, or no longer"))
		return
	}
	answer(w, http.StatusOK, e.view(true))
}

func limit(r *http.Request, otherwise int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && n > 0 {
		return n
	}
	return otherwise
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// stamp writes a time as the control API shows it; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
