package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"parley/relay"
)

// relayCollector shows what a relay has done, read when somebody asks.
type relayCollector struct {
	stats func() relay.Stats
	rows  []relayRow
}

type relayRow struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(relay.Stats) float64
}

func relayMetrics(r *relay.Relay) prometheus.Collector {
	counter := func(name, help string, value func(relay.Stats) int64) relayRow {
		return relayRow{prometheus.NewDesc("parley_relay_"+name, help, nil, nil), prometheus.CounterValue,
			func(s relay.Stats) float64 { return float64(value(s)) }}
	}
	gauge := func(name, help string, value func(relay.Stats) float64) relayRow {
		return relayRow{prometheus.NewDesc("parley_relay_"+name, help, nil, nil), prometheus.GaugeValue, value}
	}
	return &relayCollector{r.Stats, []relayRow{
		counter("signals_total", "Signals that Temporal accepted.", func(s relay.Stats) int64 { return s.Signals }),
		counter("events_total", "Events in accepted signals.", func(s relay.Stats) int64 { return s.Events }),
		counter("failures_total", "Dispatches that failed and are repeated.", func(s relay.Stats) int64 { return s.Failures }),
		counter("busy_total", "Dispatches that met another process.", func(s relay.Stats) int64 { return s.Busy }),
		counter("rejected_total", "Events that became dead letters.", func(s relay.Stats) int64 { return s.Rejected }),
		counter("dropped_total", "Wake-ups left to the sweep.", func(s relay.Stats) int64 { return s.Dropped }),
		gauge("streams", "Streams in flight, ready or waiting.", func(s relay.Stats) float64 { return float64(s.Streams) }),
		gauge("in_flight", "Signals in flight.", func(s relay.Stats) float64 { return float64(s.Flying) }),
		gauge("oldest_seconds", "How long the oldest stream has been waiting.", func(s relay.Stats) float64 { return s.Oldest.Seconds() }),
		gauge("blocked", "1 while nothing gets through to Temporal.", func(s relay.Stats) float64 {
			if s.Open {
				return 1
			}
			return 0
		}),
	}}
}

func (c *relayCollector) Describe(out chan<- *prometheus.Desc) {
	for _, r := range c.rows {
		out <- r.desc
	}
}

func (c *relayCollector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	for _, r := range c.rows {
		out <- prometheus.MustNewConstMetric(r.desc, r.kind, r.value(s))
	}
}
