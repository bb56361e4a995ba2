package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// watch notes when each text first reached an agent or a phone, as the simulator
// tells it while it happens. The checks do not rely on it: it is for times only.
type watch struct {
	mu      sync.Mutex
	arrived map[string]time.Time
	waiting map[string]chan struct{}
	cancel  context.CancelFunc
	done    chan struct{}
}

func (s *stack) watch(ctx context.Context) (*watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.far.url+"/sim/stream?kinds=conversation,phone", nil)
	if err != nil {
		cancel()
		return nil, err
	}
	response, err := (&http.Client{}).Do(r)
	if err != nil {
		cancel()
		return nil, err
	}
	w := &watch{arrived: map[string]time.Time{}, waiting: map[string]chan struct{}{}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		defer response.Body.Close()
		lines := bufio.NewReader(response.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				w.note(data)
			}
		}
	}()
	return w, nil
}

func (w *watch) note(data string) {
	var seen struct {
		Event *struct {
			Role, Type, Text string
		} `json:"event"`
		Message *struct {
			Direction, Text string
		} `json:"message"`
	}
	if json.Unmarshal([]byte(data), &seen) != nil {
		return
	}
	text := ""
	switch {
	case seen.Event != nil && seen.Event.Role == "CONSUMER":
		text = seen.Event.Text
	case seen.Message != nil && seen.Message.Direction == "out":
		text = seen.Message.Text
	}
	if text == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.arrived[text]; !there {
		w.arrived[text] = time.Now()
		if c := w.waiting[text]; c != nil {
			close(c)
			delete(w.waiting, text)
		}
	}
}

// expect returns a channel that is closed when a text arrives. Ask before it is
// sent, and once.
func (w *watch) expect(text string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	w.waiting[text] = c
	return c
}

func (w *watch) at(text string) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.arrived[text]
	return at, ok
}

func (w *watch) close() {
	w.cancel()
	<-w.done
}

// recovery is how long after a moment the first message arrived of those that were
// due after it.
func (w *watch) recovery(l *load, since time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	best, found := time.Duration(0), false
	for _, m := range l.sent {
		if m.due.Before(since) {
			continue
		}
		if at, ok := w.at(m.text); ok && (!found || at.Sub(since) < best) {
			best, found = at.Sub(since), true
		}
	}
	return best, found
}

// took is how long each message of the load was under way, from when it was due.
func (w *watch) took(l *load) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	for _, m := range l.sent {
		if at, ok := w.at(m.text); ok {
			all = append(all, at.Sub(m.due))
		}
	}
	return all
}
