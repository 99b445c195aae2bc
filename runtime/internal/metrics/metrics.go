// Package metrics counts what happens in a runtime, for Prometheus. It has a
// registry of its own, never the global one.
package metrics

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// Metrics implements component.Observer. Safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	ops         *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	initialized *prometheus.CounterVec
	initFailed  *prometheus.CounterVec
	reloads     *prometheus.CounterVec
	state       *prometheus.GaugeVec
	guests      *guests
	custom      *custom
	files       *files

	mu        sync.Mutex
	recorders map[string]*recorder // by component; guarded by mu
}

var _ component.Observer = (*Metrics)(nil)

// New returns an empty set of metrics.
func New() *Metrics {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "wasmstate", Name: name, Help: help}
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		ops:      prometheus.NewCounterVec(opts("operations_total", "Operations on components by outcome."), []string{"component", "operation", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "wasmstate", Name: "operation_seconds", Help: "Duration of operations on components.",
			Buckets: []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 25e-3, 0.1, 0.5, 2.5, 10},
		}, []string{"component", "operation"}),
		initialized: prometheus.NewCounterVec(opts("component_init_total", "Components initialised."), []string{"component", "type"}),
		initFailed:  prometheus.NewCounterVec(opts("component_init_fail_total", "Components that could not be initialised, by reason: creation or init."), []string{"component", "type", "reason"}),
		reloads:     prometheus.NewCounterVec(opts("component_reloads_total", "Changes of components that were serving, by outcome: ok or failed."), []string{"component", "outcome"}),
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "wasmstate", Name: "component_state",
			Help: "1 for the state a component is in: pending, ready, degraded, failed or closing."}, []string{"component", "state"}),
		guests: newGuests(),
		custom: newCustom(),
		files:  newFiles(),

		recorders: map[string]*recorder{},
	}
	m.registry.MustRegister(m.files.problems, m.files.successful, m.files.at,
		m.ops, m.seconds, m.initialized, m.initFailed, m.reloads, m.state, m.guests, m.custom,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in the text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Initialized implements component.Observer.
func (m *Metrics) Initialized(name, typ string) { m.initialized.WithLabelValues(name, typ).Inc() }

// InitFailed implements component.Observer.
func (m *Metrics) InitFailed(name, typ, reason string) {
	m.initFailed.WithLabelValues(name, typ, reason).Inc()
}

// Reloaded implements component.Observer.
func (m *Metrics) Reloaded(name, outcome string) { m.reloads.WithLabelValues(name, outcome).Inc() }

// StateChanged implements component.Observer.
func (m *Metrics) StateChanged(name, _ string, state handle.State) {
	for _, s := range []handle.State{handle.StatePending, handle.StateReady, handle.StateDegraded, handle.StateFailed, handle.StateClosing} {
		v := 0.0
		if s == state {
			v = 1
		}
		m.state.WithLabelValues(name, string(s)).Set(v)
	}
}

// Removed implements component.Observer: a component that is gone leaves no
// series behind.
func (m *Metrics) Removed(name string) {
	m.retire(name)
	of := prometheus.Labels{"component": name}
	for _, v := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.ops, m.seconds, m.initialized, m.initFailed, m.reloads, m.state} {
		v.DeletePartialMatch(of)
	}
	m.custom.remove(name)
}
