package runtime

import (
	"context"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/engine"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/runtime/internal/metrics"
)

// moduleConfig turns the operator's sandbox item into what the engine enforces.
func (l *loader) moduleConfig(_ context.Context, c *manifest.Component) (ModuleConfig, error) {
	cfg := ModuleConfig{Component: c.Name, Logger: l.log.With(zap.String("component", c.Name))}
	s := c.Runtime.Sandbox
	if s == nil {
		return cfg, nil
	}
	cfg.Memory, cfg.MemoryRetire = s.Memory, s.MemoryRetire
	cfg.Timeout, cfg.MaxWait, cfg.IdleTrim = s.Timeout, s.MaxWait, s.IdleAfter
	cfg.Concurrency, cfg.Instances, cfg.MaxOps = s.Concurrency, s.Instances, s.MaxOps
	cfg.Meter, cfg.Debug = Meter(s.Meter), s.Debug
	return cfg, nil
}

// watchedStore shows the counters of a wasm store in the metrics until it is
// closed.
type watchedStore struct {
	*moduleStore
	stop func()
}

// Close implements abi.Store.
func (s *watchedStore) Close() error {
	s.stop()
	return s.moduleStore.Close()
}

// observe adds a wasm store to the metrics, if there are any.
func (l *loader) observe(name string, store abi.Store) abi.Store {
	ms, ok := store.(*moduleStore)
	if !ok || l.metrics == nil {
		return store
	}
	return &watchedStore{ms, l.metrics.Watch(name, func() metrics.Guest { return guestMetrics(ms.guest.Stats()) })}
}

func guestMetrics(st engine.Stats) metrics.Guest {
	g := metrics.Guest{
		Instances: st.Instances, Busy: st.Busy, Waiting: st.Waiting, MemoryBytes: st.Memory, Created: st.Created,
		Retired: map[string]int64{},
	}
	for _, cause := range engine.Causes() {
		g.Retired[cause.String()] = st.Retirements[cause]
	}
	for _, op := range st.Ops {
		g.Ops = append(g.Ops, metrics.GuestOp{
			Name: op.Op, Calls: op.Calls, Faults: op.Faults, Fuel: op.Fuel, Waits: op.Waits, WaitSeconds: op.Waited.Seconds(),
		})
	}
	return g
}
