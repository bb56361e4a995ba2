package main

import (
	"context"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// size is how large the histories of the warm conversations are, over all runs.
type size struct{ events, bytes int64 }

func (s size) minus(o size) size { return size{s.events - o.events, s.bytes - o.bytes} }

// histories follows the warm conversations.
type histories struct {
	stack *stack
	runs  []followed
}

// followed is the latest run of a conversation that we know of, with the size of those
// before it.
type followed struct {
	workflow, id string
	before       size
}

// newHistories finds the conversations that run now.
func newHistories(ctx context.Context, s *stack, want int) (*histories, error) {
	h := &histories{stack: s}
	deadline := time.Now().Add(30 * time.Second)
	for {
		list, err := s.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: "ExecutionStatus = 'Running'", PageSize: int32(2 * want),
		})
		if err != nil {
			return nil, err
		}
		if len(list.Executions) >= want {
			for _, e := range list.Executions {
				h.runs = append(h.runs, followed{workflow: e.Execution.WorkflowId, id: e.Execution.RunId})
			}
			return h, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d conversations run, not %d", len(list.Executions), want)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// measure adds up all histories, once they have come to rest.
func (h *histories) measure(ctx context.Context) (size, error) {
	sum := size{-1, -1}
	for {
		now, err := h.once(ctx)
		if err != nil || now == sum {
			return now, err
		}
		sum = now
		time.Sleep(300 * time.Millisecond)
	}
}

func (h *histories) once(ctx context.Context) (size, error) {
	var sum size
	for i := range h.runs {
		s, err := h.follow(ctx, &h.runs[i])
		if err != nil {
			return size{}, err
		}
		sum.events, sum.bytes = sum.events+s.events, sum.bytes+s.bytes
	}
	return sum, nil
}

// follow goes on to the run that goes on, if there was a hand-over.
func (h *histories) follow(ctx context.Context, r *followed) (size, error) {
	for {
		d, err := h.stack.temporal.DescribeWorkflowExecution(ctx, r.workflow, r.id)
		if err != nil {
			return size{}, err
		}
		info := d.WorkflowExecutionInfo
		sum := size{r.before.events + info.HistoryLength, r.before.bytes + info.HistorySizeBytes}
		if info.Status != enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			return sum, nil
		}
		events := h.stack.temporal.GetWorkflowHistory(ctx, r.workflow, r.id, false, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
		event, err := events.Next()
		if err != nil {
			return size{}, err
		}
		r.before, r.id = sum, event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
}
