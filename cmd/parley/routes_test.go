package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/conversation"
)

const smsRoutes = "PARLEY_CHANNEL_SMS_ROUTES"

func TestRoutes(t *testing.T) {
	t.Parallel()
	const list = `[{"words":["asap","dringend"],"skill":"4711","urgency":"urgent"}, {"engagement":true,"entry":["sec://sport"]}]`
	want := []conversation.Route{
		{Words: []string{"asap", "dringend"}, Skill: "4711", Urgency: "URGENT"},
		{Engagement: true, Entry: []string{"sec://sport"}},
	}
	vars := complete()
	vars[smsRoutes] = list
	c, err := loadAPI(vars)
	require.NoError(t, err)
	assert.Equal(t, want, c.Channels[0].Routes)
	assert.Empty(t, c.Channels[1].Routes)

	path := filepath.Join(t.TempDir(), "routes.json")
	require.NoError(t, os.WriteFile(path, []byte("\n"+list+"\n"), 0o600))
	vars[smsRoutes], vars[smsRoutes+"_FILE"] = "", path
	c, err = loadAPI(vars)
	require.NoError(t, err)
	assert.Equal(t, want, c.Channels[0].Routes)
	assert.Empty(t, c.Warnings)
}

func TestEveryMistakeInRoutesIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, want string }{
		{`[{"skill":"1"}`, "it ends too early"},
		{`[{"skill":"1"}] x`, "something follows the list"},
		{`[{"skil":"1"}]`, `unknown field "skil"`},
		{`[{"skill":1}]`, `"skill" must not be a number`},
		{`{"skill":"1"}`, "is not a list of routes"},
		{`nonsense`, "at byte 2"},
		{`[{"urgency":"high"}]`, `route 1 has the urgency "HIGH"; use one of NORMAL, URGENT, PRIORITIZED`},
		{`[{"skill":"first line"}]`, `route 1 has the skill "first line"`},
		{`[{"words":["a"," "]}]`, "route 1 has an empty word"},
		{`[{"words":["a"]},{"engagement":true,"entry":["sport"]}]`, `route 2 has the entry point "sport"; write one such as`},
		{`[{"entry":["sec://sport"]}]`, `route 1 has entry points and no "engagement": true`},
		{`[{"skill":"1"},{"words":["a"],"skill":"2"}]`, "route 1 has no words, so those behind it are never reached"},
	} {
		vars := complete()
		vars[smsRoutes] = c.value
		_, err := loadAPI(vars)
		got := problems(t, err)
		require.Len(t, got, 1, c.value)
		assert.True(t, strings.HasPrefix(got[0], smsRoutes+": "), got[0])
		assert.Contains(t, got[0], c.want)
	}
	for name, change := range map[string]map[string]string{
		smsRoutes + ": is set, and so is":                     {smsRoutes: "[]", smsRoutes + "_FILE": "/x"},
		smsRoutes + "_FILE: names a file that cannot be read": {smsRoutes + "_FILE": "/not/there"},
		smsRoutes + "_FILE: names an empty file":              {smsRoutes + "_FILE": os.DevNull},
	} {
		vars := complete()
		maps.Copy(vars, change)
		_, err := loadAPI(vars)
		assert.Contains(t, problems(t, err)[0], name)
	}
}
