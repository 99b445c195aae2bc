package component

import (
	"sync"
	"sync/atomic"

	"github.com/wasmstate/wasmstate/abi"
)

// retiredBias is added to the lease count of a retired generation, which makes
// it negative whatever the number of leases.
const retiredBias = -1 << 62

// generation is one opened store of a component. A lease keeps it from being
// closed.
type generation struct {
	store    abi.Store
	base     *base
	chain    link // what calls go through; see decorate.go
	features abi.Features
	spec     Spec
	redact   func(text string) string // hides the secrets it was made with; nil = none
	prefix   string
	number   int64

	leases  atomic.Int64  // in progress; negative once retired
	writers atomic.Int64  // of those, writes; counted only if the state can be handed over
	drained chan struct{} // closed when retired and the last lease is gone
	once    sync.Once
}

func newGeneration(o *opened, spec Spec, prefix string, number int64) *generation {
	b := newBase(spec.Name, o.store)
	return &generation{
		store: o.store, base: b, features: b.features, spec: spec, redact: o.redact, prefix: prefix, number: number,
		drained: make(chan struct{}),
	}
}

// acquire takes a lease. It reports false once the generation is retired; the
// caller then looks up the current one again.
func (g *generation) acquire() bool {
	if g.leases.Add(1) > 0 {
		return true
	}
	g.release()
	return false
}

// release gives a lease back.
func (g *generation) release() {
	if g.leases.Add(-1) == retiredBias {
		g.once.Do(func() { close(g.drained) })
	}
}

// retire refuses new leases. drained closes when the last one is back.
func (g *generation) retire() {
	if g.leases.Add(retiredBias) == retiredBias {
		g.once.Do(func() { close(g.drained) })
	}
}

// inFlight is the number of leases.
func (g *generation) inFlight() int64 {
	n := g.leases.Load()
	if n < 0 {
		n -= retiredBias
	}
	return n
}

// handsOver reports whether the state of this generation can be exported.
func (g *generation) handsOver() bool { return g.features.Has(abi.FeatureExport) }

// volatile reports whether the data of this generation is lost when its store
// is closed.
func (g *generation) volatile() bool {
	if v, ok := g.store.(abi.Volatiler); ok {
		return v.Volatile()
	}
	return g.handsOver()
}
