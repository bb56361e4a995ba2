package model

import (
	"parley/conversation"
)

// confirm looks for proof that a command of unknown outcome was done. Without it,
// the grace may be over or not.
func (h *house) confirm(w *world, lane uint8, c *conversation.Command, number uint8, emit emit) {
	n := *w
	a := &n.lanes[lane]
	by := step{a: lane, b: a.at}
	found, proof := h.proof(w, lane, c, number)
	if proof {
		h.note(&n, lane, number, found)
		by.kind = confirms
		emit(by, n)
		return
	}
	safe, waits := false, true
	switch c.Kind {
	case conversation.OpenConversation:
		safe = true
	case conversation.Deliver, conversation.Ask:
		waits = h.scenario.Confirms
	case conversation.Close, conversation.Rate:
		safe, waits = true, false
	}
	if waits {
		patient := *w
		h.release(&patient, lane, false)
		patient.lanes[lane].end(waitsForEcho)
		by.kind = waitsEcho
		emit(by, patient)
	}
	switch {
	case safe:
		a.phase, by.kind = cleared, repeats
	case h.scenario.Broken == MarkAfterRepeat:
		a.phase, a.note, by.kind = cleared, again, repeatsDoubtful
	default:
		a.phase, a.note, by.kind = marking, again, repeatsDoubtful
	}
	emit(by, n)
}

// proof is what the echoes say of a command.
func (h *house) proof(w *world, lane uint8, c *conversation.Command, number uint8) (found result, proof bool) {
	e := &w.ledger[number]
	if found = (result{place: h.where(&w.lanes[lane], c), note: keep(e.note)}); found.note == noNote {
		found.note = echo
	}
	switch c.Kind {
	case conversation.Publish:
		found.sequence, proof = w.heard[number], w.heard[number] > 0
	case conversation.OpenConversation:
		var rank uint8
		found.place, rank = w.openPlace()
		proof = found.place > 0 && rank > e.rank
	case conversation.Deliver:
		proof = w.proofs.has(number)
	}
	return found, proof
}

// keep is the note that stays with a command whatever becomes of it.
func keep(n note) note {
	if n == again {
		return again
	}
	return noNote
}

// openPlace is OpenConversation of package db: the newest binding that has not ended.
func (w *world) openPlace() (place, rank uint8) {
	for p, k := range w.known {
		if k.bound && !k.ended && k.rank > rank {
			place, rank = uint8(p)+1, k.rank
		}
	}
	return place, rank
}

// unsent ends a batch at a failure. It takes the intent back where that certainly
// had no effect, unless an earlier attempt may have had one, and those of what the
// batch did not get to.
func (h *house) unsent(w *world, lane uint8, stop halt) {
	a := &w.lanes[lane]
	b := &h.rules.batches[a.batch]
	c := &b.commands[a.at]
	doubt := a.doubt && (!ledgered(c) || a.found[a.at] == done)
	if stop != answerLost && ledgered(c) && (a.note != again || h.scenario.Broken == DoubtTakenBack) {
		h.undo(w, b.numbers[a.at])
	}
	h.release(w, lane, doubt)
	a.end(stop)
}

// release takes back the intents of what is behind the command a batch ends at.
func (h *house) release(w *world, lane uint8, doubt bool) {
	a := &w.lanes[lane]
	b := &h.rules.batches[a.batch]
	for i := int(a.at) + 1; i < len(b.commands); i++ {
		if !ledgered(&b.commands[i]) || a.found[i] == done {
			continue
		}
		if w.ledger[b.numbers[i]].note != again && (!doubt || a.found[i] != intended) {
			h.undo(w, b.numbers[i])
		}
		doubt = false
	}
}

func (h *house) undo(w *world, number uint8) {
	if w.ledger[number].state != done {
		w.enter(number, entry{state: undone})
	}
}
