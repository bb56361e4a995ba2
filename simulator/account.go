package simulator

import (
	"encoding/json"
	"strings"
	"sync"
)

// account is one LivePerson account. Its mutex guards all that is below it; it is
// never held while something is sent or received.
type account struct {
	sim    *Simulator
	cfg    Account
	sender *sender
	desk   *desk

	mu            sync.Mutex
	consumers     map[string]*consumer // by external id
	conversations map[string]*conversation
	dialogs       map[string]*dialog
	order         []*conversation // oldest first
	minApp        int64           // AppJWTs with a smaller serial are expired
	minJWS        int64
	created       int
	gone          published // of conversations that were forgotten
	firsts        firsts
	sessions      sessions // of visitors, at the Monitoring API
	installs      installs
}

// published sums up what consumers' publishes did.
type published struct {
	count, doubledIDs, doubledTexts, whileClosed, csat int64
}

// keptConversations is how many conversations an account keeps; the oldest closed
// ones are forgotten.
const keptConversations = 20_000

type consumer struct {
	ext, lp       string
	profile       json.RawMessage
	name          string
	phone         *phoneRef
	current       *conversation // the last one opened
	conversations int
	minJWS        int64
}

func newAccount(s *Simulator, cfg Account) *account {
	a := &account{sim: s, cfg: cfg}
	a.desk = newDesk(s, a)
	a.clear()
	a.sender = newSender(s, a)
	return a
}

func (a *account) clear() {
	a.installs = installs{}
	a.desk.clear()
	a.consumers, a.conversations, a.dialogs = map[string]*consumer{}, map[string]*conversation{}, map[string]*dialog{}
	a.order, a.created, a.gone, a.firsts, a.sessions = nil, 0, published{}, firsts{}, sessions{}
}

func (a *account) reset() {
	a.mu.Lock()
	a.clear()
	a.sender.reset()
	a.mu.Unlock()
}

// consumer returns the consumer with an external id, who need not have been known.
func (a *account) consumer(ext string) *consumer {
	a.mu.Lock()
	defer a.mu.Unlock()
	co := a.consumers[ext]
	if co == nil {
		co = &consumer{ext: ext, lp: consumerID(a.cfg.SiteID, ext)}
		a.consumers[ext] = co
	}
	return co
}

func (a *account) oldestApp() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.minApp
}

func (a *account) oldestJWS(co *consumer) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(a.minJWS, co.minJWS)
}

// expireTokens makes every AppJWT issued so far expired.
func (a *account) expireTokens() {
	next := a.sim.keys.next()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.minApp = next
}

// revokeJWS makes the ConsumerJWS of one consumer, or of all, invalid, and says of
// how many.
func (a *account) revokeJWS(ext string) int {
	next := a.sim.keys.next()
	a.mu.Lock()
	defer a.mu.Unlock()
	if ext == "" {
		a.minJWS = next
		return len(a.consumers)
	}
	co := a.consumers[ext]
	if co == nil {
		return 0
	}
	co.minJWS = next
	return 1
}

// setProfile keeps a profile and what is shown of it. The account is locked.
func (a *account) setProfile(co *consumer, body json.RawMessage) {
	if len(body) == 0 || string(body) == "{}" {
		return
	}
	co.profile = merged(co.profile, body)
	p := readProfile(body)
	if p.name != "" {
		co.name = p.name
	}
	for _, ch := range a.sim.channels {
		if ch.cfg.Account != "" && ch.cfg.Account != a.cfg.Name {
			continue
		}
		for _, value := range p.values {
			if ch.has(value) {
				co.phone = &phoneRef{Channel: ch.cfg.Name, Consumer: value}
				return
			}
		}
	}
}

// guessPhone finds whose text it is, for the desk, when the profile names no phone.
func (a *account) guessPhone(text string) *phoneRef {
	for _, ch := range a.sim.channels {
		if ch.cfg.Account != "" && ch.cfg.Account != a.cfg.Name {
			continue
		}
		if p := ch.wroteLast(text); p != nil {
			return &phoneRef{Channel: ch.cfg.Name, Consumer: p.consumer}
		}
	}
	return nil
}

// profileFacts is what the desk shows of a profile: a name, and every value that
// may be the consumer's name on a channel.
type profileFacts struct {
	name   string
	values []string
}

func readProfile(body json.RawMessage) profileFacts {
	var root any
	if json.Unmarshal(body, &root) != nil {
		return profileFacts{}
	}
	named := map[string]string{}
	var f profileFacts
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				walk(k, inner)
			}
		case []any:
			for _, inner := range v {
				walk(name, inner)
			}
		case string:
			named[strings.ToLower(name)] = v
			f.values = append(f.values, v)
		}
	}
	walk("", root)
	f.name = strings.TrimSpace(named["firstname"] + " " + named["lastname"])
	for _, other := range []string{"nickname", "username", "accountname"} {
		if f.name == "" {
			f.name = named[other]
		}
	}
	return f
}

// remember adds a conversation. The account is locked.
func (a *account) remember(c *conversation) {
	a.conversations[c.id] = c
	a.order = append(a.order, c)
	a.created++
	if len(a.order) <= keptConversations {
		return
	}
	for i, old := range a.order {
		if old.open() {
			continue
		}
		a.gone.add(old.counters)
		delete(a.conversations, old.id)
		for _, d := range old.dialogs {
			delete(a.dialogs, d.id)
		}
		a.order = append(a.order[:i:i], a.order[i+1:]...)
		return
	}
}

func (p *published) add(c *tally) {
	p.count += int64(c.published)
	p.doubledIDs += int64(c.doubledIDs)
	p.doubledTexts += int64(c.doubledTexts)
	p.whileClosed += int64(c.whileClosed)
	p.csat += int64(c.csatReports)
}

// addTo adds the account's share to the totals.
func (a *account) addTo(t *Counters) {
	a.mu.Lock()
	sum := a.gone
	for _, c := range a.order {
		sum.add(c.counters)
		if c.open() {
			t.Conversations["open"]++
		}
	}
	t.Conversations["created"] += a.created
	a.mu.Unlock()
	t.Published += sum.count
	t.DoubledExternalIDs += sum.doubledIDs
	t.DoubledTexts += sum.doubledTexts
	t.WhileClosed += sum.whileClosed
	t.CSATReports += sum.csat
	w := a.sender.counters.view()
	t.Webhooks.Queued += w.Queued
	t.Webhooks.Delivered += w.Delivered
	t.Webhooks.Attempts += w.Attempts
	t.Webhooks.Failed += w.Failed
	t.Webhooks.Duplicated += w.Duplicated
	t.Webhooks.Lost += w.Lost
	t.Webhooks.Dropped += w.Dropped
	t.Webhooks.Slow += w.Slow
}

// conversationByID looks in every account.
func (s *Simulator) conversationByID(id string) (*account, *conversation) {
	for _, a := range s.accounts {
		a.mu.Lock()
		c := a.conversations[id]
		a.mu.Unlock()
		if c != nil {
			return a, c
		}
	}
	return nil, nil
}
