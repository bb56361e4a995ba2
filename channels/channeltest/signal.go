package channeltest

import (
	"testing"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

func (s *suite) signal(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	signaller, ok := a.(channels.Signaller)
	if ok != s.Signals {
		t.Fatalf("a Signaller: %v, want %v", ok, s.Signals)
	}
	if !ok {
		return
	}
	to := message.Address{Channel: s.Channel, Consumer: s.Consumer}
	marks := []message.Outbound{
		{Kind: message.Typing, To: to, Typing: true},
		{Kind: message.Typing, To: to},
		{Kind: message.ReadMark, To: to, Refs: []string{"m-1", "m-2"}},
	}
	for i, mark := range marks {
		if err := signaller.Signal(t.Context(), mark); err != nil {
			t.Errorf("%s: %v", mark.Kind, err)
		}
		if _, calls := p.taken(); calls != i+1 {
			t.Fatalf("%s: %d requests, want one each", mark.Kind, calls-i)
		}
	}
	p.at(len(marks)+1, refuse(Refusal{Status: 503}))
	s.fails(t, signaller.Signal(t.Context(), marks[0]), fault.Transient, fault.Uncertain)
	if _, calls := p.taken(); calls != len(marks)+1 {
		t.Error("a mark that failed was repeated")
	}
	s.fails(t, signaller.Signal(t.Context(), s.outbound(message.NewID("1"), "Hello")), fault.Rejected)
}
