package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestAnOperatorIsToldOfAClockThatIsOff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		off     time.Duration
		err     error
		warned  string
		metrics int
	}{
		{"as good as right", 2 * time.Second, nil, "", 1},
		{"ahead", 10 * time.Minute, nil, "ahead=10m0s", 1},
		{"behind", -10 * time.Minute, nil, "ahead=-10m0s", 1},
		{"nobody knows", 0, errors.New("database down"), "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			c := newClock(func(context.Context) (time.Duration, error) { return tt.off, tt.err })
			c.warn(t.Context(), slog.New(slog.NewTextHandler(&out, nil)))
			if tt.warned == "" {
				require.Empty(t, out.String())
			} else {
				require.Contains(t, out.String(), tt.warned)
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(c)
			found, err := registry.Gather()
			require.NoError(t, err)
			require.Len(t, found, tt.metrics)
			for _, m := range found {
				require.Equal(t, "parley_clock_offset_seconds", m.GetName())
				require.InDelta(t, tt.off.Seconds(), m.GetMetric()[0].GetGauge().GetValue(), 0.001)
			}
		})
	}
}
