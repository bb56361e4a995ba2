package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"parley/activities"
)

// HousekeepingType and HousekeepingSchedule name what deletes old rows every night.
const (
	HousekeepingType     = "Housekeeping"
	HousekeepingSchedule = "parley-housekeeping"
)

// Keep is how long rows are kept once they are finished. What is not finished is
// kept however old it is.
type Keep struct {
	Inbox   time.Duration `json:"inbox"`           // also how long redeliveries are recognised
	Ledger  time.Duration `json:"ledger"`          // and echoes: how long a repeated command is not sent again
	Journal time.Duration `json:"journal"`         // and dead letters and bindings
	Files   time.Duration `json:"files,omitempty"` // that agents sent; zero, of a schedule made before there were any, keeps them
}

// Tidied is what was deleted, per table.
type Tidied struct {
	Table string `json:"table"`
	Rows  int    `json:"rows"`
}

var retryTrim = temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute}

// Housekeeping deletes what is old and finished, one table after the other. What
// says that a dead letter is settled is older than the letter, so that is noted
// before anything is deleted; and whether an event has reached its effect is in the
// ledger, so the inbox comes before it.
func Housekeeping(ctx workflow.Context, keep Keep) ([]Tidied, error) {
	now := workflow.Now(ctx)
	var done []Tidied
	for _, step := range [...]struct {
		table string
		keep  time.Duration
	}{
		{"settle", 0}, {"inbox", keep.Inbox}, {"ledger", max(keep.Ledger, keep.Inbox)}, {"echoes", max(keep.Ledger, keep.Inbox)},
		{"journal", keep.Journal}, {"dead_letters", keep.Journal}, {"bindings", keep.Journal},
	} {
		rows, err := trim(ctx, activities.Trim{Table: step.table, Before: now.Add(-step.keep)})
		if err != nil {
			return done, fmt.Errorf("trim %s: %w", step.table, err)
		}
		done = append(done, Tidied{step.table, rows})
	}
	if keep.Files == 0 {
		return done, nil
	}
	rows, err := trim(ctx, activities.Trim{Table: "files", Before: now.Add(-keep.Files)})
	if err != nil {
		return done, fmt.Errorf("trim files: %w", err)
	}
	return append(done, Tidied{"files", rows}), nil
}

func trim(ctx workflow.Context, in activities.Trim) (rows int, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute, HeartbeatTimeout: 2 * time.Minute, RetryPolicy: &retryTrim, Summary: in.Table,
	})
	for more := true; more; {
		var got activities.Trimmed
		if err := workflow.ExecuteActivity(ctx, acts.Trim, in).Get(ctx, &got); err != nil {
			return rows, err
		}
		rows, more = rows+got.Rows, got.More
	}
	return rows, nil
}
