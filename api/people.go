package api

import "sync"

// mostPeople bounds how many conversations people remembers.
const mostPeople = 20_000

// people remembers who the consumer of a conversation is, as far as notifications
// told this process. It only serves events whose originator has no role, which
// older notifications lack; nothing depends on it being complete.
type people struct {
	mu  sync.Mutex
	now map[conversationKey]string
	old map[conversationKey]string // what now held before it was full
}

type conversationKey struct{ account, conversation string }

func (p *people) remember(account, conversation, consumer string) {
	if conversation == "" || consumer == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil || len(p.now) >= mostPeople/2 {
		p.old, p.now = p.now, map[conversationKey]string{}
	}
	p.now[conversationKey{account, conversation}] = consumer
}

// consumer returns the cloud's name for the consumer, empty when it is not known.
func (p *people) consumer(account, conversation string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := conversationKey{account, conversation}
	if c, ok := p.now[key]; ok {
		return c
	}
	return p.old[key]
}
