package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"parley/activities"
	"parley/conversation"
	"parley/fault"
	"parley/message"
)

var addr = message.Address{Channel: "sms", Consumer: "+15550100200"}

// stage is a workflow environment with far sides that do as they are told.
type stage struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T

	mu       sync.Mutex
	carried  []string // what the cloud got, in words
	given    []string // what the channel got
	sequence int
	endings  []activities.Ending
	inbound  int64
	cloud    int64
}

func newStage(t *testing.T) *stage {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	s := &stage{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	s.RegisterWorkflowWithOptions(Conversation, workflow.RegisterOptions{Name: Type})
	s.RegisterActivity(&activities.Activities{})
	s.SetTestTimeout(20 * time.Second)
	s.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		// Where it is not set, it is that of the run: the test server's is a day.
		assert.Greater(t, info.ScheduleToCloseTimeout, 12*time.Hour, "the SDK would compare it with the worker's wall clock")
		assert.NotZero(t, info.HeartbeatTimeout, "a worker that died is found out by its heartbeat")
	})
	return s
}

// works lets both far sides accept everything.
func (s *stage) works() {
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		return s.toCloud(b), nil
	})
	s.channelWorks()
	s.OnActivity(acts.Finish, mock.Anything, mock.Anything).Return(func(_ context.Context, e activities.Ending) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.endings = append(s.endings, e)
		return nil
	})
}

func (s *stage) channelWorks() {
	s.OnActivity(acts.ToChannel, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out activities.Returned
		for _, c := range b.Commands {
			s.given = append(s.given, c.Text)
			out.Results = append(out.Results, conversation.Result{Command: c.ID, Sequence: -1})
		}
		return out, nil
	})
}

func (s *stage) toCloud(b activities.Batch) activities.Returned {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out activities.Returned
	for _, c := range b.Commands {
		r := conversation.Result{Command: c.ID, Sequence: -1}
		switch c.Kind {
		case conversation.OpenConversation:
			r.Conversation = "C1"
		case conversation.Publish:
			s.carried = append(s.carried, c.Text)
			r.Sequence = s.sequence
			s.sequence++
		}
		out.Results = append(out.Results, r)
	}
	return out
}

func settings() conversation.Settings {
	catalogue, err := conversation.LoadCatalogue(nil)
	if err != nil {
		panic(err)
	}
	return conversation.Settings{
		Account: "main", Language: "en", Survey: conversation.SurveyOff, ReorderWindow: 2 * time.Second, Texts: catalogue["en"],
	}
}

func (s *stage) start() {
	s.ExecuteWorkflow(Type, Input{State: conversation.New(addr, "ext", settings(), false)})
}

// writes signals messages of the consumer, all in one signal.
func (s *stage) writes(texts ...string) {
	signal := Signal{Stream: message.Stream{Address: addr}}
	for _, text := range texts {
		s.inbound++
		signal.Events = append(signal.Events, stored(s.inbound, message.Inbound{
			Kind: message.Wrote, ID: message.NewID(text), Text: text, Address: addr,
		}))
	}
	s.SignalWorkflow(ChannelEvents, signal)
}

func (s *stage) hears(n message.Notification) {
	s.cloud++
	n.Conversation, n.ID = "C1", message.NewID("cloud", fmt.Sprint(s.cloud))
	s.SignalWorkflow(CloudNotifications, Signal{
		Stream: message.Stream{Account: "main", Conversation: "C1"}, Events: []message.Stored{stored(s.cloud, n)},
	})
}

func (s *stage) closes() {
	s.hears(message.Notification{Kind: message.Conversation, Change: &message.Change{Version: 9, CloseReason: "AGENT"}})
}

func stored(sequence int64, event any) message.Stored {
	body, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	return message.Stored{Sequence: sequence, Body: body}
}

// handedOver returns the state that a run handed to the next.
func (s *stage) handedOver() conversation.State {
	s.t.Helper()
	require.True(s.t, s.IsWorkflowCompleted())
	var next *workflow.ContinueAsNewError
	require.ErrorAs(s.t, s.GetWorkflowError(), &next)
	var in Input
	require.NoError(s.t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	return in.State
}

func TestAConversationFromTheFirstWordToTheEnd(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.works()
	s.RegisterDelayedCallback(func() { s.writes("hello", "anybody?") }, 0)
	s.RegisterDelayedCallback(func() {
		s.hears(message.Notification{Kind: message.AgentWrote, Dialog: "C1", Sequence: 2, Text: "good day"})
	}, time.Second)
	s.RegisterDelayedCallback(s.closes, 2*time.Second)
	s.start()
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, []string{"hello", "anybody?"}, s.carried)
	require.Equal(t, []string{"good day"}, s.given)
	var got Summary
	require.NoError(t, s.GetWorkflowResult(&got))
	require.Equal(t, "AGENT", got.ClosedBy)
	require.Len(t, s.endings, 1)
	require.Equal(t, []message.Applied{
		{Stream: message.Stream{Address: addr}, Sequence: 1 + 1},
		{Stream: message.Stream{Account: "main", Conversation: "C1"}, Sequence: 2},
	}, s.endings[0].Applied)
}

