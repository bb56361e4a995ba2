package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// consumer is one phone or browser with one conversation, and what both sides have
// written in it. A side writes its next message when its last one is acknowledged.
type consumer struct {
	channel, name string
	conversation  string // as the cloud names it

	mu    sync.Mutex
	wrote []string // acknowledged, in order
	told  []string // by agents, in order
}

func (c *consumer) expects() (in, out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrote[:len(c.wrote):len(c.wrote)], c.told[:len(c.told):len(c.told)]
}

// crowd is the consumers of one scenario.
type crowd struct {
	s    *stack
	name string
	all  []*consumer
}

// newcomers makes consumers whom nobody knows yet, half of them on each channel
// unless one is named.
func (t *trial) newcomers(n int, only string) *crowd {
	c := &crowd{s: t.stack, name: t.tag()}
	for i := range n {
		one := &consumer{channel: "web", name: fmt.Sprintf("%s-visitor-%05d", c.name, i)}
		if only == "sms" || (only == "" && i%2 == 0) {
			one.channel, one.name = "sms", fmt.Sprintf("+1555%07d", t.numbers.Add(1))
		}
		c.all = append(c.all, one)
	}
	return c
}

// open opens the conversations of a crowd and waits until each is in the cloud.
func (t *trial) open(ctx context.Context, n int, only string) (*crowd, error) {
	c := t.newcomers(n, only)
	if err := c.greet(ctx); err != nil {
		return c, err
	}
	return c, c.known(ctx, 3*time.Minute+time.Duration(n)*100*time.Millisecond)
}

// greet has everybody write their first words.
func (c *crowd) greet(ctx context.Context) error {
	return together(len(c.all), 16, func(i int) error {
		one := c.all[i]
		return c.write(ctx, one, c.first(i))
	})
}

func (c *crowd) first(i int) string { return fmt.Sprintf("%s first words of %d", c.name, i) }

// write has a consumer write one text, until it is acknowledged.
func (c *crowd) write(ctx context.Context, one *consumer, text string) error {
	if _, err := c.s.deliver(ctx, one, random(8), text); err != nil {
		return err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.wrote = append(one.wrote, text)
	return nil
}

// tell has an agent write one text.
func (c *crowd) tell(ctx context.Context, one *consumer, text string) error {
	if err := c.s.far.tell(ctx, one.conversation, text); err != nil {
		return err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.told = append(one.told, text)
	return nil
}

// known waits until every consumer's first words have opened a conversation.
func (c *crowd) known(ctx context.Context, within time.Duration) error {
	byText := map[string]*consumer{}
	for i, one := range c.all {
		byText[c.first(i)] = one
	}
	// The list is long when the crowd is: it is asked for the less often. Conversations
	// of others may be opened meanwhile.
	pace := max(250*time.Millisecond, time.Duration(len(c.all))*time.Millisecond/2)
	return every(ctx, pace, within, "all conversations are open", func() error {
		list, err := c.s.far.conversations(ctx, 2*len(c.all)+1000)
		if err != nil {
			return err
		}
		for _, v := range list {
			if one := byText[v.Last]; one != nil && one.conversation == "" {
				one.conversation = v.ID
			}
		}
		missing := 0
		for _, one := range c.all {
			if one.conversation == "" {
				missing++
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d are not: %w", missing, len(c.all), errNotYet)
		}
		return nil
	})
}

// totals is how much was sent in each direction so far.
func (c *crowd) totals() (in, out int) {
	for _, one := range c.all {
		i, o := one.expects()
		in, out = in+len(i), out+len(o)
	}
	return in, out
}

// every looks at a condition at a slower pace than eventually does.
func every(ctx context.Context, pace, within time.Duration, what string, condition func() error) error {
	var last time.Time
	var err error
	return eventually(ctx, within, what, func() error {
		if time.Since(last) < pace && err != nil {
			return err
		}
		err = condition()
		last = time.Now()
		return err
	})
}

// together does n things, so many at a time.
func together(n, most int, do func(i int) error) error {
	errs := make([]error, n)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(n, most) {
		all.Go(func() {
			for i := range next {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return errors.Join(errs...)
}
