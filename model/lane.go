package model

import (
	"parley/conversation"
)

// entry is a line of the ledger.
type entry struct {
	state    entryState
	rank     uint8 // bindings made before the intent
	place    uint8 // of the outcome, +1
	sequence uint8 // of the outcome, +1
	note     note
}

type entryState uint8

const (
	unknown entryState = iota
	intended
	done
	undone
)

type note uint8

const (
	noNote note = iota
	echo
	again
)

// result is the outcome of a command, as the rules are told.
type result struct {
	place, sequence uint8 // +1; 0 when there is none
	note            note
}

func (r result) result(c *conversation.Command) conversation.Result {
	out := conversation.Result{Command: c.ID, Sequence: int(r.sequence) - 1}
	if r.place > 0 {
		out.Conversation = placeName(r.place - 1)
	}
	if r.note == again {
		out.Note = "again"
	}
	return out
}

// attempt is a batch under way on a lane: an activity and its tries.
type attempt struct {
	phase   attemptPhase
	batch   batchID
	at      uint8 // the command it is at; those before it have results
	doubt   bool
	note    note
	opened  uint8 // the place this batch has opened, +1
	found   [mostBatch]entryState
	results [mostBatch]result
	stop    halt
}

type attemptPhase uint8

const (
	landed    attemptPhase = iota // there is none
	scheduled                     // waits for a worker
	ready                         // about to look at command at
	cleared                       // about to send it
	marking                       // about to write down that it is sent again
	attaching                     // it has opened a conversation, about to bind it
	sent                          // done at the far side, about to be recorded
	returned                      // at its end; the workflow will be told
)

// ledgered is inLedger of package activities.
func ledgered(c *conversation.Command) bool {
	return c.Kind != conversation.Acknowledge && c.Bury == ""
}

// activities takes the next step of the batch on each lane.
func (h *house) activities(w *world, emit emit) {
	for i := range w.lanes {
		lane := uint8(i)
		a := &w.lanes[lane]
		if a.phase > scheduled && w.faults > 0 {
			h.die(w, lane, emit)
		}
		switch a.phase {
		case scheduled:
			n := *w
			h.intend(&n, lane)
			emit(step{kind: intends, a: lane}, n)
		case ready:
			h.look(w, lane, emit)
		case marking:
			n := *w
			number := h.command(w, lane)
			e := n.ledger[number]
			e.note = again
			n.enter(number, e)
			n.lanes[lane].phase = cleared
			emit(step{kind: marksAgain, a: lane, b: a.at}, n)
		case cleared:
			h.send(w, lane, emit)
		case attaching:
			n := *w
			n.bind(n.lanes[lane].results[a.at].place - 1)
			n.lanes[lane].phase = sent
			emit(step{kind: binds, a: lane, b: a.at}, n)
		case sent:
			h.record(w, lane, emit)
		}
	}
}

// die is the end of a worker. Temporal gives the batch to another one, or, when
// the batch's time is over, tells the workflow that it came to no end.
func (h *house) die(w *world, lane uint8, emit emit) {
	n := *w
	n.faults--
	h.schedule(&n, lane, w.lanes[lane].batch)
	emit(step{kind: workerDied, a: lane}, n)
	n.lanes[lane] = attempt{phase: returned, batch: w.lanes[lane].batch, stop: gaveUp}
	emit(step{kind: batchGivenUp, a: lane}, n)
}

// schedule begins a batch, or begins it again.
func (h *house) schedule(w *world, lane uint8, b batchID) {
	w.lanes[lane] = attempt{phase: scheduled, batch: b}
	if !h.fine() {
		h.intend(w, lane)
	}
}

func (h *house) command(w *world, lane uint8) uint8 {
	a := &w.lanes[lane]
	return h.rules.batches[a.batch].numbers[a.at]
}

// enter writes a line of the ledger; its note says whether a message or reply is
// known to be possibly doubled.
func (w *world) enter(command uint8, e entry) {
	w.ledger[command] = e
	w.mark(command, e.note)
}

func (w *world) mark(command uint8, n note) {
	switch {
	case command >= mostMessages+mostReplies:
	case n == again:
		w.marked.add(command)
	default:
		w.marked.drop(command)
	}
}

