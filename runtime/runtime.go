package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/loader"
	"github.com/wasmstate/wasmstate/runtime/internal/metrics"
	"github.com/wasmstate/wasmstate/runtime/internal/serve"
	"github.com/wasmstate/wasmstate/runtime/internal/watch"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Runtime is a registry, a live set of components and their servers. Make one
// with [New]. Safe for concurrent use.
type Runtime struct {
	cfg      Config
	log      *zap.Logger
	set      *component.Set
	loader   *loader.Loader
	follower *loader.Follower
	metrics  *metrics.Metrics
	servers  serve.Servers
	life     life
}

// life is how far a runtime has come.
//
//	New -> Run: started ... ready ... stopping -> Close
type life struct {
	running atomic.Bool
	ready   atomic.Bool
	once    sync.Once
	started chan struct{} // closed when the start is over
	closed  chan struct{} // closed by Close
}

// New checks the configuration and builds a runtime. It opens nothing but the
// compile cache and starts nothing; Run does.
func New(cfg Config, opts ...Option) (*Runtime, error) {
	cfg, o, registry, err := prepare(cfg, opts)
	if err != nil {
		return nil, err
	}
	sb, err := sandbox.New(sandbox.Options{CacheDir: cfg.CacheDir, MemoryBudget: cfg.MemoryBudget})
	if err != nil {
		return nil, err
	}
	rt := &Runtime{
		cfg: cfg, log: o.log, metrics: metrics.New(),
		life: life{started: make(chan struct{}), closed: make(chan struct{})},
	}
	rt.metrics.SetBuild(cfg.Version, cfg.Revision)
	rt.set = component.New(component.Config{
		AppID: cfg.AppID, Namespace: cfg.Namespace, Logger: o.log, Observer: rt.metrics,
		CloseGrace: cfg.CloseGrace,
	})
	rt.loader = loader.New(loader.Config{
		Paths: cfg.ComponentsPaths, AppID: cfg.AppID, Namespace: cfg.Namespace, Lookup: cfg.Lookup, Log: o.log,
		Grace: cfg.RemovalGrace, Registry: registry, Sandbox: sb, Handle: rt.set.Store, Metrics: rt.metrics, Watch: rt.metrics.Watch,
	})
	rt.follower = loader.NewFollower(rt.loader, rt.set, watch.New(cfg.ComponentsPaths, watch.Options{Log: o.log}), rt.metrics.FilesRead)
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
	return fmt.Sprintf("%d problems:\n  %s", len(e.Problems), strings.Join(e.Problems, "\n  "))
}

// Run loads the components, serves, and applies every change of the files
// until ctx ends; then it stops accepting, finishes the calls in progress and
// closes the stores. It can be called once.
//
// Unless the configuration says KeepGoing, a component that fails at the start
// and does not say ignoreErrors, or a file with an error, ends it with a
// [*StartError] that lists all of them. After the start nothing in a file does.
func (rt *Runtime) Run(ctx context.Context) (err error) {
	if !rt.life.running.CompareAndSwap(false, true) {
		return errors.New("the runtime runs already, or was closed")
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	if err := rt.servers.Listen(ctx, rt.serverList()...); err != nil {
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
	part(rt.set.Run)
	part(rt.follower.Watch)
	rt.servers.Start(part)
	defer rt.servers.Stop(rt.cfg.CloseGrace)

	part(rt.follower.Run)
	select {
	case <-ctx.Done():
		return nil
	case p := <-rt.follower.First():
		if err := rt.start(ctx, p); err != nil {
			return err
		}
	}
	rt.life.ready.Store(true)
	close(rt.life.started)
	defer rt.life.ready.Store(false)
	rt.log.Info("ready", zap.String("appID", rt.cfg.AppID), zap.String("http", rt.servers.Addr("http")),
		zap.String("metrics", rt.servers.Addr("metrics")), zap.String("admin", rt.servers.Addr("admin")))
	select {
	case <-ctx.Done():
		rt.life.ready.Store(false)
		rt.servers.Drain(rt.cfg.DrainDelay)
		return nil
	case <-rt.life.closed:
		return nil
	case err := <-failed:
		return err
	}
}

// start waits for the components of the first plan and says what kept any from
// coming up.
func (rt *Runtime) start(ctx context.Context, p *loader.Plan) error {
	failures, err := rt.set.Wait(ctx)
	if err != nil {
		return nil //nolint:nilerr // asked to stop while starting
	}
	problems := p.Problems()
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

// Reload reads the component files now instead of at their next change, lets
// components whose documents are missing go without their grace, waits until
// every component has come up or failed, and returns what is wrong, one line
// each. Run must be running.
func (rt *Runtime) Reload(ctx context.Context) ([]string, error) {
	lines, err := rt.follower.Reload(ctx, rt.life.closed)
	if err != nil {
		return nil, err
	}
	failures, err := rt.set.Wait(ctx)
	for _, f := range failures {
		lines = append(lines, f.Error())
	}
	return lines, err
}

// Store returns the handle of a component. It is there as soon as the
// component's file is read; while nothing serves, its calls are
// abi.ErrUnavailable with the reason. An unknown name is a
// [*handle.NotFoundError] that suggests the nearest.
func (rt *Runtime) Store(name string) (Store, error) {
	s, err := rt.set.Store(name)
	if err != nil {
		return nil, err // a nil *component.Store must not become a non-nil Store
	}
	return s, nil
}

// Registry is where store types can be added while the runtime runs.
func (rt *Runtime) Registry() Registry { return rt.loader.Registry() }

// Status lists every component, by name, those whose document has an error
// included. It is never nil.
func (rt *Runtime) Status() []Status {
	list := rt.loader.WithBroken(append([]Status{}, rt.set.Status()...))
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Rollback returns a component to the version before its last change, until
// its file changes again.
func (rt *Runtime) Rollback(name string) error { return rt.set.Rollback(name) }

// Wait returns when the start is over or ctx ends; for programs that embed a
// runtime and want to use its stores at once.
func (rt *Runtime) Wait(ctx context.Context) error {
	select {
	case <-rt.life.started:
		return nil
	case <-rt.life.closed:
		return errors.New("the runtime is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// HTTPAddr is the address that the state API listens on, with the real port;
// "" if it does not.
func (rt *Runtime) HTTPAddr() string { return rt.servers.Addr("http") }

// AdminAddr is the address that the admin API listens on; "" if it does not.
func (rt *Runtime) AdminAddr() string { return rt.servers.Addr("admin") }

// MetricsAddr is the address that metrics are served on; "" if they are not.
func (rt *Runtime) MetricsAddr() string { return rt.servers.Addr("metrics") }

// Close ends Run, closes every store and releases compiled modules. Idempotent.
func (rt *Runtime) Close() error {
	var err error
	rt.life.once.Do(func() {
		rt.life.running.Store(true)
		close(rt.life.closed)
		ctx, cancel := context.WithTimeout(context.Background(), rt.cfg.CloseGrace)
		defer cancel()
		err = errors.Join(rt.set.Close(ctx), rt.loader.Close())
	})
	return err
}
