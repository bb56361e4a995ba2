package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/simulator"
)

// far is the simulator with a clock at its door: of every message of ours it notes
// when the request that bears it arrived and when it was accepted.
type far struct {
	sim    *simulator.Simulator
	server *http.Server

	mu      sync.Mutex
	seen    map[int]sighting
	doubled int
	late    time.Time // the last acceptance
}

type sighting struct{ arrived, accepted time.Time }

func newFar(sim *simulator.Simulator, l net.Listener) *far {
	f := &far{sim: sim, seen: map[int]sighting{}}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = f.server.Serve(l) }()
	return f
}

func (f *far) close() {
	f.sim.Close()
	_ = f.server.Close()
}

// ServeHTTP passes everything on to the simulator.
func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if !strings.HasSuffix(r.URL.Path, "/conversation/send") && !strings.HasPrefix(r.URL.Path, "/provider/") {
		f.sim.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := &status{ResponseWriter: w, code: http.StatusOK}
	f.sim.ServeHTTP(answer, r)
	if n, ok := serial(body); ok && answer.code == http.StatusOK {
		f.note(n, arrived)
	}
}

func (f *far) note(n int, arrived time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, again := f.seen[n]; again {
		f.doubled++
		return
	}
	f.late = time.Now()
	f.seen[n] = sighting{arrived, f.late}
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// A message's text bears its serial number between these.
const before, digits = "bench#", 9

func mark(n int) string { return fmt.Sprintf("%s%0*d", before, digits, n) }

func serial(body []byte) (int, bool) {
	_, rest, found := bytes.Cut(body, []byte(before))
	if !found || len(rest) < digits {
		return 0, false
	}
	n, err := strconv.Atoi(string(rest[:digits]))
	return n, err == nil
}

// patience is how long deliveries are waited for after everything was posted.
const patience = 5 * time.Minute

// delivered waits until every message of the range [from, to) was accepted.
func (f *far) delivered(ctx context.Context, from, to int) ([]sighting, error) {
	deadline := time.Now().Add(patience)
	for next := from; ; {
		f.mu.Lock()
		for next < to && !f.seen[next].accepted.IsZero() {
			next++
		}
		f.mu.Unlock()
		if next == to {
			break
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("lost: message %d of %d to %d has not arrived within %s", next, from, to, patience)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]sighting, 0, to-from)
	for n := from; n < to; n++ {
		list = append(list, f.seen[n])
	}
	return list, nil
}

// outstanding counts the messages of a range that are still on their way.
func (f *far) outstanding(from, to int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for i := from; i < to; i++ {
		if f.seen[i].accepted.IsZero() {
			n++
		}
	}
	return n
}

// last is when the last of them was accepted.
func last(list []sighting) time.Time {
	var t time.Time
	for _, s := range list {
		if s.accepted.After(t) {
			t = s.accepted
		}
	}
	return t
}

// call is one request to the simulator's control API.
func (f *far) call(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer := httptest.NewRecorder()
	f.sim.ServeHTTP(answer, httptest.NewRequest(method, path, bytes.NewReader(body)))
	if answer.Code/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Body.Bytes(), out)
}

// open lists the newest open conversations of the cloud, at most 100.
func (f *far) open() ([]string, error) {
	var list struct {
		Conversations []struct {
			ID string `json:"id"`
		} `json:"conversations"`
	}
	if err := f.call(http.MethodGet, "/sim/conversations?account=main&state=open&limit=100", nil, &list); err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range list.Conversations {
		ids = append(ids, c.ID)
	}
	return ids, nil
}

// check compares the simulator's own counters with what was sent.
func (f *far) check(toCloud, toChannel int) error {
	var c simulator.Counters
	if err := f.call(http.MethodGet, "/sim/counters", nil, &c); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case c.Published != int64(toCloud):
		return fmt.Errorf("%d messages were sent to the cloud, %d were published there", toCloud, c.Published)
	case c.Phones.Received != toChannel:
		return fmt.Errorf("%d messages were sent to consumers, %d were received there", toChannel, c.Phones.Received)
	case c.DoubledExternalIDs > 0 || c.Phones.Repeats > 0 || f.doubled > 0:
		return fmt.Errorf("doubled: %d at the cloud, %d at the channel, %d seen", c.DoubledExternalIDs, c.Phones.Repeats, f.doubled)
	case len(c.Rejected) > 0 || c.WhileClosed > 0:
		return fmt.Errorf("the far sides refused requests: %v", c.Rejected)
	}
	return nil
}