func TestANewRunGoesByTheNewestRulesAndTellsWhatItHasTold(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var batches []activities.Batch
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		batches = append(batches, b)
		return s.toCloud(b), nil
	})
	s.channelWorks()
	profile := message.Profile{Name: "Mira"}
	signal := func(sequence int64, in message.Inbound) func() {
		in.Address, in.ID = addr, message.NewID(fmt.Sprint(sequence))
		return func() {
			s.SignalWorkflow(ChannelEvents, Signal{Stream: message.Stream{Address: addr}, Events: []message.Stored{stored(sequence, in)}})
		}
	}
	s.RegisterDelayedCallback(signal(1, message.Inbound{Kind: message.Wrote, Text: "hello", Profile: profile}), 0)
	s.RegisterDelayedCallback(signal(2, message.Inbound{Kind: message.Known, Profile: message.Profile{Email: "mira@example.org"}}), time.Second)
	s.RegisterDelayedCallback(func() {
		s.hears(message.Notification{
			Kind: message.AgentWrote, Dialog: "C1", Sequence: 1, Text: "1) Yes", Choices: []message.Choice{{ID: "c/1", Title: "Yes", Metadata: json.RawMessage(`["Y"]`)}},
		})
	}, 2*time.Second)
	s.RegisterDelayedCallback(func() { s.SetContinueAsNewSuggested(true) }, time.Minute)
	s.RegisterDelayedCallback(signal(3, message.Inbound{Kind: message.Wrote, Text: "1"}), time.Minute)
	s.start()
	state := s.handedOver()
	require.Equal(t, conversation.LatestRules, state.Rules)
	require.Equal(t, "mira@example.org", state.Told.Email)
	require.Equal(t, state.Told, batches[1].Profile, "the batch carries what the rules take for told")
	require.Equal(t, conversation.Update, batches[1].Commands[0].Kind)
	require.Len(t, state.Offers, 1, "offers go along")
	require.Len(t, state.ToCloud.Queue, 2)
	require.Equal(t, "ACTION", state.ToCloud.Queue[0].Status)
	require.JSONEq(t, `["Y"]`, string(state.ToCloud.Queue[1].Metadata))
}

func TestALaneHasOneBatchInFlight(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	flying, most := 0, 0
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).After(time.Minute).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		return s.toCloud(b), nil
	})
	s.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { flying++; most = max(most, flying) })
	s.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { flying-- })
	s.OnActivity(acts.Finish, mock.Anything, mock.Anything).Return(nil)
	for i := range 10 {
		s.RegisterDelayedCallback(func() { s.writes(fmt.Sprint("m", i)) }, time.Duration(i)*time.Second)
	}
	s.RegisterDelayedCallback(s.closes, 10*time.Minute)
	s.start()
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, 1, most)
	require.Equal(t, []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}, s.carried)
}

func TestARunHandsOverWhenTheServerSuggestsItAndLosesNoSignal(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.works()
	s.RegisterDelayedCallback(func() { s.writes("first") }, 0)
	s.RegisterDelayedCallback(func() {
		s.SetContinueAsNewSuggested(true)
		s.writes("in the same instant") // the run hands over in the task that brings it
	}, time.Second)
	s.start()
	state := s.handedOver()
	texts := append([]string(nil), s.carried...)
	for _, c := range state.ToCloud.Queue {
		texts = append(texts, c.Text)
	}
	require.Equal(t, []string{"first", "in the same instant"}, texts)
	require.Equal(t, int64(2), state.Applied[0].Sequence)
	require.Zero(t, state.ToCloud.Flying)
}

func TestAHandOverWaitsForTheLanes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).After(30 * time.Second).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		return s.toCloud(b), nil
	})
	s.RegisterDelayedCallback(func() { s.writes("slow") }, 0)
	s.RegisterDelayedCallback(func() { s.SetContinueAsNewSuggested(true); s.writes("meanwhile") }, time.Second)
	s.start()
	state := s.handedOver()
	require.Equal(t, []string{"slow"}, s.carried)
	require.Equal(t, conversation.Open, state.Stage)
	require.Len(t, state.ToCloud.Queue, 1)
}

