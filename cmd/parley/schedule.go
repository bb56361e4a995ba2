package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"parley/workflows"
)

// atNight is when housekeeping begins, in UTC, give or take the jitter.
var atNight = client.ScheduleCalendarSpec{
	Hour: []client.ScheduleRange{{Start: 3}}, Minute: []client.ScheduleRange{{Start: 17}}, Comment: "every night",
}

// scheduleHousekeeping has old rows deleted every night, with the retention of this
// configuration. One that is paused stays paused.
func scheduleHousekeeping(ctx context.Context, c client.Client, keep Keep) error {
	spec := client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{atNight}, Jitter: 20 * time.Minute}
	action := &client.ScheduleWorkflowAction{
		ID: workflows.HousekeepingSchedule, Workflow: workflows.HousekeepingType, TaskQueue: workflows.TaskQueue,
		Args:               []any{workflows.Keep{Inbox: keep.Inbox, Ledger: keep.Ledger, Journal: keep.Journal, Files: keep.Files}},
		WorkflowRunTimeout: 20 * time.Hour, // the next night begins anew
		StaticSummary:      "delete what is old and finished",
	}
	schedules := c.ScheduleClient()
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: workflows.HousekeepingSchedule, Spec: spec, Action: action,
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: 12 * time.Hour,
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, sdktemporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("schedule %s: %w", workflows.HousekeepingSchedule, err)
	}
	err = schedules.GetHandle(ctx, workflows.HousekeepingSchedule).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			s.Spec, s.Action = &spec, action
			if s.Policy == nil {
				s.Policy = &client.SchedulePolicies{}
			}
			s.Policy.Overlap = enums.SCHEDULE_OVERLAP_POLICY_SKIP
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	if err != nil {
		return fmt.Errorf("schedule %s: %w", workflows.HousekeepingSchedule, err)
	}
	return nil
}
