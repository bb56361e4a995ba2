package workflows

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"parley/activities"
	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// keepsInbox lets what is signalled be fetched again, at most ten events at a time,
// the first time in vain.
func (s *stage) keepsInbox(events func() []message.Stored) {
	failed := false
	s.OnActivity(acts.Fetch, mock.Anything, mock.Anything).Return(func(_ context.Context, b conversation.Behind) (activities.Fetched, error) {
		if !failed {
			failed = true
			return activities.Fetched{}, fault.New(fault.Transient, "fetch", "made up")
		}
		return activities.Fetched{Events: events()[b.After:min(b.Last, b.After+10)]}, nil
	})
}

func TestWhatIsTooMuchForTheStateIsFetchedFromTheInboxInOrder(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.channelWorks()
	s.OnActivity(acts.Finish, mock.Anything, mock.Anything).Return(nil)
	down := true
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		if down {
			return activities.Returned{Stop: &conversation.Stop{Class: fault.Transient}}, nil
		}
		return s.toCloud(b), nil
	})
	var texts []string
	var inbox []message.Stored
	s.keepsInbox(func() []message.Stored { return inbox })
	for i := range 60 {
		var some []string
		for j := range 5 {
			some = append(some, fmt.Sprintf("%03d", 5*i+j)+strings.Repeat("x", 4000))
		}
		texts = append(texts, some...)
		for j, text := range some {
			inbox = append(inbox, stored(int64(5*i+j+1), message.Inbound{Kind: message.Wrote, ID: message.NewID(text), Text: text, Address: addr}))
		}
		s.RegisterDelayedCallback(func() { s.writes(some...) }, time.Duration(i)*time.Second)
	}
	s.RegisterDelayedCallback(func() {
		v, err := s.QueryWorkflow(StateQuery)
		require.NoError(t, err)
		var state conversation.State
		require.NoError(t, v.Get(&state))
		require.Len(t, state.Behind, 1)
		require.Less(t, len(state.ToCloud.Queue), 60)
		down = false
	}, 2*time.Minute)
	s.RegisterDelayedCallback(s.closes, time.Hour)
	s.start()
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, texts, s.carried)
}
