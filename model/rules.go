package model

import (
	"encoding/json"
	"fmt"
	"time"

	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// Time stands still in the model: it is always now. When time passes, everything
// that is due comes nearer instead, so that equal situations are equal states.
var now = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// grace is how long an uncertain send waits for its echo.
const grace = 5 * time.Second

const account = "main"

var address = message.Address{Channel: "sms", Consumer: "consumer"}

// rulesID and batchID name an interned conversation.State and batch.
type (
	rulesID uint32
	batchID uint32
)

// standing is what the model asks of a state of the rules again and again.
type standing struct {
	body            []byte
	due             time.Duration // until time is an event; 0 when nothing waits for it
	ripe            bool          // it is one now
	idle            bool
	over, succeeded bool
	gaps            int
	acts            int // messages and replies acted upon in this run or waiting for it
	applied         []message.Applied
	past            []string
}

// rulebook turns the real rules into a table: each state and event is worked out once.
type rulebook struct {
	scenario Scenario
	all      []standing
	named    map[string]rulesID
	after    map[happening]rulesID
	later    map[rulesID]rulesID
	next     map[rulesID]rulesID
	took     map[taking]taken
	batches  []batch
	batched  map[string]batchID
	commands []string // names of commands, by number
	numbers  map[message.ID]uint8
}

type batch struct {
	commands []conversation.Command
	numbers  []uint8
}

// happening is an event in a state of the rules.
type happening struct {
	rules   rulesID
	kind    conversation.EventKind
	stream  uint8
	row     uint8 // the sequence in the stream
	event   event
	place   uint8 // of the event
	told    uint8 // the sequence in the dialog
	closer  bool
	lane    uint8
	batch   batchID
	results [mostBatch]result
	done    uint8
	stop    halt
}

type taking struct {
	rules rulesID
	lane  uint8
}

type taken struct {
	rules rulesID
	batch batchID
	any   bool
}

func newRulebook(s Scenario) *rulebook {
	b := &rulebook{
		scenario: s, named: map[string]rulesID{}, after: map[happening]rulesID{}, later: map[rulesID]rulesID{},
		next: map[rulesID]rulesID{}, took: map[taking]taken{}, batched: map[string]batchID{}, numbers: map[message.ID]uint8{},
	}
	for i := range uint8(mostMessages + mostReplies) { // so that their numbers are those in world
		b.number(itemID(i))
	}
	return b
}

// itemID is the ID of a message or a reply, and of the command that carries it.
func itemID(i uint8) message.ID { return message.NewID(item(i)) }

// item is its name in traces.
func item(i uint8) string {
	if i < mostMessages {
		return fmt.Sprintf("m%d", i+1)
	}
	return fmt.Sprintf("a%d", i-mostMessages+1)
}

func placeName(p uint8) string { return fmt.Sprintf("C%d", p+1) }

// number is the place of a command in the ledger.
func (b *rulebook) number(id message.ID) uint8 {
	n, known := b.numbers[id]
	if !known {
		n = uint8(len(b.commands))
		if n == mostCommands {
			panic("more commands than the model's ledger holds")
		}
		b.numbers[id] = n
		b.commands = append(b.commands, string(id))
	}
	return n
}

func (b *rulebook) lanes() [2]conversation.LaneName {
	return [2]conversation.LaneName{conversation.CloudLane, conversation.ChannelLane}
}

// fresh is the state in which the first run of an address starts.
func (b *rulebook) fresh() rulesID {
	settings := conversation.Settings{Account: account, Survey: conversation.SurveyOff, ReorderWindow: 2 * time.Second}
	if b.scenario.Survey {
		settings.Survey, settings.SurveyTimeout = conversation.SurveyConnector, time.Hour
	}
	s := conversation.New(address, "consumer", settings, false)
	s.Rules = conversation.LatestRules
	return b.intern(s)
}

// intern names a state, without what makes no difference to what it does next: the
// journal, the number of runs, and how often a lane has failed beyond the third
// time, which only says how long it waits.
func (b *rulebook) intern(s conversation.State) rulesID {
	s.Notes, s.Counts.Runs = nil, 0
	s.ToCloud.Attempts, s.ToChannel.Attempts = min(s.ToCloud.Attempts, 3), min(s.ToChannel.Attempts, 3)
	body, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	if id, known := b.named[string(body)]; known {
		return id
	}
	id := rulesID(len(b.all))
	k := standing{
		body: body, idle: s.Idle(), over: s.Over(), succeeded: s.Succeeded(), gaps: s.Counts.Gaps, applied: s.Applied, past: s.Past,
	}
	k.acts = s.Counts.Inbound + s.Counts.Outbound + len(s.Pending)
	for i := range s.Dialogs {
		k.acts += len(s.Dialogs[i].Held)
	}
	if due := s.Due(); !due.IsZero() {
		k.due, k.ripe = due.Sub(now), !due.After(now)
	}
	b.all = append(b.all, k)
	b.named[string(body)] = id
	return id
}

func (b *rulebook) state(id rulesID) conversation.State {
	var s conversation.State
	if err := json.Unmarshal(b.all[id].body, &s); err != nil {
		panic(err)
	}
	return s
}

// apply is State.Apply.
func (b *rulebook) apply(h happening) rulesID {
	if id, known := b.after[h]; known {
		return id
	}
	s := b.state(h.rules)
	if b.scenario.Broken == NoAppliedSequence {
		s.Applied = nil
	}
	s.Apply(b.event(h))
	id := b.intern(s)
	b.after[h] = id
	return id
}

// event is the real event of which h speaks.
func (b *rulebook) event(h happening) conversation.Event {
	e := conversation.Event{Kind: h.kind, At: now, Stream: streamName(h.stream), Sequence: int64(h.row)}
	switch h.kind {
	case conversation.ConsumerWrote:
		id := itemID(uint8(h.event))
		e.Inbound = &message.Inbound{Kind: message.Wrote, ID: id, EventID: string(id), Address: address, At: now,
			Text: item(uint8(h.event)) + ", which is too long for an answer to a survey"}
	case conversation.CloudNotified:
		e.Notification = b.notification(h)
	case conversation.BatchReturned:
		e.Lane, e.Stop = b.lanes()[h.lane], h.stop.stop()
		for i, c := range b.batches[h.batch].commands[:h.done] {
			e.Results = append(e.Results, h.results[i].result(&c))
		}
	}
	return e
}

// notification is what the cloud says. Its snapshots are numbered in the order of
// what they show: a consumer's next conversation begins after the end of the last.
func (b *rulebook) notification(h happening) *message.Notification {
	place := placeName(h.place)
	n := &message.Notification{Account: account, Conversation: place, Dialog: place, Sequence: -1, At: now}
	switch h.event {
	case placeOpened:
		n.Kind, n.Change = message.Conversation, &message.Change{Version: 2*int64(h.place) + 1, Open: true, MainOpen: true}
	case placeClosed:
		n.Kind, n.Change = message.Conversation, &message.Change{Version: 2*int64(h.place) + 2, CloseReason: "AGENT"}
		if h.closer {
			n.Change.CloseReason = "CONSUMER"
		}
	default:
		n.Kind, n.ID, n.Sequence, n.Text = message.AgentWrote, itemID(uint8(h.event)), int(h.told), item(uint8(h.event))
	}
	return n
}

func streamName(s uint8) message.Stream {
	if s == 0 {
		return message.Stream{Address: address}
	}
	return message.Stream{Account: account, Conversation: placeName(s - 1)}
}

// pass lets time go by until something is due.
func (b *rulebook) pass(id rulesID) rulesID {
	if then, known := b.later[id]; known {
		return then
	}
	s, by := b.state(id), b.all[id].due
	nearer := func(t *time.Time) {
		if !t.IsZero() {
			if *t = t.Add(-by); t.Before(now) {
				*t = now
			}
		}
	}
	nearer(&s.ToCloud.Due)
	nearer(&s.ToChannel.Due)
	nearer(&s.Survey.Until)
	for i := range s.Dialogs {
		for j := range s.Dialogs[i].Held {
			nearer(&s.Dialogs[i].Held[j].Until)
		}
	}
	then := b.intern(s)
	b.later[id] = then
	return then
}

// follow is State.Next.
func (b *rulebook) follow(id rulesID) rulesID {
	if then, known := b.next[id]; known {
		return then
	}
	s := b.state(id)
	then := b.intern(s.Next(now))
	b.next[id] = then
	return then
}

// take is State.Take.
func (b *rulebook) take(id rulesID, lane uint8) taken {
	key := taking{id, lane}
	if t, known := b.took[key]; known {
		return t
	}
	s := b.state(id)
	t := taken{}
	if commands := s.Take(b.lanes()[lane], now); commands != nil {
		t = taken{b.intern(s), b.batch(commands), true}
	}
	b.took[key] = t
	return t
}

func (b *rulebook) batch(commands []conversation.Command) batchID {
	body, err := json.Marshal(commands)
	if err != nil {
		panic(err)
	}
	if id, known := b.batched[string(body)]; known {
		return id
	}
	if len(commands) > mostBatch {
		panic("a batch is longer than the model holds")
	}
	v := batch{commands: commands}
	for i := range commands {
		n := uint8(0)
		if ledgered(&commands[i]) {
			n = b.number(commands[i].ID)
		}
		v.numbers = append(v.numbers, n)
	}
	id := batchID(len(b.batches))
	b.batches = append(b.batches, v)
	b.batched[string(body)] = id
	return id
}

// halt is why a batch ended.
type halt uint8

const (
	toTheEnd halt = iota
	waitsForEcho
	answerLost
	refused
	isGone
	alreadyOpen
	noPlace
	gaveUp
)

func (h halt) stop() *conversation.Stop {
	switch h {
	case waitsForEcho:
		return &conversation.Stop{Class: fault.Uncertain, After: grace}
	case answerLost:
		return &conversation.Stop{Class: fault.Uncertain}
	case refused, gaveUp:
		return &conversation.Stop{Class: fault.Transient}
	case isGone:
		return &conversation.Stop{Class: fault.Gone}
	case alreadyOpen:
		return &conversation.Stop{Class: fault.Gone, Code: conversation.CodeAlreadyOpen}
	case noPlace:
		return &conversation.Stop{Class: fault.Rejected}
	}
	return nil
}
