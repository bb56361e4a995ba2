package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// clock tells operators how far this process's clock is from the database's.
// Conversations do not depend on it; signatures do, and whatever people read.
type clock struct {
	offset func(context.Context) (time.Duration, error)
	desc   *prometheus.Desc
}

// What is worth a warning, and how long the database may take to say what time it is.
const (
	clockWarning = 30 * time.Second
	clockWithin  = time.Second
)

func newClock(offset func(context.Context) (time.Duration, error)) *clock {
	return &clock{offset, prometheus.NewDesc("parley_clock_offset_seconds",
		"This process's clock minus the database's. Signed webhooks are refused when it is minutes off: mend the clock.", nil, nil)}
}

// warn tells once of a clock that is off. A database that does not answer now says
// it later, in the metric.
func (c *clock) warn(ctx context.Context, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, clockWithin)
	defer cancel()
	off, err := c.offset(ctx)
	if err != nil || off.Abs() < clockWarning {
		return
	}
	log.Warn("this machine's clock and the database's differ: synchronise the one that is wrong (chrony, systemd-timesyncd). "+
		"Conversations go on; signed webhooks may be refused, here and by their receivers, and times that are shown are wrong",
		"ahead", off.Round(time.Millisecond).String())
}

func (c *clock) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect asks the database; without an answer there is nothing to show.
func (c *clock) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), clockWithin)
	defer cancel()
	if off, err := c.offset(ctx); err == nil {
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, off.Seconds())
	}
}
