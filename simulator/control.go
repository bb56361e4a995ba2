package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// controlError is an error with the status the control API answers it with.
type controlError struct {
	status int
	text   string
}

func (e *controlError) Error() string { return e.text }

func badRequest(text string) error { return &controlError{http.StatusBadRequest, text} }
func unknown(text string) error    { return &controlError{http.StatusNotFound, text} }
func impossible(text string) error { return &controlError{http.StatusConflict, text} }

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var e *controlError
	if errors.As(err, &e) {
		status = e.status
	}
	answer(w, status, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, v any) {
	b := marshal(v)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// maxControl is how large a request to the control API may be: files ride in it.
const maxControl = 64 << 20

// read decodes a body that may be empty.
func read(r *http.Request, v any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxControl))
	if err != nil {
		return badRequest("the body could not be read")
	}
	if len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return badRequest("not understood: " + err.Error())
	}
	return nil
}

// handle answers with what f returns.
func handle(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, v)
	}
}

// State is what there is, and how it is set.
type State struct {
	StartedAt  string         `json:"startedAt"`
	Now        string         `json:"now"`
	ParleyURL  string         `json:"parleyUrl"`
	PublicURL  string         `json:"publicUrl"`
	TemporalUI string         `json:"temporalUi"`
	LastWire   int64          `json:"lastWire"`
	Accounts   []AccountState `json:"accounts"`
	Channels   []ChannelState `json:"channels"`
	Skills     []Skill        `json:"skills"`
	Settings   Settings       `json:"settings"`
	Faults     Faults         `json:"faults"`
	Counters   Counters       `json:"counters"`
}

// AccountState is an account and its webhook sender.
type AccountState struct {
	Name          string      `json:"name"`
	SiteID        string      `json:"siteId"`
	ClientID      string      `json:"clientId"`
	Conversations int         `json:"conversations"`
	Open          int         `json:"open"`
	Webhooks      SenderState `json:"webhooks"`
}

// SenderState is how a webhook sender stands.
type SenderState struct {
	State      string `json:"state"` // UP, FAILED, IN TRANSITION or RECOVERED
	Queued     int    `json:"queued"`
	InFlight   int    `json:"inFlight"`
	Stored     int    `json:"stored"`     // IN TRANSITION: events that are still to be replayed
	Failures   int    `json:"failures"`   // FAILED: in a row
	OutOfOrder int    `json:"outOfOrder"` // events that did not wait for a draining one any longer
	Since      string `json:"since"`
	NextTry    string `json:"nextTry"` // FAILED: when an event is tried again
}

// ChannelState is a channel and how many phones use it.
type ChannelState struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Account string `json:"account"`
	From    string `json:"from"`
	Phones  int    `json:"phones"`
}

// Skill is a queue a conversation can be transferred to.
type Skill struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

var skills = []Skill{{"2210", "Orders"}, {"2211", "Billing"}, {"2212", "Returns"}, {unassigned, "Unassigned"}}

func (s *Simulator) state() State {
	st := State{
		StartedAt: stamp(s.started), Now: stamp(time.Now()), ParleyURL: s.settings.Load().ParleyURL, PublicURL: s.publicURL(),
		TemporalUI: s.cfg.TemporalUI, LastWire: s.wire.lastID(), Accounts: []AccountState{}, Channels: []ChannelState{},
		Skills: skills, Settings: *s.settings.Load(), Faults: s.faults.current(), Counters: s.totals(),
	}
	for _, a := range s.accounts {
		st.Accounts = append(st.Accounts, a.state())
	}
	for _, c := range s.channels {
		st.Channels = append(st.Channels, c.state())
	}
	return st
}

func (a *account) state() AccountState {
	st := AccountState{Name: a.cfg.Name, SiteID: a.cfg.SiteID, ClientID: a.cfg.ClientID, Webhooks: a.sender.state()}
	a.mu.Lock()
	defer a.mu.Unlock()
	st.Conversations = len(a.order)
	for _, c := range a.order {
		if c.open() {
			st.Open++
		}
	}
	return st
}

func (s *sender) state() SenderState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown()
}

// listConversations is GET /sim/conversations.
func (s *Simulator) listConversations(r *http.Request) (any, error) {
	q := r.URL.Query()
	most := limit(r, 100)
	views := []ConversationView{}
	for _, a := range s.accounts {
		if name := q.Get("account"); name != "" && name != a.cfg.Name && name != a.cfg.SiteID {
			continue
		}
		a.mu.Lock()
		found := 0
		for i := len(a.order) - 1; i >= 0 && found < most; i-- {
			c := a.order[i]
			if (q.Get("state") == "open" && !c.open()) || (q.Get("state") == "closed" && c.open()) ||
				(q.Get("consumer") != "" && q.Get("consumer") != c.consumer.ext) {
				continue
			}
			views = append(views, c.view())
			found++
		}
		a.mu.Unlock()
	}
	slices.SortStableFunc(views, func(x, y ConversationView) int {
		if x.StartedAt == y.StartedAt {
			return 0
		}
		if x.StartedAt > y.StartedAt {
			return -1
		}
		return 1
	})
	return map[string]any{"conversations": views[:min(most, len(views))]}, nil
}

// showConversation is GET /sim/conversations/{id}.
func (s *Simulator) showConversation(r *http.Request) (any, error) {
	a, c := s.conversationByID(r.PathValue("id"))
	if c == nil {
		return nil, unknown("no such conversation")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.detail(), nil
}

// agentActs is POST /sim/conversations/{id}/{act}.
func (s *Simulator) agentActs(r *http.Request) (any, error) {
	f := acts[r.PathValue("act")]
	if f == nil {
		return nil, unknown("no such act")
	}
	a, c := s.conversationByID(r.PathValue("id"))
	if c == nil {
		return nil, unknown("no such conversation")
	}
	var in act
	if err := read(r, &in); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return f(c, in)
}

// delivery is how one request of the control API's to Parley went.
type delivery struct {
	Status int     `json:"status"`
	Ms     float64 `json:"ms"`
	Error  string  `json:"error"`
}

// emit is POST /sim/accounts/{account}/emit: any body as a webhook.
func (s *Simulator) emit(r *http.Request) (any, error) {
	a := s.account(r.PathValue("account"))
	if a == nil {
		return nil, unknown("no such account")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20)) // large ones on purpose: Parley has a limit to keep
	if err != nil {
		return nil, badRequest("the body could not be read")
	}
	set, q := s.settings.Load(), r.URL.Query()
	signature := cloudSignature(set.Signature, first(a.cfg.ClientSecret), body)
	switch q.Get("signature") {
	case "", "good":
	case "bad":
		signature = cloudSignature(set.Signature, "not the secret", body)
	case "none":
		signature = ""
	default:
		return nil, badRequest("signature is good, bad or none")
	}
	copies, _ := strconv.Atoi(q.Get("copies"))
	var last delivery
	for range max(copies, 1) {
		e := a.sender.post(set, kindContent, body, signature)
		e.class, e.summary, e.attempt, e.conversation = "emit", "raw webhook", 1, q.Get("conversation")
		s.wire.add(e)
		last = delivery{Status: e.status, Ms: millis(e.took), Error: e.failure}
	}
	return last, nil
}
