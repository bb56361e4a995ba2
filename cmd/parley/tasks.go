package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// Names in the SDK's metrics.
//
// Source: docs.temporal.io/references/sdk-metrics.
const (
	sdkTaskFailed    = "temporal_workflow_task_execution_failed"
	sdkCached        = "temporal_sticky_cache_size"
	sdkFailureReason = "failure_reason"
)

// taskMetrics are the few of the SDK's metrics by which a worker shows that it
// cannot go on: above all NonDeterminismError, when its rules are not those a
// conversation began with. Such conversations wait until a fitting worker comes.
type taskMetrics struct {
	failed *prometheus.CounterVec
	cached prometheus.Gauge
}

func newTaskMetrics() *taskMetrics {
	return &taskMetrics{
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_workflow_task_failures_total",
			Help: "Attempts to go on with a conversation that failed, by reason. Any NonDeterminismError needs a person: deploy the rules that it began with.",
		}, []string{"reason"}),
		cached: prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_conversations_cached", Help: "Conversations kept in memory."}),
	}
}

func (m *taskMetrics) register(r prometheus.Registerer) { r.MustRegister(m.failed, m.cached) }

// handler is what the SDK is given.
func (m *taskMetrics) handler() client.MetricsHandler { return taskHandler{m, ""} }

// taskHandler passes on what taskMetrics wants, and costs next to nothing for the
// rest.
type taskHandler struct {
	*taskMetrics
	reason string
}

func (h taskHandler) WithTags(tags map[string]string) client.MetricsHandler {
	if reason, ok := tags[sdkFailureReason]; ok {
		return taskHandler{h.taskMetrics, reason}
	}
	return h
}

func (h taskHandler) Counter(name string) client.MetricsCounter {
	if name == sdkTaskFailed {
		return adder{h.failed.WithLabelValues(h.reason)}
	}
	return client.MetricsNopHandler.Counter(name)
}

func (h taskHandler) Gauge(name string) client.MetricsGauge {
	if name == sdkCached {
		return setter{h.cached}
	}
	return client.MetricsNopHandler.Gauge(name)
}

func (h taskHandler) Timer(name string) client.MetricsTimer {
	return client.MetricsNopHandler.Timer(name)
}

type adder struct{ prometheus.Counter }

func (a adder) Inc(n int64) { a.Add(float64(n)) }

type setter struct{ prometheus.Gauge }

func (s setter) Update(v float64) { s.Set(v) }
