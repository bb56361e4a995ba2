package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"parley/conversation"
	"parley/db"
	"parley/message"
)

// asking is how many conversations are asked at the same time.
const asking = 8

// ask asks the conversations of what Postgres does not prove. What none of them has
// may have reached its effect meanwhile: the records are read once more.
func (v *verifier) ask(ctx context.Context) error {
	var mu sync.Mutex
	var lost []subject
	g, within := errgroup.WithContext(ctx) // which ends with the group
	g.SetLimit(asking)
	for workflow, all := range v.left {
		g.Go(func() error {
			state, running, found, err := v.runs.State(within, workflow)
			if within.Err() != nil {
				return within.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range all {
				place, detail := inLane, "its conversation cannot be asked now"
				if err == nil {
					place, detail = s.within(&state, running, found)
				}
				if s.Detail = detail; place == missing {
					lost = append(lost, s)
					continue
				}
				v.found(s, place)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for page := range slices.Chunk(lost, chunkSize) {
		fates, err := v.fates(ctx, page)
		if err != nil {
			return err
		}
		for _, s := range page {
			place, known := s.place(fates)
			switch {
			case !known && s.unrecorded(fates):
				place, s.Detail = uncertain, "its conversation knows that it was sent; the outcome could not be recorded"
			case !known:
				place = missing
			}
			v.found(s, place)
		}
	}
	return nil
}

// unrecorded says that all of an event was sent or was about to be: of what its
// conversation has let go of, only the record is missing then, as Postgres was away.
func (s *subject) unrecorded(fates map[message.ID]db.Fate) bool {
	for _, id := range s.parts {
		if f := fates[id]; f != db.FateIntended && f != db.FateDone && f != db.FateAgain {
			return false
		}
	}
	return len(s.parts) > 0
}

// within is where an event is in the state of its conversation.
func (s *subject) within(state *conversation.State, running, found bool) (verdict, string) {
	if !found {
		if len(s.parts) == 0 && !s.closes {
			return applied, ""
		}
		return missing, "there is no conversation"
	}
	place, detail := s.waiting(state)
	switch {
	case place == missing && s.byBefore && state.Rules < conversation.LatestRules:
		return published, ""
	case (place == inLane || place == parked) && !running:
		return missing, "left in a conversation that was ended from outside"
	case place != missing:
		return place, detail
	case s.taken(state):
		if len(s.parts) == 0 {
			return applied, ""
		}
		return missing, "its conversation has taken it, and does not have it"
	case running:
		return inLane, "handed to its conversation, which has not taken it yet"
	case len(s.parts) == 0 && !s.closes:
		return applied, "" // it came when the conversation was over
	}
	return missing, "its conversation ended without it"
}

// taken says whether a conversation has applied the event.
func (s *subject) taken(state *conversation.State) bool {
	return slices.ContainsFunc(state.Applied, func(a message.Applied) bool { return a.Stream == s.stream && s.sequence <= a.Sequence })
}

// waiting looks for an event in everything in which one can wait.
func (s *subject) waiting(state *conversation.State) (verdict, string) {
	for _, b := range state.Behind {
		if b.Stream == s.stream && b.After < s.sequence && s.sequence <= b.Last {
			return inLane, "left in the inbox until there is room"
		}
	}
	for _, l := range [...]*conversation.Lane{&state.ToCloud, &state.ToChannel} {
		for i := range l.Queue {
			switch {
			case !slices.Contains(s.parts, l.Queue[i].ID):
			case l.Parked != "":
				return parked, l.Parked
			default:
				return inLane, fmt.Sprintf("number %d in its lane, after %d failed attempt(s)", i+1, l.Attempts)
			}
		}
	}
	for _, in := range state.Pending {
		if in.ID == s.Message || slices.Contains(s.parts, in.ID) {
			return inLane, "for the next conversation"
		}
	}
	for _, d := range state.Dialogs {
		if slices.ContainsFunc(d.Held, func(h conversation.Held) bool { return h.Notification.ID == s.Message }) {
			return inLane, "waits for an earlier message"
		}
	}
	if slices.ContainsFunc(state.Dead, func(c conversation.Command) bool { return slices.Contains(s.parts, c.ID) }) {
		return deadLetter, ""
	}
	if slices.ContainsFunc(state.Notes, func(n message.Note) bool { return n.What == "answered" && n.Command == s.Message }) {
		return answered, ""
	}
	return missing, ""
}
