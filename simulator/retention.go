package simulator

import (
	"slices"
	"time"
)

// The states of an app whose webhooks are retried by time to live.
//
// Source: connector-api-webhooks-retry-policy.
const (
	stateUp         = "UP"
	stateFailed     = "FAILED"
	stateTransition = "IN TRANSITION"
	stateRecovered  = "RECOVERED"
)

// holdState is where an app stands after a failure: one failing endpoint puts all
// of its events on hold. While FAILED, events are stored and one is tried again
// with growing pauses. When that arrives, the stored ones are replayed, each
// conversation's in order, events of other conversations going out directly (IN
// TRANSITION). When the store is empty a drain period follows (RECOVERED): an event
// of a conversation whose last stored one is still on its way waits 4 s, and then
// goes out by itself, its order lost. A failure in any state leads back to FAILED.
type holdState struct {
	state    string
	failures int     // in a row, of the event that is tried
	probe    *lane   // whose first event is tried
	asides   []*lane // lanes outside the map that wait
	stored   int     // events from before the endpoints answered again
	overtook int     // events that lost their order in a drain period
	turn     int     // counts changes of state, so that an old timer is known
	since    time.Time
	next     time.Time // when the failed event is tried again
}

// keepFailing keeps a failed event as the first of its lane and puts the app on hold.
func (s *sender) keepFailing(l *lane, h *hook, set *Settings) {
	if time.Since(h.created) > time.Duration(set.RetentionSec)*time.Second {
		s.give(l, h)
		if s.hold.state != stateFailed || s.hold.probe != l {
			return
		}
		s.hold.probe = nil
	}
	switch {
	case s.hold.state != stateFailed:
		s.hold.failures, s.hold.probe = 1, l
		s.to(stateFailed)
	case s.hold.probe == l || s.hold.probe == nil:
		s.hold.failures++
	default:
		return // it was under way when another failed
	}
	s.tryLater(set)
}

// tryLater tries one event again after 2, 4, 8 … s.
func (s *sender) tryLater(set *Settings) {
	gap := min(ms(set.BackoffMs)<<min(s.hold.failures-1, 30), ms(set.BackoffMaxMs))
	if gap <= 0 {
		gap = ms(set.BackoffMaxMs)
	}
	turn := s.hold.turn
	s.hold.next = time.Now().Add(gap)
	s.sim.soon(gap, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.hold.state != stateFailed || s.hold.turn != turn {
			return
		}
		s.probe(set)
	})
}

// probe puts one event on the way although the app is on hold.
func (s *sender) probe(set *Settings) {
	s.expire(set)
	l := s.hold.probe
	if l == nil || l.busy || len(l.hooks) == 0 {
		l = s.waitingLane()
	}
	s.hold.probe = l
	if l == nil {
		s.to(stateUp) // nothing is left to be tried
		return
	}
	l.busy = true
	s.ready = append(s.ready, l)
	s.pump()
}

// expire drops what is older than the retention.
func (s *sender) expire(set *Settings) {
	limit := time.Duration(set.RetentionSec) * time.Second
	for _, l := range s.waitingLanes() {
		for !l.busy && len(l.hooks) > 0 && time.Since(l.hooks[0].created) > limit {
			h := l.hooks[0]
			s.count(h, func(n *hookCounters) { n.dropped.Add(1) })
			s.pop(l)
			h.finish()
		}
	}
}

// answered notes that an endpoint accepted the first event of l. What was under
// way when another event failed says nothing about the endpoints.
func (s *sender) answered(l *lane) {
	if s.hold.state != stateFailed || s.hold.probe != l {
		return
	}
	s.hold.failures, s.hold.probe = 0, nil
	s.to(stateTransition)
	for _, w := range s.waitingLanes() {
		for i, h := range w.hooks {
			if w != l || i > 0 { // the first of l has just arrived
				h.stored = true
				s.hold.stored++
			}
		}
		s.offer(w)
	}
	s.drained()
	s.pump()
}

// leaves notes that an event is on its way.
func (s *sender) leaves(h *hook) {
	if h.stored {
		h.stored, h.draining = false, true
		s.hold.stored--
		s.drained()
	}
}

// overtake lets h, which waits behind a stored event that is on its way, go out by
// itself when that one is still on its way after the drain period.
func (s *sender) overtake(l *lane, h *hook) {
	s.sim.soon(ms(s.sim.settings.Load().DrainMs), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if h.epoch != s.epoch || s.hold.state == stateFailed || len(l.hooks) < 2 || !l.hooks[0].draining {
			return
		}
		i := slices.Index(l.hooks, h)
		if i < 1 || h.stored {
			return
		}
		l.hooks = slices.Delete(l.hooks, i, i+1)
		s.queued--
		s.hold.overtook++
		s.put(h, true)
		s.pump()
	})
}

// drained ends the transition when no stored event is left.
func (s *sender) drained() {
	if s.hold.state != stateTransition || s.hold.stored > 0 {
		return
	}
	s.to(stateRecovered)
	turn := s.hold.turn
	s.sim.soon(ms(s.sim.settings.Load().DrainMs), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.hold.turn == turn && s.hold.state == stateRecovered {
			s.to(stateUp)
		}
	})
}

func (s *sender) to(state string) {
	s.hold.state = state
	s.hold.turn++
	s.hold.since, s.hold.next = time.Now(), time.Time{}
	shown := s.shown()
	s.sim.hub.publish("webhooks", "", func() any { return map[string]any{"account": s.acc.cfg.Name, "webhooks": shown} })
	if state == stateFailed {
		for _, l := range s.ready {
			l.busy = false
		}
		s.ready = nil
		for _, l := range s.waitingLanes() {
			for _, h := range l.hooks {
				h.stored, h.draining = false, false
			}
		}
		s.hold.stored = 0
	}
	if state == stateUp {
		for _, l := range s.waitingLanes() {
			s.offer(l)
		}
		s.pump()
	}
}

// shown is how the sender stands. It is locked.
func (s *sender) shown() SenderState {
	return SenderState{
		State: s.hold.state, Queued: s.queued, InFlight: s.inFlight, Stored: s.hold.stored, Failures: s.hold.failures, OutOfOrder: s.hold.overtook,
		Since: stamp(s.hold.since), NextTry: stamp(s.hold.next),
	}
}

// waitingLanes are all lanes that hold something.
func (s *sender) waitingLanes() []*lane {
	all := make([]*lane, 0, len(s.lanes)+len(s.hold.asides))
	for _, l := range s.lanes {
		all = append(all, l)
	}
	kept := s.hold.asides[:0]
	for _, l := range s.hold.asides {
		if len(l.hooks) > 0 {
			kept = append(kept, l)
		}
	}
	clear(s.hold.asides[len(kept):])
	s.hold.asides = kept
	return append(all, kept...)
}

// waitingLane is the lane whose first event is the oldest.
func (s *sender) waitingLane() *lane {
	var oldest *lane
	for _, l := range s.waitingLanes() {
		if !l.busy && len(l.hooks) > 0 && (oldest == nil || l.hooks[0].created.Before(oldest.hooks[0].created)) {
			oldest = l
		}
	}
	return oldest
}
