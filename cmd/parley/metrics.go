package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"parley/conversation"
	"parley/fault"
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

// observer counts what the activities of this process tell.
type observer struct {
	gaps, uncertain      prometheus.Counter
	dead, waits, trimmed *prometheus.CounterVec
}

func observe(r prometheus.Registerer) *observer {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: "parley_" + name, Help: help}
	}
	o := &observer{
		gaps:      prometheus.NewCounter(counter("gaps_total", "Times an agent's earlier message was waited for in vain.")),
		uncertain: prometheus.NewCounter(counter("uncertain_total", "Messages sent again without a confirmation: possibly doubled.")),
		dead:      prometheus.NewCounterVec(counter("dead_letters_total", "Messages that will not be tried again by themselves."), []string{"lane"}),
		waits:     prometheus.NewCounterVec(counter("lane_waits_total", "Times a lane began to wait after a failure."), []string{"lane", "class"}),
		trimmed:   prometheus.NewCounterVec(counter("trimmed_rows_total", "Old rows that housekeeping has deleted."), []string{"table"}),
	}
	for _, lane := range [...]conversation.LaneName{conversation.CloudLane, conversation.ChannelLane} {
		o.dead.WithLabelValues(string(lane)) // shown before there is one: an alert needs the step from 0
	}
	r.MustRegister(o.gaps, o.uncertain, o.dead, o.waits, o.trimmed)
	return o
}

func (o *observer) Gap()                              { o.gaps.Inc() }
func (o *observer) Uncertain()                        { o.uncertain.Inc() }
func (o *observer) Buried(lane conversation.LaneName) { o.dead.WithLabelValues(string(lane)).Inc() }
func (o *observer) Waits(lane conversation.LaneName, class fault.Class) {
	o.waits.WithLabelValues(string(lane), string(class)).Inc()
}
func (o *observer) Trimmed(table string, rows int) {
	o.trimmed.WithLabelValues(table).Add(float64(rows))
}

// circuits shows which accounts are taken to be down.
type circuits struct{ *prometheus.GaugeVec }

func newCircuits() *circuits {
	return &circuits{prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "parley_circuit_open", Help: "1 while an account of the cloud is taken to be down: what is sent there waits, without being tried.",
	}, []string{"account"})}
}

// of returns what is told of an account, which is up until something else is said.
func (c *circuits) of(account string) func(open bool) {
	gauge := c.WithLabelValues(account)
	return func(open bool) {
		gauge.Set(map[bool]float64{true: 1}[open])
	}
}
