package simulator

import (
	"maps"
	"sync"
	"sync/atomic"
)

// RequestCounters counts the requests of one class.
type RequestCounters struct {
	Total    int64 `json:"total"`
	OK       int64 `json:"ok"`
	Rejected int64 `json:"rejected"`
	Faulted  int64 `json:"faulted"`
}

// WebhookCounters counts webhooks. Queued is how many there were ever; Attempts,
// how many requests they took; Dropped, how many were given up.
type WebhookCounters struct {
	Queued     int64 `json:"queued"`
	Delivered  int64 `json:"delivered"`
	Attempts   int64 `json:"attempts"`
	Failed     int64 `json:"failed"`
	Duplicated int64 `json:"duplicated"`
	Lost       int64 `json:"lost"`
	Dropped    int64 `json:"dropped"`
	Slow       int64 `json:"slow"`
}

// hookCounters are WebhookCounters that many goroutines change.
type hookCounters struct {
	queued, delivered, attempts, failed, duplicated, lost, dropped, slow atomic.Int64
}

func (c *hookCounters) reset() {
	for _, n := range []*atomic.Int64{&c.queued, &c.delivered, &c.attempts, &c.failed, &c.duplicated, &c.lost, &c.dropped, &c.slow} {
		n.Store(0)
	}
}

func (c *hookCounters) view() WebhookCounters {
	return WebhookCounters{
		Queued: c.queued.Load(), Delivered: c.delivered.Load(), Attempts: c.attempts.Load(), Failed: c.failed.Load(),
		Duplicated: c.duplicated.Load(), Lost: c.lost.Load(), Dropped: c.dropped.Load(), Slow: c.slow.Load(),
	}
}

// Counters is the sum of everything since the start or the last reset.
type Counters struct {
	Requests           map[string]RequestCounters `json:"requests"`
	Rejected           map[string]int64           `json:"rejected"`
	Warnings           map[string]int64           `json:"warnings"`
	Conversations      map[string]int             `json:"conversations"`
	Published          int64                      `json:"published"`
	DoubledExternalIDs int64                      `json:"doubledExternalIds"`
	DoubledTexts       int64                      `json:"doubledTexts"`
	WhileClosed        int64                      `json:"whileClosed"`
	CSATReports        int64                      `json:"csatReports"`
	Webhooks           WebhookCounters            `json:"webhooks"`
	Phones             PhoneTotals                `json:"phones"`
}

// counters counts what is not counted per conversation or phone.
type counters struct {
	mu       sync.Mutex
	requests map[string]*RequestCounters
	rejected map[string]int64
	warnings map[string]int64
}

func newCounters() *counters {
	c := &counters{}
	c.reset()
	return c
}

func (c *counters) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests, c.rejected, c.warnings = map[string]*RequestCounters{}, map[string]int64{}, map[string]int64{}
}

// request counts an exchange that Parley began.
func (c *counters) request(e *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.requests[e.class]
	if r == nil {
		r = &RequestCounters{}
		c.requests[e.class] = r
	}
	r.Total++
	switch {
	case e.fault != "" && e.fault != doDelay:
		r.Faulted++
	case e.rejected != "":
		r.Rejected++
	default:
		r.OK++
	}
	if e.rejected != "" {
		c.rejected[e.rejected]++
	}
	for _, w := range e.warnings {
		c.warnings[w]++
	}
}

// totals adds everything up.
func (s *Simulator) totals() Counters {
	t := Counters{Conversations: map[string]int{"created": 0, "open": 0}, Requests: map[string]RequestCounters{}}
	s.counters.mu.Lock()
	for class, r := range s.counters.requests {
		t.Requests[class] = *r
	}
	t.Rejected, t.Warnings = maps.Clone(s.counters.rejected), maps.Clone(s.counters.warnings)
	s.counters.mu.Unlock()
	for _, a := range s.accounts {
		a.addTo(&t)
	}
	for _, c := range s.channels {
		c.addTo(&t.Phones)
	}
	return t
}
