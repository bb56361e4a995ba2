package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"parley/activities"
)

func TestHousekeepingGoesThroughTheTablesInOrder(t *testing.T) {
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterWorkflowWithOptions(Housekeeping, workflow.RegisterOptions{Name: HousekeepingType})
	now := time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)
	env.SetStartTime(now)
	const day = 24 * time.Hour
	var asked []string
	age := map[string]time.Duration{}
	env.RegisterActivityWithOptions(func(_ context.Context, in activities.Trim) (activities.Trimmed, error) {
		asked = append(asked, in.Table)
		age[in.Table] = now.Sub(in.Before).Truncate(time.Hour)
		return activities.Trimmed{Rows: 10, More: in.Table == "inbox" && len(asked) < 4}, nil
	}, activity.RegisterOptions{Name: "Trim"})
	env.ExecuteWorkflow(HousekeepingType, Keep{Inbox: 10 * day, Ledger: 30 * day, Journal: 90 * day, Files: 20 * day})
	require.NoError(t, env.GetWorkflowError())
	assert.Equal(t, []string{"settle", "inbox", "inbox", "inbox", "ledger", "echoes", "journal", "dead_letters", "bindings", "files"}, asked)
	assert.Equal(t, map[string]time.Duration{
		"settle": 0, "inbox": 10 * day, "ledger": 30 * day, "echoes": 30 * day, "journal": 90 * day, "dead_letters": 90 * day, "bindings": 90 * day, "files": 20 * day}, age)
	var got []Tidied
	require.NoError(t, env.GetWorkflowResult(&got))
	assert.Contains(t, got, Tidied{"inbox", 30})
}

func TestAScheduleMadeBeforeThereWereFilesKeepsThem(t *testing.T) {
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterWorkflowWithOptions(Housekeeping, workflow.RegisterOptions{Name: HousekeepingType})
	env.RegisterActivityWithOptions(func(_ context.Context, in activities.Trim) (activities.Trimmed, error) {
		assert.NotEqual(t, "files", in.Table)
		return activities.Trimmed{}, nil
	}, activity.RegisterOptions{Name: "Trim"})
	env.ExecuteWorkflow(HousekeepingType, Keep{Inbox: time.Hour, Ledger: time.Hour, Journal: time.Hour})
	require.NoError(t, env.GetWorkflowError())
}
