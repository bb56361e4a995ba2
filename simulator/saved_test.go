package simulator

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the far sides know outlives a restart: conversations go on under the same
// names, sequences and tokens, and webhooks that waited arrive.
func TestRestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	g := newRig(t, `{"httpReceipts":false}`)
	start := func(before *Simulator) *Simulator {
		if before != nil {
			before.Close()
		}
		cfg := g.sim.cfg
		cfg.StateFile = file
		s, err := New(cfg)
		require.NoError(t, err)
		srv := httptest.NewServer(s)
		t.Cleanup(func() { srv.Close(); s.Close() })
		g.sim, g.url = s, srv.URL
		return s
	}
	s := start(nil)
	c := g.consumer("ada")
	c.open()
	c.send(textOf(c.conv, "one", "id-1"))
	g.must("POST", "/sim/phones/web/u-1/text", `{"text":"hi","messageId":"m-1"}`, nil)
	text := `{"id":"1","conversation":{"id":"c-u-1"},"kind":"text","text":"x"}`
	_, first := g.deliver("1", text)
	eventually(t, "delivered", func() bool { return g.sender().Queued == 0 })
	g.must("PATCH", "/sim/faults", `{"webhooks":{"hold":true}}`, nil)
	g.say(c.conv, "held back")
	var before DetailView
	g.must("GET", "/sim/conversations/"+c.conv, "", &before)
	require.NotContains(t, g.parley.received(t)[c.conv], "held back")

	start(s)
	eventually(t, "what waited arrives", func() bool { return len(g.parley.received(t)[c.conv]) == 2 })
	var after DetailView
	g.must("GET", "/sim/conversations/"+c.conv, "", &after)
	require.Equal(t, before.Transcript, after.Transcript)
	require.Equal(t, before.ConversationView, after.ConversationView)
	require.Equal(t, before.Counters.ByExternalID, after.Counters.ByExternalID)
	status, b := c.send(textOf(c.conv, "two", "id-2"))
	require.Equal(t, 200, status, "with the old tokens: %s", b)
	require.Contains(t, b, `"sequence":2`)
	_, again := g.deliver("1", text)
	require.Equal(t, first, again)
	var p PhoneView
	g.must("GET", "/sim/phones/web/u-1", "", &p)
	require.Len(t, p.Thread, 2)
	require.Equal(t, 1, p.Counters.Repeats)

	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
