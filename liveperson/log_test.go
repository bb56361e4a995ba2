package liveperson_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/liveperson"
)

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLogsHoldNoTokensAndNoWords(t *testing.T) {
	t.Parallel()
	cloud, logs := newCloud(t), &lockedBuffer{}
	client := cloud.client(func(_ *liveperson.Config, o *liveperson.Options) {
		o.Logger = slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	require.NoError(t, opens(t.Context(), client))
	cloud.expire()
	require.NoError(t, publish(t.Context(), client))
	cloud.reissue("sms/+15550100200")
	require.NoError(t, publish(t.Context(), client))
	cloud.next(swift, says(401, consumersWords))
	require.NoError(t, uploads(t.Context(), client))
	_, err := engages(client, t)
	require.NoError(t, err)
	cloud.next(smt, says(500, consumersWords))
	_, err = engages(client, t)
	require.NoError(t, err)
	cloud.pass(55 * time.Minute)
	cloud.next(sentinel, says(500, consumersWords))
	require.NoError(t, publish(t.Context(), client))
	require.Eventually(t, func() bool { return bytes.Contains([]byte(logs.String()), []byte("renewal failed")) }, time.Minute, time.Millisecond)
	require.Contains(t, logs.String(), "app token was refused")
	require.Contains(t, logs.String(), "consumer token was refused")
	require.Contains(t, logs.String(), "address of a file did not serve")
	require.Contains(t, logs.String(), "a known one stands in")
	for _, s := range []string{"words", "15550100200", "Mira", secret, "eyJ", "temp_url", "AUTH_async"} {
		require.NotContains(t, logs.String(), s)
	}
}
