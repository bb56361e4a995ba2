// Package conversation holds the rules of one conversation: what follows from
// what a consumer wrote, from what the Conversational Cloud told us, from the
// outcome of what we sent, and from the passing of time.
//
// It is plain Go. State.Apply changes a state by one event and queues the
// commands that follow from it on two lanes; it does no I/O, reads no clock,
// starts nothing and ranges over no map, so equal states given equal events
// become equal states on any machine in any year. Replay relies on that.
// Feeding it events and carrying its commands out is the business of package
// workflows; sending is that of package activities.
package conversation

import (
	"time"

	"parley/message"
)

// LatestRules is the newest version of the rules. A change to what Apply queues
// for the same input raises it, and branches on State.Rules.
const LatestRules = 2

// Stage is where a conversation stands.
type Stage string

// A conversation goes through these in order. Closed is final: a message after
// it belongs to the next conversation.
const (
	Opening Stage = "opening" // no conversation in the cloud yet
	Open    Stage = "open"
	Closing Stage = "closing" // over in the cloud; the survey is still running
	Closed  Stage = "closed"
)

// SurveyMode says who asks the consumer how it went.
type SurveyMode string

// The modes an account can choose.
const (
	SurveyConnector SurveyMode = "connector"
	SurveyCloud     SurveyMode = "cloud"
	SurveyOff       SurveyMode = "off"
)

// Settings is what the configuration says about a conversation. It travels with
// the state, so that a run is judged by the settings it started with, whatever
// a later deployment says. A run that the relay starts takes the new ones.
type Settings struct {
	Account       string        `json:"account"`
	Language      string        `json:"language,omitempty"` // BCP 47, of our own texts
	Survey        SurveyMode    `json:"survey"`
	SurveyTimeout time.Duration `json:"surveyTimeout"`
	CloseWords    []string      `json:"closeWords,omitempty"`
	ReorderWindow time.Duration `json:"reorderWindow"`
	Receipts      bool          `json:"receipts,omitempty"` // the channel reports delivery: ACCEPT waits for it
	Texts         Texts         `json:"texts,omitzero"`
	Routes        []Route       `json:"routes,omitempty"` // the first that fits is taken
}

// Route says where a conversation goes when it is opened.
type Route struct {
	Words      []string `json:"words,omitempty"` // one of them is in the first message, in any case; none: always
	Skill      string   `json:"skill,omitempty"`
	Urgency    string   `json:"urgency,omitempty"`    // NORMAL, URGENT, PRIORITIZED; also applied when Words are written later
	Engagement bool     `json:"engagement,omitempty"` // campaign and engagement are asked for at the Monitoring API
	Entry      []string `json:"entry,omitempty"`      // entry points for that question, e.g. "sec://sport"
}

// Cloud is what is known of the conversation in the cloud.
type Cloud struct {
	Conversation string `json:"conversation,omitempty"`
	Version      int64  `json:"version,omitempty"` // of the newest snapshot applied
	Shut         int64  `json:"shut,omitempty"`    // of the snapshot that said it was closed
	Skill        string `json:"skill,omitempty"`
	Agent        bool   `json:"agent,omitempty"` // an agent is assigned

	AgentID  string    `json:"agentId,omitempty"`
	Manager  bool      `json:"manager,omitempty"` // a manager takes part
	AnswerBy time.Time `json:"answerBy,omitzero"` // by when an agent should have answered
	Delay    string    `json:"delay,omitempty"`   // why nobody answers now: NIGHT, WEEKEND, HOLIDAY
	DelayTo  time.Time `json:"delayTo,omitzero"`  // until when
}

// State is all there is to know of one conversation. It is carried from run to
// run at every hand-over, so everything kept per message is bounded.
type State struct {
	Rules    int             `json:"rules"`
	Address  message.Address `json:"address"`
	Consumer string          `json:"consumer"` // the identity under which the cloud knows the consumer
	Settings Settings        `json:"settings"`

	Stage     Stage                  `json:"stage"`
	Cloud     Cloud                  `json:"cloud,omitzero"`
	Was       Cloud                  `json:"was,omitzero"` // the conversation before, which an agent may open again
	Profile   message.Profile        `json:"profile,omitzero"`
	Told      message.Profile        `json:"told,omitzero"`     // the profile that the cloud was last told, or is being told
	Urgency   string                 `json:"urgency,omitempty"` // that was asked for
	Offers    []Offer                `json:"offers,omitempty"`  // the newest answers offered by agents, oldest first
	Reply     string                 `json:"reply,omitempty"`   // the channel's latest name for where answers go
	OptedOut  bool                   `json:"optedOut,omitempty"`
	Applied   []message.Applied      `json:"applied,omitempty"`
	Behind    []Behind               `json:"behind,omitempty"`  // left in the inbox for want of room
	Pending   []message.Inbound      `json:"pending,omitempty"` // for the next conversation
	ToCloud   Lane                   `json:"toCloud,omitzero"`
	ToChannel Lane                   `json:"toChannel,omitzero"`
	Dialogs   []Dialog               `json:"dialogs,omitempty"`
	Sent      []Delivery             `json:"sent,omitempty"`     // the latest, for receipts that are still to come
	Unplaced  []message.Notification `json:"unplaced,omitempty"` // snapshots that came before the answer to an opening
	Early     []message.Receipt      `json:"early,omitempty"`    // receipts that came before what they are about was known
	Survey    Survey                 `json:"survey,omitzero"`
	Closer    string                 `json:"closer,omitempty"`  // who closed: CONSUMER, AGENT, SYSTEM, TIMEOUT
	Leaving   bool                   `json:"leaving,omitempty"` // a close of ours is on its way
	Past      []string               `json:"past,omitempty"`    // the latest conversations before the current one
	Dead      []Command              `json:"dead,omitempty"`    // the latest dead letters, for redrive
	Notes     []message.Note         `json:"notes,omitempty"`   // for the journal, with the next batch
	Counts    Counts                 `json:"counts,omitzero"`
}

