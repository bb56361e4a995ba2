package simulator

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/stretchr/testify/require"
)

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("tok-file\n"), 0o600))
	env := map[string]string{
		"PARLEY_ACCOUNTS": "main", "PARLEY_ACCOUNT_MAIN_SITE_ID": site, "PARLEY_ACCOUNT_MAIN_CLIENT_ID": client,
		"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET": "new,old", "PARLEY_CHANNELS": "sms,web,line",
		"PARLEY_CHANNEL_SMS_KIND": "twilio", "PARLEY_CHANNEL_SMS_ACCOUNT": "main", "PARLEY_CHANNEL_SMS_ACCOUNT_SID": "AC1",
		"PARLEY_CHANNEL_SMS_AUTH_TOKEN_FILE": file, "PARLEY_CHANNEL_SMS_FROM": "+15550100900",
		"PARLEY_CHANNEL_WEB_KIND": "http", "PARLEY_CHANNEL_WEB_SECRET": whsec, "PARLEY_CHANNEL_LINE_KIND": "line",
		"PARLEY_PUBLIC_URL": "https://parley.example.test", "PARLEY_SIMULATOR_SETTINGS": `{"autoAgent":{"echo":true}}`,
	}
	cfg, err := LoadConfig(t.Context(), envconfig.MapLookuper(env))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8090", cfg.Addr)
	require.Equal(t, "http://127.0.0.1:8080", cfg.ParleyURL)
	require.Equal(t, []string{"new", "old"}, cfg.Accounts[0].ClientSecret)
	require.Equal(t, []string{"tok-file"}, cfg.Channels[0].AuthToken)
	s, err := New(cfg)
	require.NoError(t, err)
	defer s.Close()
	require.Len(t, s.channels, 2, "a kind without a provider here is left alone")
	require.True(t, s.settings.Load().AutoAgent.Echo)

	delete(env, "PARLEY_ACCOUNT_MAIN_SITE_ID")
	env["PARLEY_CHANNEL_WEB_SECRET"] = "plain"
	_, err = LoadConfig(t.Context(), envconfig.MapLookuper(env))
	require.ErrorContains(t, err, "account main")
	require.ErrorContains(t, err, "channel web")
}

func TestServeStopsInOrder(t *testing.T) {
	t.Parallel()
	s, err := New(testConfig())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	web := &http.Client{Transport: transport}
	for _, path := range []string{"/", "/sim/stream"} { // a stream stays open until the stop
		res, err := web.Get("http://" + l.Addr().String() + path)
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode, path)
		defer func() { _ = res.Body.Close() }()
	}
	cancel()
	select {
	case err := <-served:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("it did not stop")
	}
}
