package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"parley/simulator"
)

// talk has each phone and its agent write so many messages, all at the same time.
func (s *stack) talk(phones []*phone, each int) {
	s.t.Helper()
	var wg sync.WaitGroup
	for _, p := range phones {
		list, err := p.conversations()
		assert.NoError(s.t, err)
		wg.Go(func() {
			for i := range each {
				if _, err := p.send(fmt.Sprintf("words %d of a consumer, %s", i, random(4)), true); err != nil {
					s.t.Error(err)
				}
			}
		})
		if len(list) == 0 {
			continue
		}
		id := list[len(list)-1].ID
		wg.Go(func() {
			for i := range each {
				if err := p.tell(id, fmt.Sprintf("words %d of an agent, %s", i, random(4))); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// acquainted are phones with an open conversation, half of them on each channel.
func (s *stack) acquainted(n int) []*phone {
	s.t.Helper()
	var phones []*phone
	for i := range n {
		p := s.newPhone([]string{"sms", "web"}[i%2])
		p.says("The first words of " + p.name)
		phones = append(phones, p)
	}
	for _, p := range phones {
		p.conversation(1)
	}
	s.settled(patience, phones...)
	return phones
}

func rules(r ...simulator.Rule) simulator.Faults { return simulator.Faults{Rules: r} }

// content is in the body of a SEND that carries a message.
const content = `"ContentEvent"`

// What the far sides do wrong costs time, and nothing else.
func TestNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	slow(t)
	duplicated := simulator.WebhookFaults{Duplicate: 4}
	shuffled := simulator.WebhookFaults{ShuffleMs: 1000}
	both := simulator.WebhookFaults{Duplicate: 4, ShuffleMs: 1000}
	deaf := simulator.WebhookFaults{Echoes: new(bool)}
	for _, c := range []struct {
		what string
		when simulator.Faults
		act  func(*stack)
	}{
		{"a publish answered 503 after it was done", rules(simulator.Rule{Class: "send", Do: "fail-after", Status: 503, Count: 4, Match: content}), nil},
		{"a publish whose answer is dropped", rules(simulator.Rule{Class: "send", Do: "drop-after", Count: 4, Match: content}), nil},
		{"a publish answered 500 before it was done", rules(simulator.Rule{Class: "send", Do: "fail-before", Status: 500, Count: 2, Match: content}), nil},
		{"the cloud is busy and says until when", rules(simulator.Rule{Class: "send", Do: "throttle", RetryAfter: 1, Count: 6}), nil},
		{"an AppJWT and a ConsumerJWS are refused", rules(simulator.Rule{Class: "send", Do: "expire", Count: 1}, simulator.Rule{Class: "send", Do: "reject-jws", Count: 1, Skip: 5}), nil},
		{"all tokens are expired", simulator.Faults{}, expireAll},
		{"an SMS whose answer is dropped", rules(simulator.Rule{Class: "twilio", Do: "drop-after", Count: 2}), nil},
		{"an SMS answered 500 after it was sent", rules(simulator.Rule{Class: "twilio", Do: "fail-after", Status: 500, Count: 2}), nil},
		{"the web's answers are dropped", rules(simulator.Rule{Class: "http", Do: "drop-after", Count: 2}), nil},
		{"both providers are busy", rules(simulator.Rule{Class: "twilio", Do: "throttle", RetryAfter: 1, Count: 3}, simulator.Rule{Class: "http", Do: "throttle", RetryAfter: 1, Count: 3}), nil},
		{"webhooks come five times", simulator.Faults{Webhooks: duplicated}, nil},
		{"webhooks are shuffled within a second", simulator.Faults{Webhooks: shuffled}, nil},
		{"webhooks come five times, shuffled", simulator.Faults{Webhooks: both}, nil},
		{"no echo comes", simulator.Faults{Webhooks: deaf}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, options{})
			phones := s.acquainted(4)
			s.fault(c.when)
			if c.act != nil {
				c.act(s)
			}
			s.talk(phones, 8)
			took := s.settled(3*patience, phones...)
			hits := s.hits()
			s.fault(simulator.Faults{})
			s.noneParked()
			t.Logf("%d faults; everything had arrived after %s", hits, took.Round(time.Millisecond))
			if len(c.when.Rules) > 0 {
				assert.NotZero(t, hits)
			}
		})
	}
}

func expireAll(s *stack) {
	s.must(http.MethodPost, "/sim/expire-tokens", nil, nil)
	s.must(http.MethodPost, "/sim/revoke-jws", map[string]string{"account": "main"}, nil)
}

// hits is how often the rules were applied.
func (s *stack) hits() (n int) {
	s.t.Helper()
	var f simulator.Faults
	s.must(http.MethodGet, "/sim/faults", nil, &f)
	for _, r := range f.Rules {
		n += r.Hits
	}
	return n
}

// Notifications overtake the answer that announces what they speak of: of the
// conversation, and of every message in it.
func TestNotificationsComeBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{settings: `{"autoAgent":{"join":true,"accept":true}}`})
	s.fault(simulator.Faults{Webhooks: simulator.WebhookFaults{Early: true}})
	var phones []*phone
	for range 4 {
		phones = append(phones, s.newPhone("web"))
	}
	s.talk(phones, 3)
	for _, p := range phones {
		p.conversation(1)
	}
	s.talk(phones, 10)
	s.settled(patience, phones...)
	assert.Equal(t, len(phones), s.counters().Conversations["created"])
}

