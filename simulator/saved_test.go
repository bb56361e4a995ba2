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

// Files, clicks, surveys, profiles and what phones hold outlive a restart too.
func TestRestartKeepsWhatIsNew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	g := newRig(t, "")
	start := func(before *Simulator) *Simulator {
		if before != nil {
			before.Close()
		}
		cfg := g.sim.cfg
		cfg.StateFile, cfg.Settings = file, `{"survey":{"on":true,"timeoutMs":0},"httpReceipts":false}`
		s, err := New(cfg)
		require.NoError(t, err)
		srv := httptest.NewServer(s)
		t.Cleanup(func() { srv.Close(); s.Close() })
		g.sim, g.url = s, srv.URL
		return s
	}
	s := start(nil)
	c := g.consumer("ada")
	c.features = surveyable
	c.openWith(`"skillId":"2210"`)
	c.send(textOf(c.conv, "hello", ""))
	pic := picture(t)
	u := c.place("PNG", len(pic))
	status, b := g.do("PUT", u.path(), nil, string(pic))
	require.Equal(t, 201, status, b)
	status, b = c.send(hostedOfFile(c.conv, `{"caption":"a picture","fileType":"PNG","relativePath":"`+u.RelativePath+`"}`))
	require.Equal(t, 200, status, b)
	status, b = c.send(fieldOf(c.conv, `{"field":"TTRField","ttrType":"CUSTOM","value":7}`))
	require.Equal(t, 200, status, b)
	status, b = c.send(closeDialogOf(c.conv, c.conv, "done"))
	require.Equal(t, 200, status, b)
	c.click(c.detail().SurveyRun.Dialog, 4, "5")
	g.must("PUT", "/sim/phones/web/u-1", `{"profile":{"email":"a@example.org"}}`, nil)
	g.must("POST", "/sim/phones/web/u-1/text", `{"attachments":[{"generate":5000}]}`, nil)
	_, visit := g.engagement("", `"sec://orders"`, "u-1")
	before := c.detail()
	var phone PhoneView
	g.must("GET", "/sim/phones/web/u-1", "", &phone)

	start(s)
	after := c.detail()
	require.Equal(t, before.Transcript, after.Transcript)
	require.Equal(t, before.Clicks, after.Clicks)
	require.Equal(t, before.SurveyRun, after.SurveyRun)
	require.Equal(t, before.ConversationView, after.ConversationView)
	require.Equal(t, before.Dialogs, after.Dialogs)
	require.Equal(t, 7, after.TTRValue)
	var again PhoneView
	g.must("GET", "/sim/phones/web/u-1", "", &again)
	require.Equal(t, phone, again)
	for _, path := range []string{before.Transcript[1].File.URL, phone.Thread[0].Media[0].Show} {
		status, _ := g.do("GET", path, nil, "")
		require.Equal(t, 200, status, path)
	}
	var firsts FirstMessages
	g.must("GET", "/sim/first-messages", "", &firsts)
	require.Equal(t, 1, firsts.Count)
	status, _ = g.engagement("&vid="+visit.VisitorID+"&sid="+visit.SessionID, `"sec://orders"`, "u-1")
	require.Equal(t, 200, status)
	c.click(after.SurveyRun.Dialog, 0, "Yes")
	require.Equal(t, surveyCompleted, c.detail().Survey, "it goes on where it stood")
}
