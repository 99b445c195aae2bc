package metrics

import (
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxSeries bounds the metrics that the guests of one component may create.
const maxSeries = 64

// custom holds what guests count themselves, by component and name. Names are
// labels, so that a guest can neither clash with a metric of ours nor break
// the output.
type custom struct {
	mu    sync.Mutex
	of    map[string]map[string]*series
	count *prometheus.Desc
	sum   *prometheus.Desc
}

type series struct {
	histogram bool
	n         uint64
	sum       float64
}

func newCustom() *custom {
	return &custom{
		of:    map[string]map[string]*series{},
		count: prometheus.NewDesc("wasmstate_guest_custom_total", "What guests count themselves.", []string{"component", "name"}, nil),
		sum:   prometheus.NewDesc("wasmstate_guest_custom_observed", "What guests observe themselves: number and sum.", []string{"component", "name"}, nil),
	}
}

// Count adds to a counter of a component's guests. It reports false, and changes
// nothing, once the component has too many series, if the name is that of a
// distribution, or if by would make the counter fall: it is negative or not a
// finite number. Safe for concurrent use.
func (m *Metrics) Count(component, name string, by float64) bool {
	return by >= 0 && m.custom.record(component, name, false, by)
}

// Observe adds a value to a distribution of a component's guests. It reports
// false, and changes nothing, once the component has too many series, if the
// name is that of a counter, or if v is not a finite number. Safe for
// concurrent use.
func (m *Metrics) Observe(component, name string, v float64) bool {
	return m.custom.record(component, name, true, v)
}

func (c *custom) record(component, name string, histogram bool, v float64) bool {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.of[component]
	if all == nil {
		all = map[string]*series{}
		c.of[component] = all
	}
	s := all[name]
	if s == nil {
		if len(all) >= maxSeries {
			return false
		}
		s = &series{histogram: histogram}
		all[name] = s
	}
	// The kind may have changed with a new version of the module, whose host
	// knows nothing of the old one's names.
	if s.histogram != histogram || math.IsInf(s.sum+v, 0) {
		return false
	}
	s.n++
	s.sum += v
	return true
}

func (c *custom) remove(component string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.of, component)
}

// Describe implements prometheus.Collector.
func (c *custom) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.count
	ch <- c.sum
}

// Collect implements prometheus.Collector.
func (c *custom) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, component := range slices.Sorted(maps.Keys(c.of)) {
		for name, s := range c.of[component] {
			if s.histogram {
				ch <- prometheus.MustNewConstSummary(c.sum, s.n, s.sum, nil, component, name)
				continue
			}
			ch <- prometheus.MustNewConstMetric(c.count, prometheus.CounterValue, s.sum, component, name)
		}
	}
}
