package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/runtime/internal/metrics"
	"github.com/wasmstate/wasmstate/sandbox"
)

// loader turns component files into what the live set should be. It remembers
// what it read before, so that a file that is broken at the moment takes
// nothing away.
type loader struct {
	cfg      Config
	registry *Registry
	sandbox  *sandbox.Sandbox
	log      *zap.Logger
	resolver *manifest.Resolver
	lookup   func(name string) (*component.Store, error) // handles, for kv bindings
	metrics  *metrics.Metrics                            // nil when only validating

	// Used by plan only, which is not called twice at once.
	files  map[string]string // component name -> file, of the last good plan
	cached *moduleFiles
	said   map[string]bool // problems and notes that were logged

	mu      sync.Mutex // guards what follows
	secrets map[string]*secretEntry
	broken  []manifest.Problem // of the last plan
}

// plan is what one reading of the files says.
type plan struct {
	specs          []component.Spec
	problems       []manifest.Problem
	result         *manifest.Result
	previous       map[string]string // component name -> file before this plan
	files          []string          // to watch besides the folders
	secretsChanged bool
	busy           bool
}

func newLoader(cfg Config, registry *Registry, sb *sandbox.Sandbox, log *zap.Logger, lookup func(string) (*component.Store, error)) *loader {
	l := &loader{
		cfg: cfg, registry: registry, sandbox: sb, log: log, lookup: lookup,
		files: map[string]string{}, said: map[string]bool{}, secrets: map[string]*secretEntry{}, cached: newModuleFiles(sb),
	}
	l.resolver = manifest.NewResolver(manifest.Environment{
		AppID: cfg.AppID, Namespace: cfg.Namespace, Lookup: cfg.Lookup, SecretStore: l.secretStore,
	})
	return l
}

// plan reads the files: components, dropped modules, secret stores. It never
// fails as a whole.
func (l *loader) plan(ctx context.Context) *plan {
	res := manifest.Load(l.cfg.ComponentsPaths, manifest.Options{AppID: l.cfg.AppID, Namespace: l.cfg.Namespace, Current: l.files})
	p := &plan{result: res, problems: slices.Clone(res.Problems), previous: l.files, busy: len(res.Busy) > 0}
	p.problems = append(p.problems, l.cached.dropped(res)...)
	l.loadSecretStores(ctx, res, p)
	files := map[string]string{}
	for i := range res.Components {
		c := &res.Components[i]
		switch c.Category() {
		case "secretstores":
		case "state":
			files[c.Name] = c.Pos.File
			p.specs = append(p.specs, l.spec(ctx, c, p))
		default:
			res.Notes = append(res.Notes, c.Problem("type %s is not served: this runtime has state and secretstores components only", c.Type))
		}
	}
	for name, file := range l.files {
		if _, have := files[name]; !have && res.Keeps(name, file) {
			files[name] = file
		}
	}
	l.files = files
	l.cached.forget()
	l.tell(p)
	l.mu.Lock()
	l.broken = p.problems
	l.mu.Unlock()
	return p
}

// keeps reports whether a component that is missing from the plan must go on:
// its file is broken, not gone.
func (p *plan) keeps(name string) bool {
	file, ok := p.previous[name]
	return ok && p.result.Keeps(name, file)
}

// complaint is what is wrong with the document of a component that serves.
func (p *plan) complaint(name string) error {
	if slices.ContainsFunc(p.specs, func(s component.Spec) bool { return s.Name == name }) {
		return nil
	}
	file := p.previous[name]
	for i := range p.problems {
		if prob := &p.problems[i]; prob.Component == name || prob.Pos.File == file {
			return prob
		}
	}
	return nil
}

// tell logs what is new among problems and notes.
func (l *loader) tell(p *plan) {
	now := map[string]bool{}
	for i := range p.problems {
		line := p.problems[i].String()
		if now[line] = true; !l.said[line] {
			l.log.Error("component file", zap.String("problem", line))
		}
	}
	for i := range p.result.Notes {
		line := p.result.Notes[i].String()
		if now[line] = true; !l.said[line] {
			l.log.Warn("component file", zap.String("note", line))
		}
	}
	l.said = now
}

// withBroken adds the components that only a broken document names.
func (l *loader) withBroken(list []Status) []Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.broken {
		prob := &l.broken[i]
		if prob.Component == "" || slices.ContainsFunc(list, func(st Status) bool { return st.Name == prob.Component }) {
			continue
		}
		list = append(list, Status{Name: prob.Component, State: component.StateFailed, Reason: prob.String(), Source: prob.Pos.String(), Capabilities: []string{}})
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// problems lists what is wrong with the files at the moment, one line each.
func (l *loader) problemLines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := []string{}
	for i := range l.broken {
		lines = append(lines, l.broken[i].String())
	}
	return lines
}

