package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDemoSecretsAreMadeOnceAndKeptPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "demo.env")
	first, err := demoSecrets(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	byName := map[string]string{}
	for _, v := range first {
		byName[v.name] = v.value
	}
	require.Regexp(t, `^AC[0-9a-f]{32}$`, byName["PARLEY_CHANNEL_SMS_ACCOUNT_SID"])
	key, ok := strings.CutPrefix(byName["PARLEY_CHANNEL_WEB_SECRET"], "whsec_")
	require.True(t, ok)
	raw, err := base64.StdEncoding.DecodeString(key)
	require.NoError(t, err)
	require.Len(t, raw, 32)

	again, err := demoSecrets(path)
	require.NoError(t, err)
	require.Equal(t, first, again)

	elsewhere, err := demoSecrets(filepath.Join(t.TempDir(), "demo.env"))
	require.NoError(t, err)
	require.NotEqual(t, first, elsewhere)
}

func TestMergeAddsOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	more := []variable{{"A", "ours"}, {"B", "ours"}, {"C", "ours"}, {"D", "ours"}, {"PARLEY_CHANNEL_SMS_KIND", "twilio"}}
	for name, c := range map[string]struct{ base, want []string }{
		"set, in a file, empty, missing": {
			[]string{"A=theirs", "B_FILE=/b", "C="},
			[]string{"A=theirs", "B_FILE=/b", "C=", "C=ours", "D=ours", "PARLEY_CHANNEL_SMS_KIND=twilio"},
		},
		"a channel that is not listed":        {[]string{"PARLEY_CHANNELS=web"}, []string{"PARLEY_CHANNELS=web", "A=ours", "B=ours", "C=ours", "D=ours"}},
		"a channel that is listed, in spaces": {[]string{"PARLEY_CHANNELS=web, SMS", "A=1", "B=1", "C=1", "D=1"}, []string{"PARLEY_CHANNELS=web, SMS", "A=1", "B=1", "C=1", "D=1", "PARLEY_CHANNEL_SMS_KIND=twilio"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, merge(c.base, more))
		})
	}
}
