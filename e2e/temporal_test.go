package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// runs lists the runs of workflows that a query finds.
func (s *stack) runs(query string) ([]*workflow.WorkflowExecutionInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var all []*workflow.WorkflowExecutionInfo
	var page []byte
	for {
		list, err := s.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, NextPageToken: page})
		if err != nil {
			return nil, err
		}
		all = append(all, list.Executions...)
		if page = list.NextPageToken; len(page) == 0 {
			return all, nil
		}
	}
}

// found says whether a query finds so many runs; visibility is a moment behind.
func (s *stack) found(n int, query string) error {
	list, err := s.runs(query)
	if err == nil && len(list) != n {
		err = fmt.Errorf("%s finds %d runs, not %d: %w", query, len(list), n, errNotYet)
	}
	return err
}

// workflowOf waits for the ID of the workflow that has a conversation of the cloud.
func (s *stack) workflowOf(conversation string) string {
	s.t.Helper()
	id := ""
	eventually(s.t, "a conversation's workflow can be searched for", func() error {
		list, err := s.runs(fmt.Sprintf("ParleyConversation = %q", conversation))
		if err == nil && len(list) == 0 {
			err = errNotYet
		}
		if err == nil {
			id = list[0].Execution.WorkflowId
		}
		return err
	})
	return id
}

// history reads all events of a run.
func (s *stack) history(id, run string) []*history.HistoryEvent {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all []*history.HistoryEvent
	events := s.temporal.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(s.t, err)
		all = append(all, e)
	}
	return all
}

// standing is what these tests look at in a conversation's state.
type standing struct {
	Stage              string
	ToCloud, ToChannel struct{ Queue []json.RawMessage }
	whole              json.RawMessage
}

// state asks a conversation where it stands.
func (s *stack) state(id string) (standing, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var state standing
	value, err := s.temporal.QueryWorkflow(ctx, id, "", "state")
	if err == nil {
		err = value.Get(&state.whole)
	}
	if err == nil {
		err = json.Unmarshal(state.whole, &state)
	}
	return state, err
}

// reportStates shows where the conversations of a failed test stand.
func (s *stack) reportStates() {
	if !s.t.Failed() {
		return
	}
	list, err := s.runs(`ExecutionStatus = "Running"`)
	if err != nil {
		s.t.Logf("no states: %v", err)
	}
	for _, r := range list[:min(len(list), 3)] {
		state, err := s.state(r.Execution.WorkflowId)
		s.t.Logf("state of %s (%v): %.4000s", r.Execution.WorkflowId, err, state.whole)
	}
}
