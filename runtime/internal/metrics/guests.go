package metrics

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wasmstate/wasmstate/sandbox"
)

// guests collects the counters of wasm stores when Prometheus asks.
type guests struct {
	mu   sync.Mutex
	read map[*func() sandbox.Stats]string // component by reader

	instances, busy, waiting, memory, created, retired, losses, calls, faults, fuel, waits, wait *prometheus.Desc
}

func newGuests() *guests {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("wasmstate_guest_"+name, help, append([]string{"component"}, labels...), nil)
	}
	return &guests{
		read:      map[*func() sandbox.Stats]string{},
		instances: desc("instances", "Instances of the module."),
		busy:      desc("instances_busy", "Instances in use."),
		waiting:   desc("waiting", "Callers waiting for an instance."),
		memory:    desc("memory_bytes", "Linear memory of all instances."),
		created:   desc("instances_created_total", "Instances made since the component came up."),
		retired:   desc("instances_retired_total", "Instances given up, by cause.", "cause"),
		losses:    desc("losses_total", "Instances given up that took the store's data with them."),
		calls:     desc("calls_total", "Calls into the guest.", "export"),
		faults:    desc("faults_total", "Calls that ended in a fault of the guest.", "export"),
		fuel:      desc("fuel_total", "Fuel used; about one unit for each instruction.", "export"),
		waits:     desc("waits_total", "Calls that had to wait for an instance.", "export"),
		wait:      desc("wait_seconds_total", "Time spent waiting for an instance.", "export"),
	}
}

// Watch reads the counters of a wasm store at every scrape until stop.
func (m *Metrics) Watch(name string, read func() sandbox.Stats) (stop func()) {
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
	for _, d := range []*prometheus.Desc{g.instances, g.busy, g.waiting, g.memory, g.created, g.retired, g.losses, g.calls, g.faults, g.fuel, g.waits, g.wait} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. During a reload two generations of
// a component are up; their numbers are added.
func (g *guests) Collect(ch chan<- prometheus.Metric) {
	sum := map[string]*sandbox.Stats{}
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
		gauge(g.memory, float64(s.Memory))
		count(g.created, float64(s.Created))
		count(g.losses, float64(s.Losses))
		for cause, n := range s.Retired {
			count(g.retired, float64(n), cause)
		}
		for _, op := range s.Ops {
			if op.Calls == 0 && op.Waits == 0 {
				continue // series appear at the first use
			}
			count(g.calls, float64(op.Calls), op.Op)
			count(g.faults, float64(op.Faults), op.Op)
			count(g.fuel, float64(op.Fuel), op.Op)
			count(g.waits, float64(op.Waits), op.Op)
			count(g.wait, op.Waited.Seconds(), op.Op)
		}
	}
}

// add adds the counters of one generation to those of another of the same
// component. What it changes is to's own, never the store's.
func add(to *sandbox.Stats, s sandbox.Stats) *sandbox.Stats {
	if to == nil {
		s.Retired, s.Ops = maps.Clone(s.Retired), slices.Clone(s.Ops)
		return &s
	}
	to.Instances += s.Instances
	to.Busy += s.Busy
	to.Waiting += s.Waiting
	to.Memory += s.Memory
	to.Created += s.Created
	to.Losses += s.Losses
	for cause, n := range s.Retired {
		to.Retired[cause] += n
	}
	for _, op := range s.Ops {
		i := slices.IndexFunc(to.Ops, func(o sandbox.OpStats) bool { return o.Op == op.Op })
		if i < 0 {
			to.Ops = append(to.Ops, op)
			continue
		}
		sum := &to.Ops[i]
		sum.Calls += op.Calls
		sum.Faults += op.Faults
		sum.Fuel += op.Fuel
		sum.Waits += op.Waits
		sum.Waited += op.Waited
	}
	return to
}
