package simulator

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

type wireList struct {
	Entries []Wire
	Last    int64
}

func TestWireKeepsAndFinds(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"wireEntries":40}`)
	c := g.consumer("ada")
	c.open()
	for _, text := range numbers(10) {
		c.send(textOf(c.conv, text, ""))
	}
	c.send(textOf(c.conv, "", ""))
	eventually(t, "echoes", func() bool { return g.sim.totals().Webhooks.Delivered == 11 })
	var list wireList
	g.must("GET", "/sim/wire", "", &list)
	require.Len(t, list.Entries, 3+11+11, "token, consumer, conversation; SENDs; webhooks")
	require.Equal(t, list.Last, list.Entries[0].ID, "newest first")
	last := list.Last

	g.must("GET", "/sim/wire?class=send&conversation="+c.conv, "", &list)
	require.Len(t, list.Entries, 11)
	g.must("GET", "/sim/wire?direction=out&limit=4", "", &list)
	require.Len(t, list.Entries, 4)
	require.Equal(t, "/webhooks/liveperson/main", list.Entries[0].Path)
	require.Equal(t, 1, list.Entries[0].Attempt)
	g.must("GET", fmt.Sprintf("/sim/wire?after=%d", last), "", &list)
	require.Empty(t, list.Entries)
	g.must("GET", "/sim/wire?rejected=1", "", &list)
	require.Len(t, list.Entries, 1)

	var one Wire
	g.must("GET", fmt.Sprintf("/sim/wire/%d", list.Entries[0].ID), "", &one)
	require.Contains(t, one.Request.Body, c.conv)
	require.Contains(t, one.Response.Body, "must not be empty")
	require.Equal(t, "…", one.Request.Headers["Authorization"])
	require.Equal(t, "…", one.Request.Headers["X-Lp-On-Behalf"])

	for range 60 {
		c.send(textOf(c.conv, "more", ""))
	}
	eventually(t, "echoes", func() bool { return g.sim.totals().Webhooks.Delivered == 71 })
	g.must("GET", "/sim/wire", "", &list)
	require.Len(t, list.Entries, 40, "the oldest are forgotten")
	require.Equal(t, 404, g.control("GET", "/sim/wire/1", "", nil))
	g.must("PUT", "/sim/settings", `{"wireEntries":7}`, nil)
	g.must("GET", "/sim/wire", "", &list)
	require.Len(t, list.Entries, 7)
	g.must("POST", "/sim/reset", "", nil)
	g.must("GET", "/sim/wire", "", &list)
	require.Empty(t, list.Entries)
	require.Greater(t, list.Last, last, "ids go on")
}