// intend writes the intents of a whole batch and reads what was there before.
func (h *house) intend(w *world, lane uint8) {
	a := &w.lanes[lane]
	b := &h.rules.batches[a.batch]
	for i := range b.commands {
		if !ledgered(&b.commands[i]) {
			continue
		}
		switch e := w.ledger[b.numbers[i]]; e.state {
		case unknown, undone:
			w.enter(b.numbers[i], entry{state: intended, rank: w.bound, note: e.note})
		case intended, done:
			a.found[i] = e.state
		}
	}
	a.phase, a.doubt = ready, true
	h.skip(w, lane)
}

// skip goes past the commands that are done already.
func (h *house) skip(w *world, lane uint8) {
	a := &w.lanes[lane]
	b := &h.rules.batches[a.batch]
	for int(a.at) < len(b.commands) && a.found[a.at] == done {
		e := &w.ledger[b.numbers[a.at]]
		h.passed(w, lane, result{e.place, e.sequence, e.note})
	}
	if int(a.at) == len(b.commands) {
		a.end(toTheEnd)
	}
}

// passed goes on to the next command.
func (h *house) passed(w *world, lane uint8, r result) {
	a := &w.lanes[lane]
	c := &h.rules.batches[a.batch].commands[a.at]
	if c.Kind == conversation.OpenConversation {
		a.opened = r.place
	}
	if ledgered(c) || h.scenario.Broken == DoubtEndsUnledgered {
		a.doubt = a.doubt && a.found[a.at] == done
	}
	a.results[a.at] = r
	a.at++
	a.note, a.phase = noNote, ready
}

// end forgets what only the activity knew.
func (a *attempt) end(stop halt) {
	*a = attempt{phase: returned, batch: a.batch, at: a.at, results: a.results, stop: stop}
}

// look decides what to do with a command: bury it, confirm it, wait, or send it.
func (h *house) look(w *world, lane uint8, emit emit) {
	n := *w
	a := &n.lanes[lane]
	c := &h.rules.batches[a.batch].commands[a.at]
	number := h.command(w, lane)
	by := step{kind: looks, a: lane, b: a.at}
	doubtful := a.found[a.at] == intended && a.doubt && h.scenario.Broken != NoEchoCheck
	switch {
	case c.Bury != "":
		id := h.rules.number(c.ID)
		n.dead.add(id)
		h.passed(&n, lane, result{})
		h.skip(&n, lane)
		by.kind = buries
	case doubtful:
		h.confirm(w, lane, c, number, emit)
		return
	default:
		a.phase = cleared
		if ledgered(c) {
			a.note = keep(w.ledger[number].note)
		}
		if !h.fine() {
			h.send(&n, lane, emit)
			return
		}
		if h.scenario.Broken == RecordBeforeSend && ledgered(c) {
			n.enter(number, entry{state: done, place: h.where(a, c)})
			by.kind = records
		}
	}
	emit(by, n)
}

// where is the place a command goes to, +1.
func (h *house) where(a *attempt, c *conversation.Command) uint8 {
	if c.Conversation == "" {
		return a.opened
	}
	return streamNumber(c.Conversation)
}

// note records an outcome and goes on.
func (h *house) note(w *world, lane, number uint8, r result) {
	if w.ledger[number].state != done {
		w.enter(number, entry{state: done, place: r.place, sequence: r.sequence, note: r.note})
	}
	if number < mostMessages { // nobody will look for its echo any more
		w.echoes[number], w.heard[number] = 0, 0
	} else {
		w.receipts.drop(number)
		w.proofs.drop(number)
	}
	h.passed(w, lane, r)
	h.skip(w, lane)
}

// record writes the outcome of a command that was sent. When that fails, the
// result stands and the batch ends.
func (h *house) record(w *world, lane uint8, emit emit) {
	a := &w.lanes[lane]
	c := &h.rules.batches[a.batch].commands[a.at]
	r := a.results[a.at]
	n := *w
	if !ledgered(c) {
		h.passed(&n, lane, r)
		h.skip(&n, lane)
		emit(step{kind: goesOn, a: lane, b: a.at}, n)
		return
	}
	number := h.command(w, lane)
	h.note(&n, lane, number, r)
	emit(step{kind: records, a: lane, b: a.at}, n)
	if w.faults > 0 {
		n := *w
		n.faults--
		h.passed(&n, lane, r)
		n.lanes[lane].end(toTheEnd)
		emit(step{kind: recordFails, a: lane, b: a.at}, n)
	}
}
