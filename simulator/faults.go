package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Faults is everything that is told to go wrong.
type Faults struct {
	Seed     uint64        `json:"seed"`
	Rules    []Rule        `json:"rules"`
	Webhooks WebhookFaults `json:"webhooks"`
}

// Rule makes requests to the far sides fail.
type Rule struct {
	Class       string  `json:"class"`
	Do          string  `json:"do"`
	Probability float64 `json:"probability"`
	Count       int     `json:"count"`
	Skip        int     `json:"skip"`
	Match       string  `json:"match"`
	Status      int     `json:"status"`
	RetryAfter  int     `json:"retryAfter"`
	DelayMs     int     `json:"delayMs"`
	DelayMaxMs  int     `json:"delayMaxMs"`
	Hits        int     `json:"hits"`

	seen int
}

// WebhookFaults is what goes wrong with webhooks to Parley.
type WebhookFaults struct {
	Duplicate            int     `json:"duplicate"`
	DuplicateProbability float64 `json:"duplicateProbability"`
	ShuffleMs            int     `json:"shuffleMs"`
	Lose                 float64 `json:"lose"`
	LoseCount            int     `json:"loseCount"`
	Early                bool    `json:"early"`
	Hold                 bool    `json:"hold"`
	DelayMs              int     `json:"delayMs"`
	Echoes               *bool   `json:"echoes"`
}

// What a Rule can do.
const (
	doThrottle   = "throttle"
	doFailBefore = "fail-before"
	doFailAfter  = "fail-after"
	doDropBefore = "drop-before"
	doDropAfter  = "drop-after"
	doHangBefore = "hang-before"
	doHangAfter  = "hang-after"
	doDelay      = "delay"
	doExpire     = "expire"
	doRejectJWS  = "reject-jws"
	doWarmUp     = "warm-up"
)

var (
	ruleActs    = []string{doThrottle, doFailBefore, doFailAfter, doDropBefore, doDropAfter, doHangBefore, doHangAfter, doDelay, doExpire, doRejectJWS, doWarmUp}
	ruleClasses = []string{"", classDomain, classToken, classConsumer, classConversation, classSend, classTwilio, classHTTP, classSwift, classMonitoring, classMedia, classLogin, classInstall}
)

// decision is what the faults have in mind for one request.
type decision struct {
	delay time.Duration
	rule  *Rule // a copy; nil when it is to succeed
}

func (d decision) do() string {
	if d.rule == nil {
		return ""
	}
	return d.rule.Do
}

// fate is what the faults have in mind for one webhook.
type fate struct {
	lost    bool
	copies  int // extra ones
	delays  []time.Duration
	shuffle bool
}

type faults struct {
	mu  sync.Mutex
	now Faults
	rnd *rand.Rand
}

func newFaults() *faults {
	f := &faults{}
	f.replace(Faults{})
	return f
}

func (f *faults) replace(next Faults) {
	if next.Seed == 0 {
		next.Seed = 1
	}
	if next.Webhooks.Echoes == nil {
		yes := true
		next.Webhooks.Echoes = &yes
	}
	if next.Rules == nil {
		next.Rules = []Rule{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rnd == nil || f.now.Seed != next.Seed || len(next.Rules) == 0 {
		f.rnd = rand.New(rand.NewPCG(next.Seed, 0))
	}
	f.now = next
}

// add adds one rule. What the others have counted meanwhile stays.
func (f *faults) add(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Hits = 0
	f.now.Rules = append(slices.Clone(f.now.Rules), r)
}

// parse reads Faults over a base.
func (f *faults) parse(base Faults, patch []byte) (Faults, error) {
	if len(bytes.TrimSpace(patch)) == 0 {
		return base, nil
	}
	if base.Webhooks.Echoes != nil {
		v := *base.Webhooks.Echoes
		base.Webhooks.Echoes = &v
	}
	d := json.NewDecoder(bytes.NewReader(patch))
	d.DisallowUnknownFields()
	before := base.Rules
	base.Rules = nil
	if err := d.Decode(&base); err != nil {
		return base, fmt.Errorf("faults: %w", err)
	}
	if base.Rules == nil {
		base.Rules = before
		return base, nil
	}
	var errs []error
	for i := range base.Rules {
		base.Rules[i].Hits = 0 // they may come from an earlier answer
		errs = append(errs, base.Rules[i].check(i))
	}
	return base, errors.Join(errs...)
}

func (r Rule) check(i int) error {
	if !slices.Contains(ruleActs, r.Do) {
		return fmt.Errorf("rules[%d].do: one of %s", i, strings.Join(ruleActs, ", "))
	}
	if !slices.Contains(ruleClasses, r.Class) {
		return fmt.Errorf("rules[%d].class: one of %s", i, strings.Join(ruleClasses[1:], ", "))
	}
	if r.Do == doWarmUp && r.Class != classMonitoring {
		return fmt.Errorf("rules[%d].do: only monitoring warms up", i)
	}
	if r.Probability < 0 || r.Probability > 1 {
		return fmt.Errorf("rules[%d].probability: 0 to 1", i)
	}
	return nil
}

func (f *faults) current() Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.now
	c.Rules = slices.Clone(f.now.Rules)
	return c
}

// decide says what happens to a request. Rules are asked in order; a delay adds
// up and lets the next rules have their say.
func (f *faults) decide(class string, body []byte) decision {
	f.mu.Lock()
	defer f.mu.Unlock()
	var d decision
	for i := range f.now.Rules {
		r := &f.now.Rules[i]
		if !f.fires(r, class, body) {
			continue
		}
		if r.Do == doDelay {
			d.delay += f.pause(r)
			continue
		}
		c := *r
		d.rule = &c
		break
	}
	return d
}

func (f *faults) fires(r *Rule, class string, body []byte) bool {
	if (r.Class != "" && r.Class != class) || (r.Match != "" && !bytes.Contains(body, []byte(r.Match))) {
		return false
	}
	r.seen++
	if r.seen <= r.Skip || (r.Count > 0 && r.Hits >= r.Count) {
		return false
	}
	if r.Probability > 0 && r.Probability < 1 && f.rnd.Float64() >= r.Probability {
		return false
	}
	r.Hits++
	return true
}

func (f *faults) pause(r *Rule) time.Duration {
	d := ms(r.DelayMs)
	if r.DelayMaxMs > r.DelayMs {
		d += time.Duration(f.rnd.Int64N(int64(ms(r.DelayMaxMs - r.DelayMs))))
	}
	return d
}

// fateOf says what happens to a webhook.
func (f *faults) fateOf() fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &f.now.Webhooks
	var out fate
	if w.LoseCount > 0 {
		w.LoseCount--
		out.lost = true
		return out
	}
	if w.Lose > 0 && f.rnd.Float64() < w.Lose {
		out.lost = true
		return out
	}
	if w.Duplicate > 0 && (w.DuplicateProbability == 0 || f.rnd.Float64() < w.DuplicateProbability) {
		out.copies = w.Duplicate
	}
	out.shuffle = w.ShuffleMs > 0
	for range out.copies + 1 {
		d := ms(w.DelayMs)
		if out.shuffle {
			d += time.Duration(f.rnd.Int64N(int64(ms(w.ShuffleMs))))
		}
		out.delays = append(out.delays, d)
	}
	return out
}

func (f *faults) webhooks() WebhookFaults {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now.Webhooks
}
