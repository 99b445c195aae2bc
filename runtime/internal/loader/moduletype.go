package loader

import (
	"context"
	"fmt"
	"log/slog"

	"go.uber.org/zap/exp/zapslog"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// moduleType is the type of a module: dropped in a folder, or named by a
// state.wasm component.
type moduleType struct {
	l *Loader
	m *module
}

// Digest implements Type.
func (t *moduleType) Digest() string { return t.m.Digest() }

// Check implements Type: the module's wishes against what the component grants.
func (t *moduleType) Check(c *manifest.Component) []manifest.Problem {
	cfg, err := t.config(c, func(string) (*component.Store, error) { return new(component.Store), nil }) // nothing is called
	if err == nil {
		err = t.m.Check(cfg)
	}
	if err != nil {
		return []manifest.Problem{c.Problem("module %s: %v", t.m.path, err)}
	}
	return nil
}

// CheckItems implements Type by the module's schema.
func (t *moduleType) CheckItems(_ *manifest.Component, items []manifest.Item) []manifest.Problem {
	if t.m.schema == nil {
		return nil
	}
	return t.m.schema.Check(items)
}

// Secrets implements Type.
func (t *moduleType) Secrets(items []manifest.Item) []string {
	if t.m.schema == nil {
		return nil
	}
	return t.m.schema.Secrets(items)
}

// Open implements Type. No secret is ever in what the guest logs or answers.
func (t *moduleType) Open(ctx context.Context, c *manifest.Component, secrets []string) (abi.Store, error) {
	cfg, err := t.config(c, t.l.cfg.Handle)
	if err != nil {
		return nil, err
	}
	cfg.Host.Redact = secrets
	stop := func() {}
	cfg.Closed = func() { stop() }
	store, err := t.m.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", t.m.path, err)
	}
	if t.l.cfg.Watch != nil {
		stop = t.l.cfg.Watch(c.Name, func() sandbox.Stats {
			st, _ := sandbox.StatsOf(store)
			return st
		})
	}
	return store, nil
}

// config turns the operator's sandbox item into what the sandbox enforces.
// handle finds the components that kv buckets are bound to.
func (t *moduleType) config(c *manifest.Component, handle func(name string) (*component.Store, error)) (sandbox.Config, error) {
	cfg := sandbox.Config{Component: c.Name, Logger: slog.New(zapslog.NewHandler(t.l.log.Core(), zapslog.WithCaller(false), zapslog.AddStacktraceAt(slog.LevelError+1))).With("component", c.Name)}
	s := c.Runtime.Sandbox
	if s == nil {
		return cfg, nil
	}
	cfg.Settings = s.Settings
	if s.Metrics {
		cfg.Host.Metrics = t.l.cfg.Metrics
	}
	if len(s.Secrets) > 0 {
		cfg.Host.Secrets = func(ctx context.Context, name string) (string, error) {
			if _, ok := s.Secrets[name]; !ok {
				return "", abi.ErrPermission
			}
			return t.l.resolver.Secret(ctx, c, name)
		}
	}
	if len(s.KV) > 0 {
		cfg.Host.KV = map[string]hostfuncs.KV{}
		for label, name := range s.KV {
			store, err := handle(name) // it follows the reloads of what it names
			if err != nil {
				return cfg, fmt.Errorf("sandbox.kv.%s: %w", label, err)
			}
			cfg.Host.KV[label] = store
		}
	}
	return cfg, nil
}

// uncounted takes a guest's metrics where nobody looks: when only validating.
type uncounted struct{}

func (uncounted) Count(string, string, float64) bool   { return true }
func (uncounted) Observe(string, string, float64) bool { return true }
