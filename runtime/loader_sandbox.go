package runtime

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/runtime/internal/metrics"
	"github.com/wasmstate/wasmstate/sandbox"
)

// moduleConfig turns the operator's sandbox item into what the engine enforces.
func (l *loader) moduleConfig(_ context.Context, c *manifest.Component) (sandbox.Config, error) {
	cfg := sandbox.Config{Component: c.Name, Logger: l.log.With(zap.String("component", c.Name))}
	s := c.Runtime.Sandbox
	if s == nil {
		return cfg, nil
	}
	cfg.Settings = s.Settings
	if s.Metrics && l.metrics != nil {
		cfg.Host.Metrics = l.metrics
	}
	if len(s.Secrets) > 0 {
		cfg.Host.Secrets = func(ctx context.Context, name string) (string, error) {
			if _, ok := s.Secrets[name]; !ok {
				return "", abi.ErrPermission
			}
			return l.resolver.Secret(ctx, c, name)
		}
	}
	if len(s.KV) > 0 {
		cfg.Host.KV = map[string]hostfuncs.KV{}
		for label, name := range s.KV {
			if l.lookup == nil { // only validating: nothing is called
				cfg.Host.KV[label] = new(component.Store)
				continue
			}
			store, err := l.lookup(name) // a handle: it follows the reloads of what it names
			if err != nil {
				return cfg, fmt.Errorf("sandbox.kv.%s: %w", label, err)
			}
			cfg.Host.KV[label] = store
		}
	}
	return cfg, nil
}

// watchGuest shows the counters of a wasm store in the metrics, if there are
// any, until it is closed: it is called before the store is opened, and what it
// returns after.
func (l *loader) watchGuest(name string, cfg *sandbox.Config) func(abi.Store) {
	if l.metrics == nil {
		return func(abi.Store) {}
	}
	stop := func() {}
	cfg.Closed = func() { stop() }
	return func(store abi.Store) {
		stop = l.metrics.Watch(name, func() metrics.Guest {
			st, _ := sandbox.StatsOf(store)
			return guestMetrics(&st)
		})
	}
}

func guestMetrics(st *sandbox.Stats) metrics.Guest {
	g := metrics.Guest{
		Instances: st.Instances, Busy: st.Busy, Waiting: st.Waiting, MemoryBytes: st.Memory, Created: st.Created, Retired: st.Retired,
	}
	for _, op := range st.Ops {
		g.Ops = append(g.Ops, metrics.GuestOp{
			Name: op.Op, Calls: op.Calls, Faults: op.Faults, Fuel: op.Fuel, Waits: op.Waits, WaitSeconds: op.Waited.Seconds(),
		})
	}
	return g
}
