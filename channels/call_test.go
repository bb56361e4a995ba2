package channels

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"1.5":                           0,
		"soon":                          0,
		"9223372036854775807":           24 * time.Hour,
		"Fri, 20 Nov 2026 09:00:30 GMT": 30 * time.Second,
		"Fri, 20 Nov 2026 08:00:00 GMT": 0,
		"Fri, 20 Nov 2099 08:00:00 GMT": 24 * time.Hour,
	} {
		require.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		got := retryAfter(http.Header{"Date": {"Fri, 20 Nov 2026 09:00:00 GMT"}, "Retry-After": {"Fri, 20 Nov 2026 09:00:30 GMT"}}, now.Add(off))
		require.Equal(t, 30*time.Second, got, "our clock may be off")
	}
}

func TestByStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]fault.Class{
		302: fault.Denied, 400: fault.Rejected, 401: fault.Denied, 403: fault.Denied, 404: fault.Rejected, 407: fault.Denied,
		408: fault.Transient, 425: fault.Transient, 429: fault.Throttled, 451: fault.Rejected, 500: fault.Uncertain, 599: fault.Uncertain,
	} {
		require.Equal(t, want, ByStatus(status, fault.Uncertain), status)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"example.test":           "https://example.test",
		"localhost:8080/a/b/":    "https://localhost:8080/a/b",
		"http://example.test/":   "http://example.test",
		" https://example.test ": "https://example.test",
	} {
		var c Checks
		require.Equal(t, want, c.BaseURL("URL", raw))
		require.NoError(t, c.Err())
	}
	for _, raw := range []string{"", "ftp://a.test", "https://", "https://user:pw@a.test", "https://a.test/#x", "https://a.test?x=1", "https://a b", "https://a.test:port"} {
		var c Checks
		c.BaseURL("URL", raw)
		require.Len(t, FieldErrors(c.Err()), 1, raw)
		if raw != "" {
			require.NotContains(t, c.Err().Error(), raw)
		}
	}
	require.Nil(t, FieldErrors(errors.New("another")))
	require.Nil(t, FieldErrors(nil))
}
