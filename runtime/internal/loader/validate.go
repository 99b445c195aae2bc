package loader

import (
	"context"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// Validation is what Validate found. Problems and Notes are in file order.
type Validation struct {
	Components []string           // names of the documents that were read, sorted
	Problems   []manifest.Problem // to be fixed
	Notes      []manifest.Problem // passed over: other kinds, other files
}

// Validate checks component files and modules without starting anything: no
// store is initialised, no guest runs, no secret is read. Components of every
// app and namespace are looked at.
func (l *Loader) Validate(ctx context.Context) *Validation {
	r := l.walk(ctx, manifest.Options{})
	v := &Validation{Problems: r.problems, Notes: r.Notes}
	uses := map[string][]string{}
	for i := range r.states {
		st := &r.states[i]
		uses[st.Name] = usesOf(st.Component)
		if st.err != nil {
			v.Problems = append(v.Problems, problemFrom(st.Component, st.err))
		}
		v.Problems = append(v.Problems, st.problems...)
	}
	for _, c := range r.secrets {
		if err := checkSecretStore(c); err != nil {
			v.Problems = append(v.Problems, *err)
			continue
		}
		v.Problems = append(v.Problems, at(c, checkSecretItems(c, c.Items))...)
	}
	for i := range r.Components {
		c := &r.Components[i]
		v.Components = append(v.Components, c.Name)
		v.Problems = append(v.Problems, references(c, r.Components, uses)...)
	}
	slices.Sort(v.Components)
	v.Components = slices.Compact(v.Components)
	return v
}

// references checks the names of other components that a document uses: what a
// start would wait for in vain.
func references(c *manifest.Component, all []manifest.Component, uses map[string][]string) []manifest.Problem {
	var problems []manifest.Problem
	has := func(name, category string) bool {
		return slices.ContainsFunc(all, func(o manifest.Component) bool { return o.Name == name && o.Category() == category })
	}
	needsSecrets := slices.ContainsFunc(c.Items, func(it manifest.Item) bool { return it.Secret != nil })
	if needsSecrets && !has(c.SecretStore, "secretstores") {
		problems = append(problems, c.Problem("the secret store %q is not configured", c.SecretStore))
	}
	for _, name := range uses[c.Name] {
		if !has(name, "state") {
			problems = append(problems, c.Problem("it uses %s, which is not configured", name))
		}
	}
	if path := component.Cycle(c.Name, func(name string) []string { return uses[name] }); path != nil {
		problems = append(problems, c.Problem("it uses itself: %s", strings.Join(path, " -> ")))
	}
	return problems
}
