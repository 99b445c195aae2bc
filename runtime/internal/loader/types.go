package loader

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// TypeSource knows store types: those built in, those of dropped modules, and
// whatever else types may come from. Safe for concurrent use.
type TypeSource interface {
	// Type finds what serves a component type in a version; "" is the default
	// version. Names are compared without regard to case. A type that the source
	// does not know is nil without an error; a version that it does not know is an
	// error with those it does.
	Type(name, version string) (Type, error)
	// Types lists the names that the source knows, aliases included, in lower case.
	Types() []string
}

// Type makes the stores of one component type, from what can be known before a
// component comes up. A value that does not change: a type that does is another
// one, with another Digest.
type Type interface {
	// Digest changes when the stores made of the type would change; "" for what is
	// built in.
	Digest() string
	// Check finds what is wrong with a component of this type, without secrets and
	// without the outside world.
	Check(c *manifest.Component) []manifest.Problem
	// CheckItems finds what is wrong with the properties of a component, before and
	// after secrets and templates are filled in.
	CheckItems(c *manifest.Component, items []manifest.Item) []manifest.Problem
	// Secrets are the values of resolved properties that the type calls secret.
	Secrets(items []manifest.Item) []string
	// Open makes a store that is not yet initialised. secrets are never to be shown
	// by it.
	Open(ctx context.Context, c *manifest.Component, secrets []string) (abi.Store, error)
}

// typeOf finds the type of a component. A type that nobody knows is an error
// that suggests the nearest name.
func (l *Loader) typeOf(c *manifest.Component, r *reading) (Type, error) {
	if strings.EqualFold(c.Type, wasmType) {
		m, err := l.modules.named(c, r)
		if err != nil {
			return nil, err
		}
		return &moduleType{l, m}, nil
	}
	var known []string
	for _, source := range l.sources {
		t, err := source.Type(c.Type, c.Version)
		if t != nil || err != nil {
			return t, err
		}
		known = append(known, source.Types()...)
	}
	known = append(known, wasmType)
	if near := text.Nearest(strings.ToLower(c.Type), known); near != "" {
		return nil, fmt.Errorf("couldn't find state store %s; did you mean %s?", text.Clip(c.Type, maxShown), near)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("couldn't find state store %s; known are %s", text.Clip(c.Type, maxShown), strings.Join(slices.Compact(known), ", "))
}

// maxShown is how many bytes of a name from a file an error repeats.
const maxShown = 80
