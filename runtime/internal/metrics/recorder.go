package metrics

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// numCodes is the number of codes that an operation can end with.
const numCodes = int(abi.CodeInternal) + 1

// recorder holds the counters of one component. Each is made at its first use:
// most components use few operations and see few codes, and every series costs
// memory here and at Prometheus. Later an operation neither allocates nor looks
// anything up by name.
type recorder struct {
	m    *Metrics
	name string

	counts  [handle.NumOps][numCodes]atomic.Pointer[prometheus.Counter]
	seconds [handle.NumOps]atomic.Pointer[prometheus.Observer]

	mu   sync.Mutex
	gone bool // the component is removed and must leave no series; guarded by mu
}

// Recorder implements component.Observer. All versions of a component share one.
func (m *Metrics) Recorder(name, _ string) component.Recorder {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.recorders[name]
	if r == nil {
		r = &recorder{m: m, name: name}
		m.recorders[name] = r
	}
	return r
}

func (r *recorder) Op(_ context.Context, op handle.Op, code abi.Code, took time.Duration) {
	if !code.Valid() || int(code) >= numCodes {
		code = abi.CodeInternal
	}
	count := r.counts[op][code].Load()
	if count == nil {
		count = r.makeCount(op, code)
	}
	(*count).Inc()
	seconds := r.seconds[op].Load()
	if seconds == nil {
		seconds = r.makeSeconds(op)
	}
	(*seconds).Observe(took.Seconds())
}

// makeCount makes a counter. Two callers get the same: WithLabelValues sees to it.
func (r *recorder) makeCount(op handle.Op, code abi.Code) *prometheus.Counter {
	r.mu.Lock()
	defer r.mu.Unlock()
	var c prometheus.Counter
	if r.gone {
		c = prometheus.NewCounter(prometheus.CounterOpts{Name: "gone"}) // nobody reads it
	} else {
		c = r.m.ops.WithLabelValues(r.name, op.String(), code.String())
	}
	r.counts[op][code].Store(&c)
	return &c
}

func (r *recorder) makeSeconds(op handle.Op) *prometheus.Observer {
	r.mu.Lock()
	defer r.mu.Unlock()
	var o prometheus.Observer = prometheus.ObserverFunc(func(float64) {})
	if !r.gone {
		o = r.m.seconds.WithLabelValues(r.name, op.String())
	}
	r.seconds[op].Store(&o)
	return &o
}

// retire makes the recorder of a component leave no series from now on: a
// request may still be ending.
func (m *Metrics) retire(name string) {
	m.mu.Lock()
	r := m.recorders[name]
	delete(m.recorders, name)
	m.mu.Unlock()
	if r == nil {
		return
	}
	r.mu.Lock()
	r.gone = true
	r.mu.Unlock()
}
