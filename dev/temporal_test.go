package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// temporalUnderTest is a Temporal server on free ports, which can be started again
// on the same store.
type temporalUnderTest struct {
	address, ui string
	store       []string
}

func newTemporalUnderTest(t *testing.T, store ...string) temporalUnderTest {
	return temporalUnderTest{address: loopback(testPort(t)), ui: loopback(testPort(t)), store: store}
}

func (u temporalUnderTest) start(t *testing.T) *program {
	t.Helper()
	began := time.Now()
	p := start(t, nil, append([]string{"temporal", "-address", u.address, "-ui", u.ui}, u.store...)...)
	p.says(t, "Temporal is ready")
	t.Logf("ready %s after the start of the process", time.Since(began).Round(time.Millisecond))
	return p
}

func (u temporalUnderTest) client(t *testing.T) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: u.address, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestTemporalKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			if store == "postgres" {
				keepsWhatItAcknowledged(t, newTemporalUnderTest(t, "-postgres", testPostgres(t)))
				return
			}
			file := filepath.Join(t.TempDir(), "a folder of its own", "temporal.db")
			keepsWhatItAcknowledged(t, newTemporalUnderTest(t, "-sqlite", file))
		})
	}
}

func keepsWhatItAcknowledged(t *testing.T, u temporalUnderTest) {
	ctx := t.Context()
	p := u.start(t)
	c := u.client(t)
	requireOperable(t, u, c)
	startConversation(t, c, "one")

	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.status(t))

	p = u.start(t)
	requireRunning(t, c, "one")
	startConversation(t, c, "two")
	require.NoError(t, c.SignalWorkflow(ctx, "one", "", "hello", "again"))
	p.signal(t, syscall.SIGKILL)
	p.status(t)

	if u.store[0] == "-sqlite" {
		// A misspelt pragma is ignored without a word, and costs half the speed.
		require.FileExists(t, u.store[1]+"-wal")
	}
	p = u.start(t)
	requireRunning(t, c, "one")
	requireRunning(t, c, "two")
	eventually(t, func() bool { // visibility is written a moment later
		found, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: `ParleyStage = "open"`})
		return err == nil && found.Count == 2
	})
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.status(t))
	require.NotContains(t, p.out.String(), `"level":"error"`)
}

// requireOperable checks what `parley migrate` and people will do.
func requireOperable(t *testing.T, u temporalUnderTest, c client.Client) {
	t.Helper()
	namespace, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.GreaterOrEqual(t, namespace.Config.WorkflowExecutionRetentionTtl.AsDuration(), 7*24*time.Hour)

	_, err = c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: "default",
		SearchAttributes: map[string]enumspb.IndexedValueType{
			"ParleyStage": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
			"ParleyCSAT":  enumspb.INDEXED_VALUE_TYPE_INT,
		},
	})
	require.NoError(t, err)

	for range 100 { // the server's own default is ten a second
		_, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{})
		require.NoError(t, err)
	}

	response, err := http.Get("http://" + u.ui + "/api/v1/namespaces/default")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// startConversation starts a workflow that no worker serves, so that it stays
// open. A new search attribute becomes known a moment after it was added.
func startConversation(t *testing.T, c client.Client, id string) {
	t.Helper()
	began, tries := time.Now(), 0
	stage := temporal.NewSearchAttributeKeyKeyword("ParleyStage")
	eventually(t, func() bool {
		tries++
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: id, TaskQueue: "nobody", TypedSearchAttributes: temporal.NewSearchAttributes(stage.ValueSet("open")),
		}, "Conversation")
		return err == nil
	})
	t.Logf("started workflow %s after %d tries and %s", id, tries, time.Since(began).Round(time.Millisecond))
}

func requireRunning(t *testing.T, c client.Client, id string) {
	t.Helper()
	found, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, found.WorkflowExecutionInfo.Status)
}

func TestTwoTemporalServersStartAtTheSameTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ended := make(chan error, 2)
	for i := range 2 {
		u := newTemporalUnderTest(t, "-sqlite", filepath.Join(dir, fmt.Sprint(i)+".db"))
		p := start(t, nil, append([]string{"temporal", "-address", u.address, "-ui", u.ui}, u.store...)...)
		go func() {
			for !listening(u.ui) {
				select {
				case <-p.done:
					ended <- errors.New("ended")
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
			ended <- nil
		}()
	}
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
}

func TestTemporalNamesTheAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	u := newTemporalUnderTest(t, "-sqlite", filepath.Join(t.TempDir(), "temporal.db"))
	u.start(t)
	second := start(t, nil, append([]string{"temporal", "-address", u.address, "-ui", u.ui}, u.store...)...)
	require.Equal(t, exitUsage, second.status(t))
	require.Contains(t, second.out.String(), u.address)
	require.Contains(t, second.out.String(), "-address")
	require.Contains(t, second.out.String(), u.ui)
}
