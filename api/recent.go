package api

import (
	"sync"
	"time"
)

// How long a lookup is good for, and how many are kept. What was not there may
// come any moment: it is asked for again sooner.
const (
	freshFor    = 5 * time.Second
	missingFor  = time.Second
	mostRecents = 10_000
)

// recent remembers lookups for a moment, so that typing does not become a query
// for each key.
type recent[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]recentEntry[V]
}

type recentEntry[V any] struct {
	value V
	found bool
	until time.Time
}

func newRecent[K comparable, V any]() *recent[K, V] {
	return &recent[K, V]{entries: map[K]recentEntry[V]{}}
}

// get returns what is remembered, or else what ask returns.
func (r *recent[K, V]) get(key K, ask func() (V, bool, error)) (V, bool, error) {
	r.mu.Lock()
	e, ok := r.entries[key]
	r.mu.Unlock()
	if ok && time.Now().Before(e.until) {
		return e.value, e.found, nil
	}
	value, found, err := ask()
	if err != nil {
		return value, false, err
	}
	e = recentEntry[V]{value: value, found: found, until: time.Now().Add(missingFor)}
	if found {
		e.until = time.Now().Add(freshFor)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) >= mostRecents {
		clear(r.entries)
	}
	r.entries[key] = e
	return value, found, nil
}

// put remembers a value for a time.
func (r *recent[K, V]) put(key K, value V, during time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) >= mostRecents {
		clear(r.entries)
	}
	r.entries[key] = recentEntry[V]{value: value, found: true, until: time.Now().Add(during)}
}

// has says whether a value is remembered.
func (r *recent[K, V]) has(key K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.entries[key]
	return ok && time.Now().Before(e.until)
}

// forget makes the next get ask.
func (r *recent[K, V]) forget(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, key)
}