// Counts is what an operator wants to see at a glance.
type Counts struct {
	Inbound     int `json:"inbound,omitempty"`  // messages of the consumer
	Outbound    int `json:"outbound,omitempty"` // messages of agents
	DeadLetters int `json:"deadLetters,omitempty"`
	Uncertain   int `json:"uncertain,omitempty"` // sent again without a confirmation
	Gaps        int `json:"gaps,omitempty"`      // sequences waited for in vain
	Runs        int `json:"runs,omitempty"`
}

// Bounds on what a state keeps.
const (
	keepSent  = 200
	keepDead  = 20
	keepEarly = 2 * batchCommands
	keepNotes = 100
	keepSeen  = 200
	keepAhead = 8 // streams whose last sequence is remembered
)

// New returns the state in which the first run of an address starts.
func New(addr message.Address, consumer string, settings Settings, optedOut bool) State {
	return State{Address: addr, Consumer: consumer, Settings: settings, OptedOut: optedOut, Stage: Opening}
}

// Next returns the state of the conversation that follows this one at the same
// address, with the events that are waiting for it already applied. What has
// not been delivered or reported yet goes along.
func (s *State) Next(at time.Time) State {
	n := New(s.Address, s.Consumer, s.Settings, s.OptedOut)
	n.Was = s.Cloud
	n.Told, n.Offers = s.Told, s.Offers
	n.Rules, n.Profile, n.Reply, n.Applied, n.Notes = s.Rules, s.Profile, s.Reply, s.Applied, s.Notes
	n.ToCloud, n.ToChannel = s.ToCloud, s.ToChannel
	n.Sent, n.Early, n.Dialogs, n.Past, n.Dead, n.Behind = s.Sent, s.Early, s.Dialogs, s.Past, s.Dead, s.Behind
	n.resume(s.Pending, at)
	return n
}

// Over says that nothing is left to do: the run may end.
func (s *State) Over() bool {
	finished := s.Stage == Closed || (s.Stage == Opening && s.Cloud.Conversation == "")
	return finished && s.Idle() && len(s.Pending) == 0 && len(s.Behind) == 0 &&
		len(s.ToCloud.Queue) == 0 && len(s.ToChannel.Queue) == 0 && !s.holding()
}

// Succeeded says that this conversation is over and another one is waiting.
func (s *State) Succeeded() bool {
	return s.Stage == Closed && len(s.Pending) > 0 && s.Idle()
}

// Idle says that neither lane has a batch under way.
func (s *State) Idle() bool { return s.ToCloud.Flying == 0 && s.ToChannel.Flying == 0 }

// Attention is what an operator should know of, in one word: "parked",
// "uncertain", "dead-letter", "waiting", or nothing.
func (s *State) Attention() string {
	switch {
	case s.ToCloud.Parked != "" || s.ToChannel.Parked != "":
		return "parked"
	case len(s.Dead) > 0:
		return "dead-letter"
	case s.Counts.Uncertain > 0:
		return "uncertain"
	case s.ToCloud.Attempts >= waitingAfter || s.ToChannel.Attempts >= waitingAfter:
		return "waiting"
	}
	return ""
}

// Due is when time itself becomes an event; zero when nothing waits for it.
func (s *State) Due() time.Time {
	var due time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	if s.ToCloud.Flying == 0 && len(s.ToCloud.Queue) > 0 {
		sooner(s.ToCloud.Due)
	}
	if s.ToChannel.Flying == 0 && len(s.ToChannel.Queue) > 0 {
		sooner(s.ToChannel.Due)
	}
	for i := range s.Dialogs {
		for j := range s.Dialogs[i].Held {
			sooner(s.Dialogs[i].Held[j].Until)
		}
	}
	if s.Stage == Closing || s.Leaving {
		sooner(s.Survey.Until)
	}
	return due
}

// note adds a line for the journal; the oldest go when there are too many.
func (s *State) note(at time.Time, command message.ID, what, detail string) {
	s.Notes = append(s.Notes, message.Note{
		At: at, Address: s.Address, Account: s.Settings.Account, Conversation: s.Cloud.Conversation,
		Command: command, What: what, Detail: detail,
	})
	s.boundNotes()
}

// Unnoted takes back lines for the journal that a batch could not write.
func (s *State) Unnoted(notes []message.Note) {
	s.Notes = append(append([]message.Note(nil), notes...), s.Notes...)
	s.boundNotes()
}

func (s *State) boundNotes() {
	if n := len(s.Notes); n > keepNotes {
		s.Notes = append([]message.Note(nil), s.Notes[n-keepNotes:]...)
	}
}
