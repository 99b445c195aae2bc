package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/metrics"
	"github.com/wasmstate/wasmstate/runtime/internal/watch"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Runtime is a registry, a live set of components and their servers. Make one
// with [New]. Safe for concurrent use.
type Runtime struct {
	cfg     Config
	log     *zap.Logger
	set     *component.Set
	loader  *loader
	metrics *metrics.Metrics
	servers servers
	reload  chan chan *plan // asks the loop in Run to read the files again
	running atomic.Bool
	ready   atomic.Bool
	once    sync.Once
	started chan struct{} // closed when the start is over
	closed  chan struct{} // closed by Close
}

// New checks the configuration and builds a runtime. It opens nothing but the
// compile cache and starts nothing; Run does.
func New(cfg Config, opts ...Option) (*Runtime, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if o.log == nil {
		o.log = zap.NewNop()
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	registry := NewRegistry()
	if err := registry.Register(o.states...); err != nil {
		return nil, err
	}
	sb, err := sandbox.New(sandbox.Options{CacheDir: cfg.CacheDir, MemoryBudget: cfg.MemoryBudget, Logger: o.log})
	if err != nil {
		return nil, err
	}
	rt := &Runtime{cfg: cfg, log: o.log, metrics: metrics.New(), reload: make(chan chan *plan), started: make(chan struct{}), closed: make(chan struct{})}
	rt.set = component.New(component.Config{
		AppID: cfg.AppID, Namespace: cfg.Namespace, Logger: o.log, Observer: rt.metrics,
		CloseGrace: cfg.CloseGrace,
	})
	rt.loader = newLoader(cfg, registry, sb, o.log, rt.set.Store)
	rt.loader.metrics = rt.metrics
	return rt, nil
}

// StartError lists everything that kept a runtime from starting.
type StartError struct {
	Problems []string // one line each, with file and line where there is one
}

// Error is all lines.
func (e *StartError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0]
	}
	text := fmt.Sprintf("%d problems:", len(e.Problems))
	for _, p := range e.Problems {
		text += "\n  " + p
	}
	return text
}

// Run loads the components, serves, and applies every change of the files
// until ctx ends; then it stops accepting, finishes the calls in progress and
// closes the stores. It can be called once.
//
// Unless the configuration says KeepGoing, a component that fails at the start
// and does not say ignoreErrors, or a file with an error, ends it with a
// [*StartError] that lists all of them. After the start nothing in a file does.
func (rt *Runtime) Run(ctx context.Context) (err error) {
	if !rt.running.CompareAndSwap(false, true) {
		return errors.New("the runtime runs already, or was closed")
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	if err := rt.servers.listen(ctx, rt.cfg); err != nil {
		return err
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	defer func() { cancel(); parts.Wait() }()
	failed := make(chan error, 8)
	part := func(run func(context.Context) error) {
		parts.Go(func() {
			if err := run(inner); err != nil {
				failed <- err
			}
		})
	}
	watcher := watch.New(rt.cfg.ComponentsPaths, watch.Options{Log: rt.log})
	part(rt.set.Run)
	part(watcher.Run)
	rt.servers.start(rt, part)
	defer rt.servers.stop(rt.cfg.CloseGrace)

	if err := rt.start(ctx, watcher); err != nil {
		return err
	}
	rt.ready.Store(true)
	close(rt.started)
	defer rt.ready.Store(false)
	rt.log.Info("ready", zap.String("appID", rt.cfg.AppID), zap.String("http", rt.servers.addr(serveHTTP)),
		zap.String("metrics", rt.servers.addr(serveMetrics)), zap.String("admin", rt.servers.addr(serveAdmin)))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rt.closed:
			return nil
		case err := <-failed:
			return err
		case <-watcher.C:
			rt.apply(ctx, watcher)
		case done := <-rt.reload:
			done <- rt.apply(ctx, watcher)
		}
	}
}

