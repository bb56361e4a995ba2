package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A new consumer writes twenty messages within 50 ms, whatever becomes of the ones
// before, and a load balancer spreads them over two api processes.
func TestTwentyFirstMessagesOpenOneConversation(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"sms", "web"} {
		t.Run(channel, func(t *testing.T) {
			s := newStack(t, options{apis: 2, workers: 2})
			p := s.newPhone(channel)
			wrote := volley(p, 20, 50*time.Millisecond)
			eventually(t, "all messages are with the agent", p.arrived)
			eventually(t, "nothing is under way", s.quiet)
			ids := mustConversations(p)
			require.Len(t, ids, 1)
			d, err := s.detail(ids[0])
			require.NoError(t, err)
			got := published(d)
			assert.ElementsMatch(t, p.wrote, got)
			assertOrder(t, d)
			ordered := 0
			for _, a := range wrote {
				for _, b := range wrote {
					if a.acknowledged.Before(b.posted) {
						ordered++
						assert.Less(t, slices.Index(got, a.text), slices.Index(got, b.text), "%s was acknowledged before %s was posted", a.text, b.text)
					}
				}
			}
			assert.Equal(t, 1, s.counters().Conversations["created"])
			s.nothingRefused()
			span := wrote[len(wrote)-1].posted.Sub(wrote[0].posted)
			t.Logf("%d messages posted within %s; the order of %d pairs was given", len(wrote), span.Round(time.Millisecond), ordered)
		})
	}
}

// shot is one message, with the times between which it was acknowledged.
type shot struct {
	text                 string
	posted, acknowledged time.Time
}

// volley posts n messages evenly over a span of time, without waiting for answers,
// and returns when all are acknowledged.
func volley(p *phone, n int, span time.Duration) []shot {
	shots := make([]shot, n)
	tick := time.NewTicker(span / time.Duration(n))
	defer tick.Stop()
	var wg sync.WaitGroup
	for i := range shots {
		wg.Go(func() {
			shots[i] = shot{text: fmt.Sprintf("first words, number %d", i), posted: time.Now()}
			_, err := p.send(shots[i].text, true)
			assert.NoError(p.s.t, err)
			shots[i].acknowledged = time.Now()
		})
		<-tick.C
	}
	wg.Wait()
	slices.SortFunc(shots, func(a, b shot) int { return a.posted.Compare(b.posted) })
	return shots
}
