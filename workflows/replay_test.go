package workflows

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Each history was recorded from a run of a released version, with `parley export`.
// One that no longer replays means that running conversations would break: it is
// mended with a new rules version, never by deleting the file.
func TestHistoriesOfReleasedVersionsReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*.json*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(Conversation, workflow.RegisterOptions{Name: Type})
			require.NoError(t, replayer.ReplayWorkflowHistory(nil, recorded(t, file)))
		})
	}
}

// recorded reads a history as exported, or compressed.
func recorded(t *testing.T, name string) *history.History {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	var r io.Reader = file
	if filepath.Ext(name) == ".gz" {
		r, err = gzip.NewReader(file)
		require.NoError(t, err)
	}
	h, err := client.HistoryFromJSON(r, client.HistoryJSONOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, h.Events)
	return h
}
