package hostfuncs

import (
	"math"
	"sync"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
)

// Metrics receives a component's own metrics. Names are [a-z][a-z0-9_]* of at
// most 64 bytes, 64 of them in the life of a host; a name is either a counter
// or a histogram. The methods report false for a series too many, and for a name
// that is of the other kind from an earlier host. Safe for concurrent use; must
// not block.
type Metrics interface {
	Count(component, name string, by float64) bool      // to a counter; not negative
	Observe(component, name string, value float64) bool // in a histogram; finite
}

const (
	maxMetrics    = 64
	maxMetricName = 64
)

type metricKind uint8

const (
	counter metricKind = iota
	histogram
)

// metricNames are the names in use; bounded, because every one is a time
// series for ever.
type metricNames struct {
	mu    sync.Mutex // guards known
	known map[string]knownMetric
}

type knownMetric struct {
	name string
	kind metricKind
}

// intern returns the metric's name as a string of the host, or a code. A name
// that tells a secret is refused: everybody may read metrics.
func (n *metricNames) intern(name []byte, kind metricKind, secrets *text.Redactor) (string, abi.Code) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if k, found := n.known[string(name)]; found {
		if k.kind != kind {
			return "", abi.CodeInvalidArgument
		}
		return k.name, abi.CodeOK
	}
	if !validMetric(name) || secrets.Holds(string(name)) {
		return "", abi.CodeInvalidArgument
	}
	if len(n.known) >= maxMetrics {
		return "", abi.CodeQuota
	}
	if n.known == nil {
		n.known = map[string]knownMetric{}
	}
	k := knownMetric{string(name), kind}
	n.known[k.name] = k
	return k.name, abi.CodeOK
}

func validMetric(name []byte) bool {
	if len(name) == 0 || len(name) > maxMetricName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// metricAdd is add(name, name_len, n).
func metricAdd(s *State, m api.Memory, p []uint64) uint64 {
	name, code := metricName(s, m, p, counter)
	if code == abi.CodeOK {
		return taken(s.host.cfg.Metrics.Count(s.host.cfg.Component, name, float64(p[2])))
	}
	return fail(code)
}

// metricObserve is observe(name, name_len, bits of a double).
func metricObserve(s *State, m api.Memory, p []uint64) uint64 {
	v := math.Float64frombits(p[2])
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fail(abi.CodeInvalidArgument)
	}
	name, code := metricName(s, m, p, histogram)
	if code == abi.CodeOK {
		return taken(s.host.cfg.Metrics.Observe(s.host.cfg.Component, name, v))
	}
	return fail(code)
}

func taken(yes bool) uint64 {
	if yes {
		return success(0)
	}
	return fail(abi.CodeQuota)
}

func metricName(s *State, m api.Memory, p []uint64, kind metricKind) (string, abi.Code) {
	name, valid := view(m, p[0], p[1])
	if !valid || len(name) > maxMetricName {
		return "", abi.CodeInvalidArgument
	}
	return s.host.metrics.intern(name, kind, s.host.secrets.Load())
}
