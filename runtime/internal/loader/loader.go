package loader

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Config is what a loader works with. Sandbox and Registry must be set.
type Config struct {
	Paths            []string // folders of component files and modules, or single files
	AppID, Namespace string
	Grace            time.Duration                    // how long a document must be missing before its component goes; 0 = DefaultGrace, < 0 = none
	Lookup           func(name string) (string, bool) // environment variables; nil = none
	Log              *zap.Logger                      // nil = none
	Registry         *Registry
	Sandbox          *sandbox.Sandbox
	Handle           func(name string) (*component.Store, error)                      // for kv bindings; nil = only validating
	Metrics          hostfuncs.Metrics                                                // of guests; nil = none
	Watch            func(component string, stats func() sandbox.Stats) (stop func()) // shows a wasm store's counters; nil = nobody looks
}

// Loader turns component files into what the live set should be. It remembers
// what it read before, so that a file that is broken at the moment takes
// nothing away and one that has not changed is not read again. Plan must not be
// called twice at once; the other methods may be called from any goroutine.
type Loader struct {
	cfg      Config
	log      *zap.Logger
	sources  []TypeSource
	modules  *moduleFiles
	resolver *manifest.Resolver

	// Used by Plan and Validate only.
	cache   manifest.Cache
	files   map[string]string // component name -> file, of the last good plan
	checked map[string]verdict
	graces  graces
	said    map[string]bool // problems and notes that were logged

	mu      sync.Mutex // guards what follows
	secrets map[string]*secretEntry
	broken  []manifest.Problem // of the last plan
}

// New returns a loader that has read nothing yet.
func New(cfg Config) *Loader {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = uncounted{}
	}
	l := &Loader{
		cfg: cfg, log: cfg.Log,
		files: map[string]string{}, checked: map[string]verdict{}, said: map[string]bool{}, secrets: map[string]*secretEntry{},
	}
	l.graces.grace = cmp.Or(cfg.Grace, DefaultGrace)
	l.modules = newModuleFiles(cfg.Sandbox, &l.cache.Patience, &l.graces)
	l.sources = []TypeSource{cfg.Registry, &dropped{l}}
	l.resolver = manifest.NewResolver(manifest.Environment{
		AppID: cfg.AppID, Namespace: cfg.Namespace, Lookup: cfg.Lookup, SecretStore: l.secretStore,
	})
	return l
}

// Registry is where native types come from.
func (l *Loader) Registry() *Registry { return l.cfg.Registry }

// verdict is what was found wrong with a component of a digest.
type verdict struct {
	digest   string
	problems []manifest.Problem
}

// spec builds the desired component of a document.
func (l *Loader) spec(ctx context.Context, st *state) component.Spec {
	c := *st.Component
	spec := component.Spec{
		Name: c.Name, Type: c.Type, Version: c.Version, Source: c.Pos.String(),
		InitTimeout: c.InitTimeout, IgnoreErrors: c.IgnoreErrors,
		KeyPrefix: c.Runtime.KeyPrefix, IgnoreLastETag: c.Runtime.IgnoreETagOnLastWrite,
		ActorStateStore: c.Runtime.ActorStateStore, KeepState: !c.Runtime.DiscardOnReload,
		Digest: l.resolver.Digest(ctx, &c), Uses: usesOf(&c),
	}
	if st.typ == nil {
		err := st.err
		spec.Digest += " " + err.Error()
		spec.Create = func(context.Context) (abi.Store, error) { return nil, err }
		return spec
	}
	typ := st.typ
	if d := typ.Digest(); d != "" {
		spec.Digest += " " + d
	}
	problems := st.problems
	// What is secret is known by the last Resolve, which comes before Create.
	var secrets []string
	spec.Resolve = func(ctx context.Context) (component.Resolved, error) {
		if err := problemsOf(&c, problems); err != nil {
			return component.Resolved{}, err
		}
		res, err := l.resolver.Resolve(ctx, &c)
		if err != nil {
			return component.Resolved{}, err
		}
		secrets = append(typ.Secrets(res.Items), res.Secrets()...)
		out := component.Resolved{
			Metadata: abi.Metadata{Name: c.Name, Properties: res.Properties},
			Redact:   text.NewRedactor(secrets...).Redact,
		}
		return out, problemsOf(&c, typ.CheckItems(&c, res.Items))
	}
	spec.Create = func(ctx context.Context) (abi.Store, error) { return typ.Open(ctx, &c, secrets) }
	return spec
}

// check finds what is wrong with a component of a known type; what was found
// before for the same document and type is not looked for again.
func (l *Loader) check(c *manifest.Component, typ Type) []manifest.Problem {
	digest := c.Digest + " " + typ.Digest() + " " + c.Pos.String()
	if v, ok := l.checked[c.Name]; ok && v.digest == digest {
		return v.problems
	}
	var problems []manifest.Problem
	if _, err := component.Prefix(c.Runtime.KeyPrefix, l.cfg.AppID, l.cfg.Namespace, c.Name); err != nil {
		problems = append(problems, c.Problem("%v", err))
	}
	problems = append(problems, typ.Check(c)...)
	problems = at(c, append(problems, typ.CheckItems(c, c.Items)...))
	l.checked[c.Name] = verdict{digest, problems}
	return problems
}

// Close releases compiled code; every store must be closed before.
func (l *Loader) Close() error {
	if err := l.cfg.Sandbox.Close(); err != nil {
		return fmt.Errorf("close the sandbox: %w", err)
	}
	return nil
}
