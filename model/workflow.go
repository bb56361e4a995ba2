package model

import (
	"parley/conversation"
)

// run is a run of the workflow. A workflow task is one step: what arrives while it
// is under way makes the server refuse a completion, which then is done anew.
type run struct {
	alive       bool
	awake       bool // a task is due: the run has begun, or its timer has fired
	full        bool // its history has become long
	written     bool // what it applied is written back
	finishing   bool // that is being done
	rules       rulesID
	channel     [mostSignals]signal
	cloud       [mostSignals]signal
	fromChannel uint8
	fromCloud   uint8
}

// workflow takes the tasks of the run, lets time pass, and fills histories.
func (h *house) workflow(w *world, emit emit) {
	r := &w.run
	if !r.alive {
		return
	}
	switch {
	case r.finishing:
		h.finish(w, emit)
	case r.awake || r.fromChannel+r.fromCloud > 0 || w.lanes[0].phase == returned || w.lanes[1].phase == returned:
		n := *w
		n.run.awake = false
		h.task(&n)
		emit(step{kind: task}, n)
	}
	if w.handOvers > 0 && !r.full {
		n := *w
		n.handOvers--
		n.run.full = true
		emit(step{kind: longHistory}, n)
	}
	h.time(w, emit)
}

// task is Conversation's loop until it waits.
func (h *house) task(w *world) {
	r := &w.run
	for {
		if !h.undrained(r) {
			h.drain(w)
		}
		h.tick(w)
		k := &h.rules.all[r.rules]
		switch {
		case k.idle && k.succeeded:
			h.handOver(w, h.rules.follow(r.rules))
			return
		case k.idle && k.over:
			if r.written {
				w.run = run{}
				return
			}
			r.finishing = true
			return
		case k.idle && r.full:
			h.handOver(w, r.rules)
			return
		case !r.full:
			h.launch(w)
		}
		if !h.land(w) {
			return
		}
	}
}

// undrained says that a defect lets this run end with signals in its buffers.
func (h *house) undrained(r *run) bool {
	k := &h.rules.all[r.rules]
	return h.scenario.Broken == HandOverUndrained && k.idle && (k.succeeded || r.full)
}

// handOver goes on with a fresh history; what is in the buffers is gone.
func (h *house) handOver(w *world, rules rulesID) {
	w.run = run{alive: true, awake: true, rules: rules}
}

// finish writes back what was applied, in its turn among the dispatchers, and ends
// the run if nothing came meanwhile.
func (h *house) finish(w *world, emit emit) {
	n := *w
	k := &h.rules.all[w.run.rules]
	for _, a := range k.applied {
		s := &n.streams[streamNumber(a.Stream.Conversation)]
		if s.phase != idle && h.scenario.Broken != FinishWithoutLock {
			return
		}
		s.dispatched = max(s.dispatched, uint8(a.Sequence))
	}
	for _, past := range k.past {
		n.known[streamNumber(past)-1].ended = true
	}
	n.run.finishing, n.run.written, n.run.awake = false, true, true
	if h.scenario.Broken == CompleteUndrained {
		n.run = run{}
	}
	emit(step{kind: writtenBack}, n)
}

// streamNumber is the stream of a cloud conversation, by its name; of the channel
// for an empty one.
func streamNumber(conversation string) uint8 {
	if conversation == "" {
		return 0
	}
	return conversation[1] - '0'
}

// drain applies every signal there is.
func (h *house) drain(w *world) {
	r := &w.run
	for _, s := range r.channel[:r.fromChannel] {
		h.take(w, s)
	}
	for _, s := range r.cloud[:r.fromCloud] {
		h.take(w, s)
	}
	r.channel, r.cloud, r.fromChannel, r.fromCloud = [mostSignals]signal{}, [mostSignals]signal{}, 0, 0
}

func (h *house) take(w *world, s signal) {
	for row := s.from; row <= s.upTo; row++ {
		if !s.visible.has(row - 1) {
			continue
		}
		x := happening{kind: conversation.ConsumerWrote, stream: s.stream, row: row, event: w.streams[s.stream].rows[row-1]}
		if s.stream > 0 {
			x.kind, x.place = conversation.CloudNotified, s.stream-1
			switch x.event {
			case placeOpened:
			case placeClosed:
				x.closer = w.places[x.place].consumer
			default:
				x.told = w.replies[uint8(x.event)-mostMessages].sequence
			}
		}
		before := w.run.rules
		h.apply(w, x)
		if x.event < placeOpened && !w.overtaken {
			if w.applied.has(uint8(x.event)) && h.rules.all[w.run.rules].acts > h.rules.all[before].acts {
				w.wrong = appliedTwice
			}
			w.applied.add(uint8(x.event))
		}
	}
}

// apply tells the rules of one event.
func (h *house) apply(w *world, x happening) {
	r := &w.run
	x.rules = r.rules
	gaps := h.rules.all[r.rules].gaps
	r.rules, r.written = h.rules.apply(x), false
	w.gap = w.gap || h.rules.all[r.rules].gaps > gaps
}

func (h *house) tick(w *world) {
	if h.rules.all[w.run.rules].ripe {
		h.apply(w, happening{kind: conversation.TimePassed})
	}
}

// launch starts a batch on each lane that has one and is free.
func (h *house) launch(w *world) {
	for lane := range w.lanes {
		if t := h.rules.take(w.run.rules, uint8(lane)); t.any {
			w.run.rules = t.rules
			h.schedule(w, uint8(lane), t.batch)
		}
	}
}

// land applies the outcome of one batch that is back.
func (h *house) land(w *world) bool {
	for lane := range w.lanes {
		a := &w.lanes[lane]
		if a.phase != returned {
			continue
		}
		x := happening{kind: conversation.BatchReturned, lane: uint8(lane), batch: a.batch, results: a.results, done: a.at, stop: a.stop}
		b := &h.rules.batches[a.batch]
		for i := range a.at {
			if a.results[i].note == again {
				w.mark(b.numbers[i], again)
			}
		}
		*a = attempt{}
		h.apply(w, x)
		return true
	}
	return false
}

// time passes until the rules have something to do. That may be long in coming.
func (h *house) time(w *world, emit emit) {
	k := &h.rules.all[w.run.rules]
	if k.due > 0 && !w.run.finishing && !w.run.awake {
		n := *w
		n.run.rules, n.run.awake = h.rules.pass(w.run.rules), true
		emit(step{kind: timer}, n)
	}
}
