package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFailedWorkflowTasksAreCountedByReason(t *testing.T) {
	t.Parallel()
	m, registry := newTaskMetrics(), prometheus.NewRegistry()
	m.register(registry)
	h := m.handler().WithTags(map[string]string{"namespace": "default"})
	h.WithTags(map[string]string{"failure_reason": "NonDeterminismError"}).Counter("temporal_workflow_task_execution_failed").Inc(2)
	h.Counter("temporal_request").Inc(1)
	h.Gauge("temporal_sticky_cache_size").Update(7)
	h.Timer("temporal_request_latency").Record(1)
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 2)
	assert.Equal(t, "parley_conversations_cached", families[0].GetName())
	assert.InDelta(t, 7, families[0].GetMetric()[0].GetGauge().GetValue(), 0)
	assert.Equal(t, "parley_workflow_task_failures_total", families[1].GetName())
	require.Len(t, families[1].GetMetric(), 1)
	failed := families[1].GetMetric()[0]
	assert.InDelta(t, 2, failed.GetCounter().GetValue(), 0)
	assert.Equal(t, "NonDeterminismError", failed.GetLabel()[0].GetValue())
}