// Opening a conversation goes wrong in every way; there is one in the end.
func TestOpeningGoesWrong(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{})
	s.fault(rules(
		simulator.Rule{Class: "domain", Do: "fail-before", Count: 2},
		simulator.Rule{Class: "token", Do: "drop-before", Count: 1},
		simulator.Rule{Class: "consumer", Do: "throttle", Count: 1, RetryAfter: 1},
		simulator.Rule{Class: "conversation", Do: "fail-after", Count: 1},
		simulator.Rule{Class: "conversation", Do: "drop-after", Count: 1},
	))
	phones := []*phone{s.newPhone("sms"), s.newPhone("web"), s.newPhone("sms")}
	s.talk(phones, 3)
	s.settled(3*patience, phones...)
	for _, p := range phones {
		assert.Len(t, mustConversations(p), 1)
	}
	s.noneParked()
	eventually(t, "what was not sent is not doubted", func() error { return s.found(0, `ParleyAttention = "uncertain"`) })
}

// Where neither an answer nor an echo comes, nobody can know. The message is sent
// again, once, and the conversation is marked for people to see.
func TestUncertainMessageIsSentAgainAndMarked(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{env: map[string]string{"PARLEY_ECHO_GRACE": "2s"}})
	p := s.newPhone("sms")
	p.says("Is anybody there, please?")
	id := p.conversation(1)
	s.settled(patience, p)
	f := rules(simulator.Rule{Class: "send", Do: "drop-after", Count: 1, Match: content})
	f.Webhooks.Echoes = new(bool)
	s.fault(f)
	p.says("Can you hear me at all?")
	p.says("And what about now?")
	s.onDesk(id, "And what about now?")
	eventually(t, "the conversation is marked", func() error { return s.found(1, `ParleyAttention = "uncertain"`) })
	eventually(t, "nothing is under way", s.quiet)
	d, err := s.detail(id)
	assert.NoError(t, err)
	want := []string{"Is anybody there, please?", "Can you hear me at all?", "Can you hear me at all?", "And what about now?"}
	assert.Equal(t, want, published(d))
	assert.Len(t, d.Counters.DoubledExternalIDs, 1, "under the ID it had")
}

// The order of agents' messages is that of their sequences, however they come.
func TestAgentsOrderIsKeptWhenWebhooksAreHeldUp(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	phones := s.acquainted(2)
	s.fault(simulator.Faults{Webhooks: simulator.WebhookFaults{Hold: true}})
	s.talk(phones, 20)
	s.fault(simulator.Faults{Webhooks: simulator.WebhookFaults{ShuffleMs: 300, Duplicate: 1}})
	s.settled(patience, phones...)
	for _, p := range phones {
		assert.True(t, slices.Equal(p.told, slices.DeleteFunc(heard(p.view()), isQuestion)))
	}
}
