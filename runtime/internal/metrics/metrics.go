// Package metrics counts what happens in a runtime, for Prometheus. It has a
// registry of its own, never the global one.
package metrics

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

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
func (m *Metrics) StateChanged(name, _ string, state component.State) {
	for _, s := range []component.State{component.StatePending, component.StateReady, component.StateDegraded, component.StateFailed, component.StateClosing} {
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

// Guest is a snapshot of the counters of one wasm store.
type Guest struct {
	Instances, Busy, Waiting int
	MemoryBytes              int64
	Created                  int64
	Retired                  map[string]int64 // by cause
	Ops                      []GuestOp
}

// GuestOp are the counters of one export.
type GuestOp struct {
	Name                       string
	Calls, Faults, Fuel, Waits int64
	WaitSeconds                float64
}

// guests collects the counters of wasm stores when Prometheus asks.
type guests struct {
	mu   sync.Mutex
	read map[*func() Guest]string // component by reader

	instances, busy, waiting, memory, created, retired, calls, faults, fuel, waits, wait *prometheus.Desc
}

func newGuests() *guests {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("wasmstate_guest_"+name, help, append([]string{"component"}, labels...), nil)
	}
	return &guests{
		read:      map[*func() Guest]string{},
		instances: desc("instances", "Instances of the module."),
		busy:      desc("instances_busy", "Instances in use."),
		waiting:   desc("waiting", "Callers waiting for an instance."),
		memory:    desc("memory_bytes", "Linear memory of all instances."),
		created:   desc("instances_created_total", "Instances made since the component came up."),
		retired:   desc("instances_retired_total", "Instances given up, by cause.", "cause"),
		calls:     desc("calls_total", "Calls into the guest.", "export"),
		faults:    desc("faults_total", "Calls that ended in a fault of the guest.", "export"),
		fuel:      desc("fuel_total", "Fuel used; about one unit for each instruction.", "export"),
		waits:     desc("waits_total", "Calls that had to wait for an instance.", "export"),
		wait:      desc("wait_seconds_total", "Time spent waiting for an instance.", "export"),
	}
}

// Watch reads the counters of a wasm store at every scrape until stop.
func (m *Metrics) Watch(name string, read func() Guest) (stop func()) {
	g := m.guests
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read[&read] = name
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.read, &read)
	}
}

// Describe implements prometheus.Collector.
func (g *guests) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.instances, g.busy, g.waiting, g.memory, g.created, g.retired, g.calls, g.faults, g.fuel, g.waits, g.wait} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. During a reload two generations of
// a component are up; their numbers are added.
func (g *guests) Collect(ch chan<- prometheus.Metric) {
	sum := map[string]*Guest{}
	g.mu.Lock()
	for read, name := range g.read {
		sum[name] = add(sum[name], (*read)())
	}
	g.mu.Unlock()
	for name, s := range sum {
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
		}
		count := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{name}, labels...)...)
		}
		gauge(g.instances, float64(s.Instances))
		gauge(g.busy, float64(s.Busy))
		gauge(g.waiting, float64(s.Waiting))
		gauge(g.memory, float64(s.MemoryBytes))
		count(g.created, float64(s.Created))
		for cause, n := range s.Retired {
			count(g.retired, float64(n), cause)
		}
		for _, op := range s.Ops {
			if op.Calls == 0 && op.Waits == 0 {
				continue // series appear at the first use
			}
			count(g.calls, float64(op.Calls), op.Name)
			count(g.faults, float64(op.Faults), op.Name)
			count(g.fuel, float64(op.Fuel), op.Name)
			count(g.waits, float64(op.Waits), op.Name)
			count(g.wait, op.WaitSeconds, op.Name)
		}
	}
}

func add(to *Guest, s Guest) *Guest {
	if to == nil {
		return &s
	}
	to.Instances += s.Instances
	to.Busy += s.Busy
	to.Waiting += s.Waiting
	to.MemoryBytes += s.MemoryBytes
	to.Created += s.Created
	for cause, n := range s.Retired {
		to.Retired[cause] += n
	}
	for i := range s.Ops {
		if i < len(to.Ops) && to.Ops[i].Name == s.Ops[i].Name {
			to.Ops[i].Calls += s.Ops[i].Calls
			to.Ops[i].Faults += s.Ops[i].Faults
			to.Ops[i].Fuel += s.Ops[i].Fuel
			to.Ops[i].Waits += s.Ops[i].Waits
			to.Ops[i].WaitSeconds += s.Ops[i].WaitSeconds
		}
	}
	return to
}
