package main

import (
	"maps"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	load := func(change map[string]string) (Config, error) {
		vars := complete()
		maps.Copy(vars, change)
		return LoadMigrate(envconfig.MapLookuper(vars), environ(vars))
	}
	c, err := load(nil)
	require.NoError(t, err)
	assert.Equal(t, Keep{Inbox: 10 * day, Ledger: 30 * day, Journal: 90 * day, Files: 30 * day}, c.Keep)
	c, err = load(map[string]string{"PARLEY_KEEP_INBOX": "8", "PARLEY_KEEP_LEDGER": "8d", "PARLEY_KEEP_JOURNAL": " 7 ", "PARLEY_KEEP_FILES": "1"})
	require.NoError(t, err)
	assert.Equal(t, Keep{Inbox: 8 * day, Ledger: 8 * day, Journal: 7 * day, Files: day}, c.Keep)
	for name, v := range map[string]string{"PARLEY_KEEP_INBOX": "7", "PARLEY_KEEP_LEDGER": "9", "PARLEY_KEEP_JOURNAL": "3 months", "PARLEY_KEEP_FILES": "0"} {
		_, err := load(map[string]string{name: v})
		require.Len(t, problems(t, err), 1, name)
		assert.Contains(t, problems(t, err)[0], name+": ")
	}
	vars := complete()
	vars["PARLEY_KEEP_INBOX"] = "1"
	c, err = loadAPI(vars)
	require.NoError(t, err, "only migrate asks for it")
	assert.Empty(t, c.Warnings)
}
