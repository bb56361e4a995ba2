package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/message"
)

// metrics counts what came in. Its labels are configured names and words of ours;
// what comes from outside is never a label.
type metrics struct {
	answers  *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	events   *prometheus.CounterVec
	dead     *prometheus.CounterVec
	presence *prometheus.CounterVec
	letGo    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_webhooks_total", Help: "Webhooks answered, by source and HTTP status.",
		}, []string{"source", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_webhook_seconds", Help: "Time from a webhook's header to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"source"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_events_total", Help: "Events acknowledged, redeliveries included.",
		}, []string{"source"}),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_webhook_dead_letters_total", Help: "Parts of webhooks that were acknowledged and cannot be used, redeliveries included.",
		}, []string{"source"}),
		presence: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_presence_total", Help: "Typing and read marks, by where they went and what became of them.",
		}, []string{"target", "outcome"}),
		letGo: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_connections_let_go_total", Help: "Connections closed early because there were too many.",
		}),
	}
	r.MustRegister(m.answers, m.seconds, m.events, m.dead, m.presence, m.letGo)
	return m
}

func (m *metrics) answered(source string, status int, took time.Duration) {
	m.answers.WithLabelValues(source, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(source).Observe(took.Seconds())
}

func (m *metrics) stored(source string, a message.Arrival) {
	m.events.WithLabelValues(source).Add(float64(len(a.Events)))
	m.dead.WithLabelValues(source).Add(float64(len(a.Dead)))
}
