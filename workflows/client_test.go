package workflows

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"parley/conversation"
	"parley/message"
)

// server is a Temporal that knows one conversation, or none.
type server struct {
	client.Client
	runs  bool
	calls []string
}

func (s *server) SignalWorkflow(context.Context, string, string, string, any) error {
	s.calls = append(s.calls, "signal")
	if !s.runs {
		return serviceerror.NewNotFound("no such run")
	}
	return nil
}

func (s *server) SignalWithStartWorkflow(context.Context, string, string, any, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	s.calls = append(s.calls, "start")
	return nil, nil
}

func TestSignalReachesTheConversationWhetherItRunsOrNot(t *testing.T) {
	t.Parallel()
	address := message.Address{Channel: "sms", Consumer: "+15550100200"}
	ofChannel := message.Stream{Address: address}
	ofCloud := message.Stream{Account: "main", Conversation: "c-1"}
	for name, test := range map[string]struct {
		stream   message.Stream
		sequence int64
		starts   bool
		runs     bool
		want     []string
	}{
		"the first event of an address":             {ofChannel, 1, true, false, []string{"start"}},
		"a later event":                             {ofChannel, 7, true, true, []string{"signal"}},
		"a later event, after the run has ended":    {ofChannel, 7, true, false, []string{"signal", "start"}},
		"an agent's event":                          {ofCloud, 1, true, true, []string{"signal"}},
		"an agent's event, after the run has ended": {ofCloud, 1, true, false, []string{"signal", "start"}},
		"a receipt":                                 {ofChannel, 8, false, true, []string{"signal"}},
		"a receipt, after the run has ended":        {ofChannel, 8, false, false, []string{"signal", "late"}},
		"a receipt, as the first event":             {ofChannel, 1, false, false, []string{"signal", "late"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{runs: test.runs}
			c := Client{
				Temporal: s, Identity: Identity{Key: []byte("key")}, Settings: map[string]conversation.Settings{"sms": {Account: "main"}},
				Late: func(context.Context, message.Dispatch) error {
					s.calls = append(s.calls, "late")
					return nil
				},
			}
			require.NoError(t, c.Signal(t.Context(), message.Dispatch{
				Stream: test.stream, Address: address, Starts: test.starts, Events: []message.Stored{{Sequence: test.sequence}},
			}))
			require.Equal(t, test.want, s.calls)
		})
	}
}
