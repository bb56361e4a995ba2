package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"parley/conversation"
	"parley/db"
	"parley/message"
	"parley/workflows"
)

// archive is a Postgres schema and a conversation at a real Temporal server that says
// what a test wants.
type archive struct {
	url      string
	store    *db.Store
	temporal client.Client
	identity workflows.Identity
	hook     atomic.Pointer[func()] // called whenever the conversation is asked
}

// needed returns a variable of the environment that tests with servers need.
func needed(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		if os.Getenv("CI") != "" {
			t.Fatal(name + " is not set")
		}
		t.Skip(name + " is not set")
	}
	return value
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	base, server := needed(t, "DATABASE_URL"), needed(t, "TEMPORAL_ADDRESS")
	name := fmt.Sprintf("verify_%d", time.Now().UnixNano())
	sql := func(s string) {
		conn, err := pgx.Connect(context.Background(), base)
		require.NoError(t, err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), s)
		require.NoError(t, err)
	}
	sql("CREATE SCHEMA " + name)
	t.Cleanup(func() { sql("DROP SCHEMA " + name + " CASCADE") })
	u, err := url.Parse(base)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()

	a := &archive{url: u.String()}
	require.NoError(t, db.Migrate(t.Context(), a.url, nil))
	a.store, err = db.Open(t.Context(), a.url, db.Options{})
	require.NoError(t, err)
	t.Cleanup(a.store.Close)
	a.identity.Key, err = a.store.DigestKey(t.Context())
	require.NoError(t, err)
	a.temporal, err = client.Dial(client.Options{HostPort: server})
	require.NoError(t, err)
	t.Cleanup(a.temporal.Close)
	return a
}

// converses starts a conversation that answers the query with this state.
func (a *archive) converses(t *testing.T, state conversation.State) {
	t.Helper()
	id := a.identity.Workflow(caller)
	w := worker.New(a.temporal, id, worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		err := workflow.SetQueryHandler(ctx, workflows.StateQuery, func() (conversation.State, error) {
			if hook := a.hook.Load(); hook != nil {
				(*hook)()
			}
			return state, nil
		})
		workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
		return err
	}, workflow.RegisterOptions{Name: workflows.Type})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := a.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: id}, workflows.Type)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.Background()
		assert.NoError(t, a.temporal.SignalWorkflow(ctx, run.GetID(), run.GetRunID(), "end", nil))
		assert.NoError(t, run.Get(ctx, nil))
	})
}

// writes stores a text of the consumer's and hands it to nobody; it returns the name
// of what must be sent for it.
func (a *archive) writes(t *testing.T, event string) message.ID {
	t.Helper()
	id := message.NewID(caller.Channel, event)
	body, err := json.Marshal(message.Inbound{ID: id, Kind: message.Wrote, EventID: event, Address: caller, Text: "hello"})
	require.NoError(t, err)
	_, err = a.store.Append(t.Context(), message.Arrival{Events: []message.Event{{
		Stream: message.Stream{Address: caller}, Source: "channel/" + caller.Channel, EventID: event, Urgent: true, Starts: true, Body: body,
	}}})
	require.NoError(t, err)
	state, err := a.store.Dispatch(t.Context(), "channel/"+caller.Channel+"/"+caller.Consumer, 0, 0,
		func(context.Context, message.Dispatch) error { return nil })
	require.NoError(t, err)
	require.NotEqual(t, message.Busy, state)
	return id
}

// sent writes down that a command was about to be sent, or also that it was.
func (a *archive) sent(t *testing.T, id message.ID, notes ...string) {
	t.Helper()
	_, err := a.store.Intend(t.Context(), []message.ID{id})
	require.NoError(t, err)
	for _, note := range notes {
		require.NoError(t, a.store.Record(t.Context(), []message.Outcome{{Command: id, State: message.Done, Account: "main", Sequence: 1, Note: note}}))
	}
}

// verify runs the command as a script does.
func (a *archive) verify(t *testing.T, args ...string) (status int, out string) {
	t.Helper()
	var stdout, stderr strings.Builder
	env := []string{"DATABASE_URL=" + a.url, "TEMPORAL_ADDRESS=" + os.Getenv("TEMPORAL_ADDRESS"), "PARLEY_LOG_LEVEL=error"}
	status = run(t.Context(), append([]string{"verify"}, args...), env, &stdout, &stderr)
	return status, stdout.String() + stderr.String()
}

// taken is the state of a conversation that has taken the first n events of the
// caller's, and has none of them any more.
func taken(n int64) conversation.State {
	return conversation.State{Applied: []message.Applied{{Stream: message.Stream{Address: caller}, Sequence: n}}}
}

func TestVerifyLooksOnceMoreAfterTheConversationsWereAsked(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	id := a.writes(t, "m1")
	a.converses(t, taken(1))
	status, out := a.verify(t)
	assert.Equal(t, exitMissing, status, out)
	assert.Regexp(t, `missing +1\n`, out, "nothing was ever sent for it")

	var once sync.Once
	arrives := func() { once.Do(func() { a.sent(t, id, "") }) }
	a.hook.Store(&arrives)
	status, out = a.verify(t)
	assert.Zero(t, status, out)
	assert.Regexp(t, `published +1\n`, out, "it was sent while the conversation was asked")
}

func TestVerifyTellsWhatCouldNotBeRecordedFromWhatIsMissing(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.sent(t, a.writes(t, "m1"))
	a.sent(t, a.writes(t, "m2"), "")
	a.sent(t, a.writes(t, "m3"), "again")
	a.converses(t, taken(3))
	status, out := a.verify(t)
	assert.Equal(t, exitUncertain, status, out)
	assert.Regexp(t, `published +1\n`, out)
	assert.Regexp(t, `uncertain +2\n`, out)
	assert.Regexp(t, `missing +0\n`, out)
	assert.Contains(t, out, "the outcome could not be recorded")
	assert.Contains(t, out, "perhaps twice")
	assert.NotContains(t, out, caller.Consumer)

	status, out = a.verify(t, "-allow", "uncertain")
	assert.Zero(t, status, out)
	assert.Regexp(t, `uncertain +2\n`, out, "it is shown all the same")

	a.writes(t, "m4")
	status, out = a.verify(t, "-allow", "uncertain")
	assert.Equal(t, exitWaiting, status, out)
	assert.Contains(t, out, "has not taken it yet")
}

func TestHelpOfVerifyNamesItsExitStatuses(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	assert.Equal(t, exitUsage, run(t.Context(), []string{"verify", "-h"}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "4 all was sent")
	assert.Equal(t, exitUsage, run(t.Context(), []string{"verify", "-allow", "missing"}, nil, &out, &errs))
}
