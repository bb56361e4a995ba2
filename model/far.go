package model

import (
	"parley/conversation"
)

// agents write in any open conversation, and close it, whenever they like.
func (h *house) agents(w *world, emit emit) {
	for p := range w.opened {
		if !w.places[p].open {
			continue
		}
		if int(w.replied) < h.scenario.Replies {
			n := *w
			n.replies[w.replied] = reply{place: p, sequence: n.places[p].sequence(), coming: true}
			n.replied++
			emit(step{kind: replies, a: mostMessages + w.replied, b: p}, n)
		}
		if w.closes > 0 {
			n := *w
			n.closes--
			n.shut(p, false)
			emit(step{kind: closes, a: p}, n)
		}
	}
}

func (p *place) sequence() uint8 {
	p.next++
	return p.next - 1
}

func (w *world) shut(p uint8, consumer bool) {
	w.places[p].open, w.places[p].closing, w.places[p].consumer = false, true, consumer
}

// send is a command at the far side. Its answer may be lost, with or without an
// effect; it may be refused for now.
func (h *house) send(w *world, lane uint8, emit emit) {
	a := &w.lanes[lane]
	c := &h.rules.batches[a.batch].commands[a.at]
	n := *w
	r, stop := h.do(&n, lane, c)
	if stop == toTheEnd {
		n.lanes[lane].results[a.at] = r
		n.lanes[lane].phase = sent
		if c.Kind == conversation.OpenConversation {
			n.lanes[lane].phase = attaching
		}
	} else {
		h.unsent(&n, lane, stop)
	}
	if w.faults == 0 {
		n.echoes, n.receipts = w.echoes, w.receipts // nobody will ever look for it
	}
	if !h.fine() && stop == toTheEnd && !ledgered(c) {
		h.passed(&n, lane, r)
		h.skip(&n, lane)
	}
	emit(step{kind: sends, a: lane, b: a.at}, n)
	if w.faults == 0 {
		return
	}
	n = *w
	n.faults--
	h.unsent(&n, lane, refused)
	emit(step{kind: sendRefused, a: lane, b: a.at}, n)
	n = *w
	n.faults--
	h.unsent(&n, lane, answerLost)
	emit(step{kind: sendLost, a: lane, b: a.at}, n)
	n = *w
	n.faults--
	if _, stop := h.do(&n, lane, c); stop == toTheEnd {
		h.unsent(&n, lane, answerLost)
		emit(step{kind: sendUnanswered, a: lane, b: a.at}, n)
	}
}

// do is what a command does to the far side.
func (h *house) do(w *world, lane uint8, c *conversation.Command) (result, halt) {
	a := &w.lanes[lane]
	r := result{place: h.where(a, c), note: a.note}
	switch c.Kind {
	case conversation.Deliver, conversation.Ask:
		return r, h.deliver(w, c)
	case conversation.OpenConversation:
		return h.open(w)
	}
	if r.place == 0 {
		return r, noPlace
	}
	p := &w.places[r.place-1]
	switch {
	case c.Kind == conversation.Rate:
		w.known[r.place-1].ended = true
		return r, toTheEnd
	case !p.open && c.Kind == conversation.Acknowledge:
		return r, isGone
	case !p.open:
		w.known[r.place-1].ended = true
		return r, isGone
	}
	switch c.Kind {
	case conversation.Publish:
		r.sequence = p.sequence() + 1
		w.publish(h.rules.number(c.ID), r.sequence)
	case conversation.Acknowledge:
		r.sequence = p.sequence() + 1
	case conversation.Close:
		w.shut(r.place-1, true)
		w.known[r.place-1].ended = true
	}
	return r, toTheEnd
}

// open opens a conversation and binds it, unless the consumer has an open one:
// then that is taken, if it is known here.
func (h *house) open(w *world) (result, halt) {
	for p := range w.opened {
		if w.places[p].open {
			if place, _ := w.openPlace(); place > 0 {
				return result{place: place}, toTheEnd
			}
			return result{}, alreadyOpen
		}
	}
	if w.opened == mostPlaces {
		panic("more conversations than the model's cloud holds")
	}
	p := w.opened
	w.opened++
	w.places[p] = place{open: true, opening: true}
	return result{place: p + 1}, toTheEnd
}

func (w *world) publish(item, sequence uint8) {
	if count(&w.got, w.taken, item) == 0 {
		for i := range item {
			if count(&w.got, w.taken, i) == 0 && !w.dead.has(i) {
				w.wrong = disorderCloud
			}
		}
	}
	w.got[w.taken] = item
	w.taken++
	if w.echoes[item] == 0 && w.heard[item] == 0 {
		w.echoes[item] = sequence
	}
}

func (h *house) deliver(w *world, c *conversation.Command) halt {
	if c.Kind == conversation.Ask {
		return toTheEnd
	}
	id := h.rules.number(c.ID)
	if count(&w.phone, w.delivered, id) == 0 && !w.gap {
		for i := range id - mostMessages {
			before := i + mostMessages
			same := w.replies[i].place == w.replies[id-mostMessages].place
			if same && count(&w.phone, w.delivered, before) == 0 && !w.dead.has(before) {
				w.wrong = disorderPhone
			}
		}
	}
	w.phone[w.delivered] = id
	w.delivered++
	if h.scenario.Confirms {
		w.receipts.add(id)
	}
	return toTheEnd
}
