package model

// house is what all steps need to know and that never changes.
type house struct {
	scenario Scenario
	rules    *rulebook
}

func newHouse(s Scenario) *house { return &house{scenario: s, rules: newRulebook(s)} }

// steps takes every step that is possible in a state, each by itself.
func (h *house) steps(w *world, emit emit) {
	h.webhooks(w, emit)
	h.relay(w, emit)
	h.workflow(w, emit)
	h.activities(w, emit)
	h.agents(w, emit)
}

// fine says that every step is taken by itself. Otherwise a step that nobody else
// can see, or hinder, is taken together with the one before or after it: to read
// and to signal, since only the holder of a stream's lock moves its mark; to
// signal and to mark, as a relay that dies between them might as well have died at
// once; to intend a batch and to begin with it, as the lanes share no command.
func (h *house) fine() bool {
	switch h.scenario.Broken {
	case MarkBeforeSignal, FinishWithoutLock, RecordBeforeSend:
		return true
	}
	return h.scenario.Fine
}
