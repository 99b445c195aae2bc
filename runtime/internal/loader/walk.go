package loader

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// reading is one walk over all documents, as both readers see it.
type reading struct {
	*manifest.Result
	states   []state               // the components that are served, in file order
	secrets  []*manifest.Component // the secret stores
	problems []manifest.Problem    // of files, documents and modules; not those in states
	watch    []string              // files to watch besides the folders
}

// state is a state component with its type.
type state struct {
	*manifest.Component
	typ      Type               // nil if there is none
	err      error              // why typ is nil
	problems []manifest.Problem // what is wrong with it, as far as can be told without a start
}

// walk reads the files and looks up the type of every component. It never fails
// as a whole. Both readers start here, and whatever is refused of a document is
// refused here.
func (l *Loader) walk(_ context.Context, opts manifest.Options) *reading {
	opts.Cache = &l.cache
	res := manifest.Load(l.cfg.Paths, opts)
	res.Notes = slices.DeleteFunc(res.Notes, func(n manifest.Problem) bool { return isSecretsFile(n.Pos.File, res.Components) })
	r := &reading{Result: res, problems: slices.Concat(res.Problems, l.modules.drop(res))}
	seen := map[string]bool{}
	for i := range res.Components {
		c := &res.Components[i]
		if c.Category() == "secretstores" {
			r.secrets = append(r.secrets, c)
			continue
		}
		st := state{Component: c}
		if st.typ, st.err = l.typeOf(c, r); st.typ != nil {
			st.problems = l.check(c, st.typ)
		}
		seen[c.Name] = true
		r.states = append(r.states, st)
	}
	maps.DeleteFunc(l.checked, func(name string, _ verdict) bool { return !seen[name] })
	l.modules.forget()
	return r
}

// isSecretsFile reports whether a secret store beside it names a file: it is
// not passed over then, whatever its extension.
func isSecretsFile(path string, components []manifest.Component) bool {
	for i := range components {
		c := &components[i]
		if c.Category() != "secretstores" {
			continue
		}
		for _, it := range c.Items {
			if !strings.EqualFold(it.Name, "secretsFile") || it.Text == "" {
				continue
			}
			if it.Text == path || filepath.Join(filepath.Dir(c.Pos.File), it.Text) == filepath.Clean(path) {
				return true
			}
		}
	}
	return false
}

// also watches a file that the folders do not cover.
func (r *reading) also(path string) {
	if path = filepath.Clean(path); !slices.Contains(r.watch, path) {
		r.watch = append(r.watch, path)
	}
}

// usesOf lists the components that a wasm store's kv buckets are bound to.
func usesOf(c *manifest.Component) []string {
	if c.Runtime.Sandbox == nil {
		return nil
	}
	return slices.Compact(slices.Sorted(maps.Values(c.Runtime.Sandbox.KV)))
}

// at fills in where a problem is, and with what, if it does not say.
func at(c *manifest.Component, problems []manifest.Problem) []manifest.Problem {
	for i := range problems {
		if problems[i].Pos.File == "" {
			problems[i].Pos = c.Pos
		}
		problems[i].Component = cmp.Or(problems[i].Component, c.Name)
	}
	return problems
}

// problemsOf joins problems into one error; nil for none.
func problemsOf(c *manifest.Component, problems []manifest.Problem) error {
	var errs []error
	for _, p := range at(c, slices.Clone(problems)) {
		errs = append(errs, &p)
	}
	return errors.Join(errs...)
}

// problemFrom places an error at a component's document.
func problemFrom(c *manifest.Component, err error) manifest.Problem {
	var prob *manifest.Problem
	if errors.As(err, &prob) {
		return *prob
	}
	return c.Problem("%v", err)
}