// spec builds the desired component of a document.
func (l *loader) spec(ctx context.Context, c *manifest.Component, p *plan) component.Spec {
	doc := *c
	spec := component.Spec{
		Name: c.Name, Type: c.Type, Version: c.Version, Source: c.Pos.String(),
		InitTimeout: c.InitTimeout, IgnoreErrors: c.IgnoreErrors,
		KeyPrefix: c.Runtime.KeyPrefix, IgnoreLastETag: c.Runtime.IgnoreETagOnLastWrite,
		ActorStateStore: c.Runtime.ActorStateStore, KeepState: !c.Runtime.DiscardOnReload,
		Digest: l.resolver.Digest(ctx, c),
	}
	spec.Uses = usesOf(c)
	// What is secret is known by the last Resolve, which comes before Create.
	var secrets atomic.Pointer[[]string]
	spec.Redact = func(text string) string {
		if known := secrets.Load(); known != nil {
			return manifest.Redact(text, *known)
		}
		return text
	}
	mod, err := l.moduleOf(c, p)
	switch {
	case err != nil:
		spec.Create = func(context.Context) (abi.Store, error) { return nil, err }
		spec.Digest += " " + err.Error()
	case mod != nil:
		spec.Digest += " " + mod.Digest()
		spec.Resolve = func(ctx context.Context) (abi.Metadata, error) {
			res, err := l.resolved(ctx, &doc, mod.check)
			if err != nil {
				return abi.Metadata{}, err
			}
			known := append(mod.secrets(res.Items), res.Secrets()...)
			secrets.Store(&known)
			return abi.Metadata{Name: doc.Name, Properties: res.Properties}, nil
		}
		spec.Create = func(ctx context.Context) (abi.Store, error) {
			var known []string
			if p := secrets.Load(); p != nil {
				known = *p
			}
			return l.openModule(ctx, &doc, mod, known)
		}
	default:
		spec.Create = func(context.Context) (abi.Store, error) { return l.registry.Create(doc.Type, doc.Version) }
		spec.Resolve = func(ctx context.Context) (abi.Metadata, error) {
			res, err := l.resolved(ctx, &doc, l.nativeCheck(&doc))
			if err != nil {
				return abi.Metadata{}, err
			}
			known := res.Secrets()
			secrets.Store(&known)
			return abi.Metadata{Name: doc.Name, Properties: res.Properties}, nil
		}
	}
	return spec
}

// usesOf lists the components that a wasm store's kv buckets are bound to.
func usesOf(c *manifest.Component) []string {
	if c.Runtime.Sandbox == nil {
		return nil
	}
	return slices.Compact(slices.Sorted(maps.Values(c.Runtime.Sandbox.KV)))
}

// check finds what is wrong with the properties of a component.
type check func(items []manifest.Item) []manifest.Problem

// nativeCheck is the check of a built-in store, from its own description.
func (l *loader) nativeCheck(c *manifest.Component) check {
	return func(items []manifest.Item) []manifest.Problem {
		if s := c.Runtime.Sandbox; s != nil {
			return []manifest.Problem{{Pos: s.Pos, Msg: "the item sandbox is for WebAssembly modules; " + c.Type + " is built in: remove the item"}}
		}
		store, err := l.registry.Create(c.Type, c.Version)
		if err != nil {
			return nil // creation says so
		}
		defer store.Close()
		d, ok := store.(abi.Describer)
		if !ok {
			return nil
		}
		props := d.Describe()
		if props == nil {
			props = []abi.Property{}
		}
		return manifest.CheckProperties(props, items)
	}
}

// resolve fills in secrets, environment and templates, and checks the result.
func (l *loader) resolve(ctx context.Context, c *manifest.Component, check check) (abi.Metadata, error) {
	res, err := l.resolved(ctx, c, check)
	if err != nil {
		return abi.Metadata{}, err
	}
	return abi.Metadata{Name: c.Name, Properties: res.Properties}, nil
}

// resolved is resolve with the items and what is secret in them.
func (l *loader) resolved(ctx context.Context, c *manifest.Component, check check) (*manifest.Resolved, error) {
	if err := problemsOf(c, check(c.Items)); err != nil {
		return nil, err
	}
	res, err := l.resolver.Resolve(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := problemsOf(c, check(res.Items)); err != nil {
		return nil, err
	}
	return res, nil
}

// problemsOf joins problems into one error; nil for none.
func problemsOf(c *manifest.Component, problems []manifest.Problem) error {
	var errs []error
	for _, prob := range problems {
		if prob.Pos.File == "" {
			prob.Pos = c.Pos
		}
		errs = append(errs, prob)
	}
	return errors.Join(errs...)
}

// typeError says that no store has the type of c.
func (l *loader) typeError(c *manifest.Component, err error) error {
	known := append(l.registry.Types(), l.cached.types()...)
	known = append(known, wasmType)
	if near := manifest.Nearest(strings.ToLower(c.Type), known); near != "" {
		return fmt.Errorf("couldn't find state store %s; did you mean %s?", c.Type, near)
	}
	if slices.Contains(l.registry.Types(), strings.ToLower(c.Type)) {
		return err // the type is known, the version is not
	}
	slices.Sort(known)
	return fmt.Errorf("couldn't find state store %s; known are %s", c.Type, strings.Join(slices.Compact(known), ", "))
}

func (l *loader) close() error { return l.sandbox.Close() }

// watchFile adds a file that the folders do not cover.
func (p *plan) watchFile(path string) {
	if !slices.Contains(p.files, path) {
		p.files = append(p.files, filepath.Clean(path))
	}
}
