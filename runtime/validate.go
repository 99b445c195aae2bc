package runtime

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Problem is one thing that is wrong with component files.
type Problem struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Component string `json:"component,omitempty"`
	Message   string `json:"message"`
}

// Validation is what [Validate] found.
type Validation struct {
	Components []string  `json:"components"` // names of the documents that were read, sorted
	Problems   []Problem `json:"problems"`   // to be fixed
	Notes      []Problem `json:"notes"`      // passed over: other kinds, other files
}

// Validate checks component files and modules without starting anything: no
// store is initialised, no guest runs, no secret is read. Values that come
// from secrets and the environment are checked at start only.
func Validate(ctx context.Context, cfg Config, opts ...Option) (*Validation, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	registry := NewRegistry()
	if err := registry.Register(o.states...); err != nil {
		return nil, err
	}
	sb, err := sandbox.New(sandbox.Options{})
	if err != nil {
		return nil, err
	}
	defer sb.Close()
	l := newLoader(cfg, registry, sb, zap.NewNop(), nil)
	v := &Validation{Components: []string{}, Problems: []Problem{}, Notes: []Problem{}}
	l.validate(ctx, v)
	return v, nil
}

func (l *loader) validate(ctx context.Context, v *Validation) {
	res := manifest.Load(l.cfg.ComponentsPaths, manifest.Options{})
	problems := slices.Concat(res.Problems, l.cached.dropped(res))
	p := &plan{result: res}
	uses := map[string][]string{}
	for i := range res.Components {
		c := &res.Components[i]
		v.Components = append(v.Components, c.Name)
		switch c.Category() {
		case "secretstores":
			problems = append(problems, at(c, validSecretStore(c))...)
		case "state":
			problems = append(problems, at(c, l.validState(ctx, c, p))...)
			uses[c.Name] = usesOf(c)
		default:
			res.Notes = append(res.Notes, c.Problem("type %s is not served: this runtime has state and secretstores components only", c.Type))
		}
	}
	for i := range res.Components {
		c := &res.Components[i]
		problems = append(problems, at(c, validReferences(c, res.Components, uses))...)
	}
	slices.Sort(v.Components)
	v.Components = slices.Compact(v.Components)
	v.Problems, v.Notes = append(v.Problems, public(problems)...), append(v.Notes, public(res.Notes)...)
}

func validSecretStore(c *manifest.Component) []manifest.Problem {
	props := secretProperties(c)
	if props == nil {
		return []manifest.Problem{unknownSecretStore(c)}
	}
	return manifest.CheckProperties(props, c.Items)
}

// validState checks a state component: its type, its module, its properties.
func (l *loader) validState(ctx context.Context, c *manifest.Component, p *plan) []manifest.Problem {
	mod, err := l.moduleOf(c, p)
	if err != nil {
		return []manifest.Problem{c.Problem("%v", err)}
	}
	var problems []manifest.Problem
	if _, err := component.Prefix(c.Runtime.KeyPrefix, l.cfg.AppID, l.cfg.Namespace, c.Name); err != nil {
		problems = append(problems, c.Problem("%v", err))
	}
	if mod == nil {
		return append(problems, l.nativeCheck(c)(c.Items)...)
	}
	cfg, err := l.moduleConfig(ctx, c)
	if err == nil {
		err = mod.Check(cfg)
	}
	if err != nil {
		problems = append(problems, c.Problem("module %s: %v", mod.path, err))
	}
	return append(problems, mod.check(c.Items)...)
}

// validReferences checks the names of other components that a document uses.
func validReferences(c *manifest.Component, all []manifest.Component, uses map[string][]string) []manifest.Problem {
	var problems []manifest.Problem
	has := func(name, category string) bool {
		return slices.ContainsFunc(all, func(o manifest.Component) bool { return o.Name == name && o.Category() == category })
	}
	needsSecrets := slices.ContainsFunc(c.Items, func(it manifest.Item) bool { return it.Secret != nil })
	if needsSecrets && !has(c.SecretStore, "secretstores") {
		if c.SecretStore == "" {
			problems = append(problems, c.Problem("it refers to a secret and has no auth.secretStore; name the secretstores component to read it from"))
		} else {
			problems = append(problems, c.Problem("the secret store %q is not configured", c.SecretStore))
		}
	}
	for _, name := range uses[c.Name] {
		if !has(name, "state") {
			problems = append(problems, c.Problem("it uses %s, which is not configured", name))
		}
	}
	if path := cyclePath(c.Name, uses); path != nil {
		problems = append(problems, c.Problem("it uses itself: %s", strings.Join(path, " -> ")))
	}
	return problems
}

// cyclePath returns the way from name back to itself, or nil.
func cyclePath(name string, uses map[string][]string) []string {
	seen := map[string]bool{}
	var walk func(at string) []string
	walk = func(at string) []string {
		for _, next := range uses[at] {
			if next == name {
				return []string{at, name}
			}
			if !seen[next] {
				seen[next] = true
				if path := walk(next); path != nil {
					return append([]string{at}, path...)
				}
			}
		}
		return nil
	}
	return walk(name)
}

// at fills in where a problem is, if it does not say.
func at(c *manifest.Component, problems []manifest.Problem) []manifest.Problem {
	for i := range problems {
		if problems[i].Pos.File == "" {
			problems[i].Pos = c.Pos
		}
		problems[i].Component = cmp.Or(problems[i].Component, c.Name)
	}
	return problems
}

func public(problems []manifest.Problem) []Problem {
	var out []Problem
	for _, p := range problems {
		out = append(out, Problem{p.Pos.File, p.Pos.Line, p.Pos.Column, p.Component, p.Msg})
	}
	return out
}