// start loads everything for the first time.
func (rt *Runtime) start(ctx context.Context, watcher *watch.Watcher) error {
	p := rt.apply(ctx, watcher)
	failures, err := rt.set.Wait(ctx)
	if err != nil {
		return nil // asked to stop while starting
	}
	var problems []string
	for _, prob := range p.problems {
		problems = append(problems, prob.String())
	}
	for _, f := range failures {
		if !f.IgnoreErrors {
			problems = append(problems, f.Error())
		}
	}
	if name, warning := rt.set.ActorStore(); warning != "" {
		rt.log.Warn("no actor state store", zap.String("reason", warning))
	} else if name != "" {
		rt.log.Info("actor state store", zap.String("component", name))
	}
	if len(problems) > 0 && !rt.cfg.KeepGoing {
		return &StartError{problems}
	}
	return nil
}

// apply reads the files and brings the set to what they say. Only Run calls it,
// one at a time.
func (rt *Runtime) apply(ctx context.Context, watcher *watch.Watcher) *plan {
	p := rt.loader.plan(ctx)
	for _, c := range rt.set.Status() {
		rt.set.Complain(c.Name, p.complaint(c.Name))
	}
	rt.set.Reconcile(p.specs, p.keeps)
	if p.secretsChanged {
		rt.set.Retry()
	}
	watcher.SetFiles(p.files)
	if p.busy {
		watcher.Again()
	}
	return p
}

// Reload reads the component files now instead of at their next change, waits
// until every component has come up or failed, and returns what is wrong, one
// line each. Run must be running.
func (rt *Runtime) Reload(ctx context.Context) ([]string, error) {
	done := make(chan *plan, 1)
	select {
	case rt.reload <- done:
	case <-rt.closed:
		return nil, errors.New("the runtime is closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var lines []string
	select {
	case p := <-done:
		for _, prob := range p.problems {
			lines = append(lines, prob.String())
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	failures, err := rt.set.Wait(ctx)
	for _, f := range failures {
		lines = append(lines, f.Error())
	}
	return lines, err
}

// Store returns the handle of a component. It is there as soon as the
// component's file is read; while nothing serves, its calls are
// abi.ErrUnavailable with the reason.
func (rt *Runtime) Store(name string) (*Store, error) { return rt.set.Store(name) }

// Status lists every component, by name, those whose document has an error
// included.
func (rt *Runtime) Status() []Status { return rt.loader.withBroken(rt.set.Status()) }

// NotReady lists the components that do not serve at all.
func (rt *Runtime) NotReady() []Status { return rt.set.NotReady() }

// Rollback returns a component to the version before its last change, until
// its file changes again.
func (rt *Runtime) Rollback(name string) error { return rt.set.Rollback(name) }

// Wait returns when the start is over or ctx ends; for programs that embed a
// runtime and want to use its stores at once.
func (rt *Runtime) Wait(ctx context.Context) error {
	select {
	case <-rt.started:
		return nil
	case <-rt.closed:
		return errors.New("the runtime is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// HTTPAddr is the address that the state API listens on, with the real port;
// "" if it does not.
func (rt *Runtime) HTTPAddr() string { return rt.servers.addr(serveHTTP) }

// AdminAddr is the address that the admin API listens on; "" if it does not.
func (rt *Runtime) AdminAddr() string { return rt.servers.addr(serveAdmin) }

// MetricsAddr is the address that metrics are served on; "" if they are not.
func (rt *Runtime) MetricsAddr() string { return rt.servers.addr(serveMetrics) }

// Close ends Run, closes every store and releases compiled modules. Idempotent.
func (rt *Runtime) Close() error {
	var err error
	rt.once.Do(func() {
		rt.running.Store(true)
		close(rt.closed)
		ctx, cancel := context.WithTimeout(context.Background(), rt.cfg.CloseGrace)
		defer cancel()
		err = errors.Join(rt.set.Close(ctx), rt.loader.close())
	})
	return err
}
