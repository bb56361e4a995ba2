// Package worker says what a Temporal worker of ours runs, and with which
// options. It reads no configuration and opens nothing: it is handed a client and
// activities that are ready.
package worker

import (
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"parley/activities"
	"parley/workflows"
)

// Config is how much a worker takes on.
type Config struct {
	Cached     int           // conversations kept in memory, about 30 KiB each
	Activities int           // batches under way at once
	StopWithin time.Duration // how long batches may go on when the worker stops
}

// Defaults suit a process with a few hundred megabytes.
var Defaults = Config{Cached: 10_000, Activities: 200, StopWithin: 15 * time.Second}

// keptFor is how long a conversation's next step waits for the worker that has it in
// memory before any other may take it. Whoever writes to a conversation whose worker
// was killed waits that long; a worker that is merely busy answers sooner. The SDK's
// 5 s made the first message after a crash take more than that.
const keptFor = 3 * time.Second

// New returns a worker that is ready to start. Eager activity start is left on: it
// is worth a factor of two (temporal.md §C), and is why workflows and activities
// share a task queue.
func New(c client.Client, a *activities.Activities, cfg Config) worker.Worker {
	worker.SetStickyWorkflowCacheSize(cfg.Cached)
	w := worker.New(c, workflows.TaskQueue, worker.Options{
		MaxConcurrentActivityExecutionSize:     cfg.Activities,
		MaxConcurrentWorkflowTaskExecutionSize: 100,
		WorkflowTaskPollerBehavior:             worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior:             worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		WorkerStopTimeout:                      cfg.StopWithin,
		MaxHeartbeatThrottleInterval:           time.Second,
		StickyScheduleToStartTimeout:           keptFor,
	})
	w.RegisterWorkflowWithOptions(workflows.Conversation, workflow.RegisterOptions{Name: workflows.Type})
	w.RegisterActivityWithOptions(a.ToCloud, activity.RegisterOptions{Name: "ToCloud"})
	w.RegisterActivityWithOptions(a.ToChannel, activity.RegisterOptions{Name: "ToChannel"})
	w.RegisterActivityWithOptions(a.Fetch, activity.RegisterOptions{Name: "Fetch"})
	w.RegisterActivityWithOptions(a.Finish, activity.RegisterOptions{Name: "Finish"})
	w.RegisterWorkflowWithOptions(workflows.Housekeeping, workflow.RegisterOptions{Name: workflows.HousekeepingType})
	w.RegisterActivityWithOptions(a.Trim, activity.RegisterOptions{Name: "Trim"})
	return w
}
