package simulator

import (
	"math"
	"net/http"
	"slices"
	"strconv"
)

// autoMessages is the feature that controls the controller bot.
const autoMessages = "AUTO_MESSAGES"

// controllerHeard notes how long after its creation a conversation's first message
// came, and lets the controller bot welcome the consumer: when that was soon
// enough, and AUTO_MESSAGES was declared both times. The account is locked.
//
// Source: connector-api-send-api-examples, "Automatic messages".
func (s *Simulator) controllerHeard(k *call, c *conversation) {
	if c.firstSaid != nil {
		return
	}
	took := s.now().Sub(c.started).Milliseconds()
	c.firstSaid = &took
	c.acc.firsts.add(took)
	rules := s.settings.Load().AutoMessages
	if !rules.On || !c.acc.of(rules.Accounts) || rules.Welcome == "" {
		return
	}
	switch {
	case !c.declared[autoMessages] || !c.sending[autoMessages]:
		k.warn("AUTO_MESSAGES is not declared on CONVERSATION and SEND: no welcome")
	case took > int64(rules.WithinMs):
		k.warn("the first message came too late for a welcome")
	default:
		c.autoMessage = true
		c.acc.firsts.welcomed++
		_, _ = c.says(roleController, "Controller", rules.Welcome, "")
	}
}

// controllerJoined lets the controller bot say that an agent has joined.
func (c *conversation) controllerJoined() {
	rules := c.acc.sim.settings.Load().AutoMessages
	if rules.On && rules.Joined != "" && c.acc.of(rules.Accounts) && c.declared[autoMessages] && c.sending[autoMessages] {
		_, _ = c.says(roleController, "Controller", rules.Joined, "")
	}
}

// firsts are the times from creation to the first message. The account guards it.
type firsts struct {
	all      []int64 // ms, the latest of them
	count    int
	welcomed int
}

// keptFirsts bounds the memory of these times.
const keptFirsts = 100_000

func (f *firsts) add(took int64) {
	f.count++
	if len(f.all) >= keptFirsts {
		f.all = f.all[1:]
	}
	f.all = append(f.all, took)
}

// FirstMessages is how long after their creation conversations got their first message.
type FirstMessages struct {
	Count    int   `json:"count"`
	Late     int   `json:"late"` // after more than autoMessages.withinMs
	Welcomed int   `json:"welcomed"`
	P50Ms    int64 `json:"p50Ms"`
	P99Ms    int64 `json:"p99Ms"`
	MaxMs    int64 `json:"maxMs"`
}

// firstMessages is GET /sim/first-messages.
func (s *Simulator) firstMessages(r *http.Request) (any, error) {
	var all []int64
	var out FirstMessages
	name := r.URL.Query().Get("account")
	for _, a := range s.accounts {
		if name != "" && name != a.cfg.Name && name != a.cfg.SiteID {
			continue
		}
		a.mu.Lock()
		all = append(all, a.firsts.all...)
		out.Count += a.firsts.count
		out.Welcomed += a.firsts.welcomed
		a.mu.Unlock()
	}
	within := int64(s.settings.Load().AutoMessages.WithinMs)
	if text := r.URL.Query().Get("withinMs"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, badRequest("withinMs is a number")
		}
		within = n
	}
	slices.Sort(all)
	for _, ms := range all {
		if ms > within {
			out.Late++
		}
	}
	out.P50Ms, out.P99Ms, out.MaxMs = percentile(all, 0.5), percentile(all, 0.99), percentile(all, 1)
	return out, nil
}

// percentile of a sorted list; 0 of none.
func percentile(sorted []int64, p float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(int(math.Ceil(p*float64(len(sorted))))-1, 0)]
}
