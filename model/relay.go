package model

// event is one stored event: a message or reply by its number, or a snapshot of a
// conversation.
type event uint8

const (
	placeOpened event = 100 + iota
	placeClosed
)

// stream is a stream of the inbox with its dispatcher.
type stream struct {
	rows       [mostRows]event // of sequences 1, 2, …
	last       uint8           // newest sequence
	visible    bits            // committed; rows without a gap but for NoStreamLock
	dispatched uint8
	phase      phase
	upTo       uint8 // what the dispatcher has read
	from       uint8 // the first of it
}

// phase is where a dispatcher is. It holds the stream's lock but in idle.
type phase uint8

const (
	idle phase = iota
	hasRead
	hasSignalled
	hasMarked // MarkBeforeSignal only
)

// binding is what the database knows of a cloud conversation.
type binding struct {
	bound, ended bool
	rank         uint8 // bindings made before it, plus 1
}

func (s *stream) store(e event) {
	s.reserve(e)
	s.visible.add(s.last - 1)
}

// reserve takes the next number of a stream.
func (s *stream) reserve(e event) {
	if s.last == mostRows {
		panic("more events than the model's stream holds")
	}
	s.rows[s.last] = e
	s.last++
}

// waiting returns the sequences that a dispatcher reads now; none when upTo is 0.
func (s *stream) waiting() (from, upTo uint8) {
	for i := s.dispatched; i < s.last; i++ {
		if !s.visible.has(i) {
			continue
		}
		if from == 0 {
			from = i + 1
		}
		upTo = i + 1
	}
	return from, upTo
}

// signal is a signal on its way or in the buffer of a run: events of one stream.
type signal struct {
	there      bool
	stream     uint8
	from, upTo uint8
	visible    bits // which of them it carries
}

// webhooks are the posts of the channel's provider and of the cloud. A post is
// stored in one commit; its answer may be lost, and then it is repeated.
func (h *house) webhooks(w *world, emit emit) {
	if int(w.wrote) < h.scenario.Messages {
		n := *w
		n.wrote++
		h.post(n, w.wrote, step{kind: stored, a: w.wrote}, emit)
	}
	for i := range uint8(mostMessages) {
		if w.repost.has(i) {
			n := *w
			n.repost.drop(i)
			n.acked.add(i)
			emit(step{kind: repeated, a: i}, n)
		}
		if w.outside.has(i) {
			n := *w
			n.outside.drop(i)
			s := &n.streams[0]
			for row := range s.last {
				if s.rows[row] == event(i) {
					s.visible.add(row)
				}
			}
			n.acked.add(i)
			emit(step{kind: committed, a: i}, n)
		}
	}
	h.notifications(w, emit)
}

func (h *house) post(n world, i uint8, by step, emit emit) {
	if h.scenario.Broken == NoStreamLock {
		n.streams[0].reserve(event(i))
		n.outside.add(i)
		by.kind = numbered
		emit(by, n)
		return
	}
	n.streams[0].store(event(i))
	if n.faults > 0 {
		lost := n
		lost.faults--
		lost.repost.add(i)
		emit(step{kind: storedUnanswered, a: i}, lost)
	}
	n.acked.add(i)
	emit(by, n)
}

// notifications are the posts of the cloud, in any order.
func (h *house) notifications(w *world, emit emit) {
	for p := range w.opened {
		s := 1 + p
		if w.places[p].opening {
			n := *w
			n.places[p].opening = false
			n.streams[s].store(placeOpened)
			n.bind(p)
			emit(step{kind: notifiedOpen, a: p}, n)
		}
		if w.places[p].closing {
			n := *w
			n.places[p].closing = false
			n.streams[s].store(placeClosed)
			n.bind(p) // it names the consumer too
			emit(step{kind: notifiedClosed, a: p}, n)
		}
	}
	for i := range w.replied {
		if w.replies[i].coming {
			n := *w
			n.replies[i].coming = false
			n.streams[1+w.replies[i].place].store(event(mostMessages + i))
			emit(step{kind: notifiedReply, a: mostMessages + i}, n)
		}
	}
	for i := range uint8(mostMessages) {
		if w.echoes[i] != 0 {
			n := *w
			n.heard[i], n.echoes[i] = w.echoes[i], 0
			emit(step{kind: echoed, a: i}, n)
		}
	}
	for i := uint8(mostMessages); i < mostMessages+w.replied; i++ {
		if w.receipts.has(i) {
			n := *w
			n.receipts.drop(i)
			n.proofs.add(i)
			emit(step{kind: echoed, a: i}, n)
		}
	}
}

