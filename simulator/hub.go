package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// backlog is how many messages a reader of the stream may be behind.
const backlog = 2048

// hub hands what happens to those who read the stream. It never waits for them:
// who is too slow misses messages and is told how many.
type hub struct {
	readers atomic.Int32
	mu      sync.Mutex
	all     map[*reader]bool
}

type reader struct {
	kinds  []string
	bodies bool
	out    chan message
	lost   atomic.Int64
}

type message struct {
	event string
	id    string
	data  any
}

func newHub() *hub { return &hub{all: map[*reader]bool{}} }

// publish calls build only when somebody reads. build must return a value that
// nobody changes afterwards.
func (h *hub) publish(event, id string, build func() any) {
	if h.readers.Load() == 0 {
		return
	}
	m := message{event: event, id: id, data: build()}
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.all {
		if !r.wants(event) {
			continue
		}
		select {
		case r.out <- m:
		default:
			r.lost.Add(1)
		}
	}
}

// wants says whether a reader asked for an event; what is rare everybody gets.
func (r *reader) wants(event string) bool {
	switch event {
	case "wire", "conversation", "phone":
		return len(r.kinds) == 0 || slices.Contains(r.kinds, event)
	}
	return true
}

func (h *hub) join(r *reader) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[r] = true
	h.readers.Add(1)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, r)
		h.readers.Add(-1)
	}
}

// stream is GET /sim/stream.
func (s *Simulator) stream(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	rd := &reader{out: make(chan message, backlog), bodies: q.Get("bodies") == "1"}
	if k := q.Get("kinds"); k != "" {
		rd.kinds = strings.Split(k, ",")
	}
	defer s.hub.join(rd)()

	flush := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if rd.write(w, message{event: "hello", data: s.state()}) != nil || flush.Flush() != nil {
		return
	}
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-s.life.Done():
			return
		case <-alive.C:
			_, err = fmt.Fprint(w, ": alive\n\n")
		case m := <-rd.out:
			err = rd.writeAll(w, m)
		}
		if err != nil || flush.Flush() != nil {
			return
		}
	}
}

// writeAll writes m and whatever else waits, so that a burst is flushed once.
func (r *reader) writeAll(w http.ResponseWriter, m message) error {
	for {
		if err := r.write(w, m); err != nil {
			return err
		}
		select {
		case m = <-r.out:
			continue
		default:
		}
		if n := r.lost.Swap(0); n > 0 {
			return r.write(w, message{event: "lost", data: map[string]int64{"count": n}})
		}
		return nil
	}
}

func (r *reader) write(w http.ResponseWriter, m message) error {
	if e, ok := m.data.(*exchange); ok {
		m.data = e.view(r.bodies)
	}
	b, err := json.Marshal(m.data)
	if err != nil {
		return err
	}
	if m.id != "" {
		if _, err := fmt.Fprintf(w, "id: %s\n", m.id); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", m.event, b)
	return err
}