func TestARunHandsOverAfterAThousandSignals(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.works()
	const chunk = 50 // the environment takes only so many at once
	for i := range handOverSignals / chunk {
		s.RegisterDelayedCallback(func() {
			for j := range chunk {
				s.writes(fmt.Sprint(i, "/", j))
			}
		}, time.Duration(i)*time.Second)
	}
	s.start()
	state := s.handedOver()
	require.Equal(t, int64(handOverSignals), state.Applied[0].Sequence)
}

func TestAnOutageIsWaitedOutByATimerNotByAnActivity(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	attempts := 0
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		attempts++
		if attempts < 8 {
			return activities.Returned{Stop: &conversation.Stop{Class: fault.Uncertain, Text: "503"}}, nil
		}
		return s.toCloud(b), nil
	})
	s.OnActivity(acts.Finish, mock.Anything, mock.Anything).Return(nil)
	s.RegisterDelayedCallback(func() { s.writes("patience") }, 0)
	s.RegisterDelayedCallback(s.closes, time.Hour)
	s.start()
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, []string{"patience"}, s.carried)
	require.Equal(t, 8, attempts)
}

func TestABatchWhoseWorkerDiedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	lost := true
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		if lost {
			lost = false
			return activities.Returned{}, temporal.NewNonRetryableApplicationError("gone with its worker", "test", nil)
		}
		return s.toCloud(b), nil
	})
	s.OnActivity(acts.Finish, mock.Anything, mock.Anything).Return(nil)
	s.RegisterDelayedCallback(func() { s.writes("hello") }, 0)
	s.RegisterDelayedCallback(s.closes, time.Hour)
	s.start()
	require.NoError(t, s.GetWorkflowError())
	require.Equal(t, []string{"hello"}, s.carried)
}

func TestASignalThatRacesTheEndIsNotLost(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		return s.toCloud(b), nil
	})
	finishing := 0
	s.OnActivity(acts.Finish, mock.Anything, mock.Anything).After(time.Second).Return(func(context.Context, activities.Ending) error {
		finishing++
		return nil
	})
	s.RegisterDelayedCallback(func() { s.writes("hello") }, 0)
	s.RegisterDelayedCallback(s.closes, time.Minute)
	s.RegisterDelayedCallback(func() { s.writes("a new matter while the run is ending") }, time.Minute+500*time.Millisecond)
	s.start()
	state := s.handedOver()
	require.Equal(t, 1, finishing)
	require.Len(t, state.ToCloud.Queue, 2, "an opening and the message")
	require.Equal(t, "a new matter while the run is ending", state.ToCloud.Queue[1].Text)
}

func TestUpdatesAreValidatedAndAct(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	refuse := true
	s.OnActivity(acts.ToCloud, mock.Anything, mock.Anything).Return(func(_ context.Context, b activities.Batch) (activities.Returned, error) {
		for _, c := range b.Commands {
			if c.Kind == conversation.Publish && c.Text == "bad" && c.Bury == "" && refuse {
				return activities.Returned{Results: s.toCloud(activities.Batch{Commands: b.Commands[:1]}).Results,
					Stop: &conversation.Stop{Class: fault.Rejected, Text: "rejected"}}, nil
			}
		}
		return s.toCloud(b), nil
	})
	s.OnActivity(acts.Finish, mock.Anything, mock.Anything).Return(nil)
	s.RegisterDelayedCallback(func() { s.writes("bad") }, 0)
	answers := map[string]error{}
	update := func(at time.Duration, name, key string, q Request) {
		s.RegisterDelayedCallback(func() {
			s.UpdateWorkflow(name, key, &testsuite.TestUpdateCallback{
				OnReject: func(err error) { answers[key] = err }, OnAccept: func() {},
				OnComplete: func(_ any, err error) { answers[key] = err },
			}, q)
		}, at)
	}
	id := message.NewID("bad")
	update(time.Minute, RedriveUpdate, "unknown", Request{By: "me", Message: "x"})
	update(time.Minute, RedriveUpdate, "nobody", Request{Message: id})
	update(time.Minute, SkipUpdate, "no reason", Request{By: "me", Message: id})
	s.RegisterDelayedCallback(func() {
		value, err := s.QueryWorkflow(StateQuery)
		require.NoError(t, err)
		var state conversation.State
		require.NoError(t, value.Get(&state))
		require.Len(t, state.Dead, 1)
		refuse = false
	}, 2*time.Minute)
	update(3*time.Minute, RedriveUpdate, "redrive", Request{By: "me", Message: id})
	update(4*time.Minute, CloseUpdate, "close", Request{By: "me"})
	s.start()
	require.NoError(t, s.GetWorkflowError())
	require.Error(t, answers["unknown"])
	require.Error(t, answers["nobody"])
	require.Error(t, answers["no reason"])
	require.NoError(t, answers["redrive"])
	require.NoError(t, answers["close"])
	require.Equal(t, []string{"bad", "bad"}, s.carried, "once as a dead letter, once for good")
}
