package supervise

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsRepeatedOnTheConsole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ line, shown string }{
		"a warning in JSON":        {`{"time":"…","level":"WARN","msg":"not yet","err":"refused","with":"Postgres"}`, "WARN not yet: refused"},
		"zap's spelling":           {`{"level":"error","ts":"…","msg":"failed","error":"no shard"}`, "ERROR failed: no shard"},
		"information in JSON":      {`{"level":"INFO","msg":"an ERROR:  in words"}`, ""},
		"slog as text":             {`time=… level=ERROR msg="failed"`, `time=… level=ERROR msg="failed"`},
		"information as text":      {`time=… level=INFO msg="fine"`, ""},
		"Postgres":                 {`2026-01-01 00:00:00 UTC [7] FATAL:  the database system is starting up`, `2026-01-01 00:00:00 UTC [7] FATAL:  the database system is starting up`},
		"the end of a Go program":  {`panic: runtime error`, `panic: runtime error`},
		"something else in braces": {`{not JSON level=ERROR`, ""},
		"anything else":            {`no ERROR here`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown, ok := notable(c.line)
			require.Equal(t, c.shown != "", ok)
			require.Equal(t, c.shown, shown)
		})
	}
}

func TestALongLineIsShortenedOnTheConsole(t *testing.T) {
	t.Parallel()
	shown, ok := notable("panic: " + strings.Repeat("ä", 1000))
	require.True(t, ok)
	require.Len(t, []rune(shown), shownLength+1)
}

// transcript can be read while it is written.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

func newTestSupervisor(t *testing.T, restart bool) (*Supervisor, *transcript) {
	t.Helper()
	out := &transcript{}
	return New(NewConsole(out), t.TempDir(), restart), out
}

func TestLinesComeInPiecesAndFloodsAreHeldBack(t *testing.T) {
	t.Parallel()
	s, out := newTestSupervisor(t, false)
	log, err := s.OpenLog("noisy")
	require.NoError(t, err)
	for _, piece := range []string{"pan", "ic: in pieces\nfi", "ne\n"} {
		_, err := log.Write([]byte(piece))
		require.NoError(t, err)
	}
	for i := range 100 {
		fmt.Fprintf(log, "panic: %d\n", i)
	}
	log.Close()
	require.Contains(t, out.String(), "noisy      panic: in pieces\n")
	require.LessOrEqual(t, strings.Count(out.String(), "\n"), 2*shownPerSecond+2, "the clock may have ticked once")
	content, err := os.ReadFile(filepath.Join(s.LogDir, "noisy.log"))
	require.NoError(t, err)
	require.Equal(t, 102, strings.Count(string(content), "\n"), "the file has it all")
	require.Contains(t, log.Tail(), "panic: 99")
	require.NotContains(t, log.Tail(), "panic: 79\n")
}

func TestTheLogOfThePreviousTimeIsKept(t *testing.T) {
	t.Parallel()
	s, _ := newTestSupervisor(t, false)
	for _, text := range []string{"first\n", "second\n"} {
		log, err := s.OpenLog("x")
		require.NoError(t, err)
		_, err = log.Write([]byte(text))
		require.NoError(t, err)
		log.Close()
	}
	for file, text := range map[string]string{"x.log": "second\n", "x.log.old": "first\n"} {
		content, err := os.ReadFile(filepath.Join(s.LogDir, file))
		require.NoError(t, err)
		require.Equal(t, text, string(content))
	}
}

func TestWhatIsHarmlessStaysInTheFile(t *testing.T) {
	t.Parallel()
	s, out := newTestSupervisor(t, false)
	service := shell("pg", `echo "FATAL:  starting up"; echo "FATAL:  out of memory"; exec sleep 3600`)
	service.Harmless = "starting up"
	require.NoError(t, s.Start(t.Context(), service))
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "out of memory") }, 30*time.Second, time.Millisecond)
	require.NotContains(t, out.String(), "starting up")
	s.Stop(t.Context())
}