// bind ties a cloud conversation to the address.
func (w *world) bind(p uint8) {
	if !w.known[p].bound {
		w.bound++
		w.known[p] = binding{bound: true, rank: w.bound}
	}
}

// relay is one dispatcher for each stream: lock and read, signal, mark. It may die
// between any two, and a signal it has given up may still arrive.
func (h *house) relay(w *world, emit emit) {
	for i := range w.streams {
		h.dispatch(w, uint8(i), emit)
	}
	if w.late.there {
		n := *w
		n.late = signal{}
		n.overtaken = true
		h.accept(&n, w.late)
		emit(step{kind: lateSignal, a: w.late.stream, b: w.late.upTo}, n)
	}
}

func (h *house) dispatch(w *world, i uint8, emit emit) {
	s := &w.streams[i]
	if s.phase != idle && w.faults > 0 {
		n := *w
		n.faults--
		n.streams[i].rest()
		emit(step{kind: relayDied, a: i}, n)
	}
	switch s.phase {
	case idle:
		from, upTo := s.waiting()
		if upTo == 0 || (i > 0 && !w.known[i-1].bound) {
			return
		}
		n := *w
		n.streams[i].phase, n.streams[i].from, n.streams[i].upTo = hasRead, from, upTo
		if !h.fine() {
			h.hand(&n, i, idle, emit)
			return
		}
		emit(step{kind: read, a: i, b: upTo}, n)
	case hasRead:
		if h.scenario.Broken == MarkBeforeSignal {
			n := *w
			n.streams[i].dispatched, n.streams[i].phase = max(s.dispatched, s.upTo), hasMarked
			emit(step{kind: mark, a: i, b: s.upTo}, n)
			return
		}
		h.hand(w, i, hasSignalled, emit)
	case hasSignalled:
		n := *w
		n.streams[i].mark()
		emit(step{kind: mark, a: i, b: s.upTo}, n)
	case hasMarked:
		h.hand(w, i, idle, emit)
	}
}

// mark marks what was read as dispatched.
func (s *stream) mark() {
	s.dispatched = max(s.dispatched, s.upTo)
	s.rest()
}

func (s *stream) rest() { s.phase, s.from, s.upTo = idle, 0, 0 }

// hand signals what was read. Without an answer nothing is marked; the signal may
// have been lost, accepted, or be still on its way.
func (h *house) hand(w *world, i uint8, then phase, emit emit) {
	s := &w.streams[i]
	carried := signal{there: true, stream: i, from: s.from, upTo: s.upTo, visible: s.visible & (1<<s.upTo - 1<<(s.from-1))}
	n := *w
	h.accept(&n, carried)
	switch n.streams[i].phase = then; {
	case !h.fine():
		n.streams[i].mark()
	case then == idle:
		n.streams[i].rest()
	}
	emit(step{kind: signalled, a: i, b: s.upTo}, n)
	if w.faults == 0 {
		return
	}
	lost := *w
	lost.faults--
	lost.streams[i].rest()
	if !w.late.there {
		late := lost
		late.late = carried
		emit(step{kind: signalLate, a: i, b: s.upTo}, late)
	}
	if h.fine() { // else it is as if the signal came later
		emit(step{kind: signalRefused, a: i, b: s.upTo}, lost)
	}
	h.accept(&lost, carried)
	emit(step{kind: signalUnanswered, a: i, b: s.upTo}, lost)
}

// accept is what Temporal does with a signal: it goes to the run there is; else it
// starts one if it carries something worth it; else it is journalled and done.
func (h *house) accept(w *world, s signal) {
	if !w.run.alive {
		if !w.worthARun(s) {
			return
		}
		w.run = run{alive: true, awake: true, rules: h.rules.fresh()}
	}
	buffer, n := &w.run.channel, &w.run.fromChannel
	if s.stream > 0 {
		buffer, n = &w.run.cloud, &w.run.fromCloud
	}
	if *n == mostSignals {
		panic("more signals than the model's run holds")
	}
	buffer[*n] = s
	*n++
}

func (w *world) worthARun(s signal) bool {
	for row := s.from - 1; row < s.upTo; row++ {
		if s.visible.has(row) && w.streams[s.stream].rows[row] != placeClosed {
			return true
		}
	}
	return false
}
