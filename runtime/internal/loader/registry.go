package loader

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// Registry knows the native store types: the [TypeSource] of what is linked into
// the program. The zero value is empty and ready. Names and versions are
// compared without regard to case. Safe for concurrent use: a type may be
// registered while components run.
type Registry struct {
	mu    sync.RWMutex
	types map[string][]abi.Registration // by lower-case name or alias; one per layout, first is the default
}

// Register adds store types. A name or alias that exists in the same version
// is an error that names both; nothing of regs is added then.
func (r *Registry) Register(regs ...abi.Registration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	added := map[string][]abi.Registration{}
	for _, reg := range regs {
		if !strings.HasPrefix(strings.ToLower(reg.Name), "state.") || reg.New == nil {
			return fmt.Errorf("register %q: a store type starts with \"state.\" and has a New function", reg.Name)
		}
		for _, name := range append([]string{reg.Name}, reg.Aliases...) {
			key := strings.ToLower(name)
			for _, other := range slices.Concat(r.types[key], added[key]) {
				if v, clash := sameVersion(other, reg); clash {
					return fmt.Errorf("register %s %s: the name is taken by %s", name, v, other.Name)
				}
			}
			added[key] = append(added[key], reg)
		}
	}
	if r.types == nil {
		r.types = map[string][]abi.Registration{}
	}
	for key, list := range added {
		r.types[key] = append(r.types[key], list...)
	}
	return nil
}

// Lookup finds the registration that serves a type in a version; "" is the
// type's default. An unknown type is an error with the nearest known one, an
// unknown version one with the known versions.
func (r *Registry) Lookup(typ, version string) (abi.Registration, error) {
	reg, err := r.find(typ, version)
	if err != nil {
		return abi.Registration{}, err
	}
	if reg == nil {
		known := r.Types()
		msg := "couldn't find state store " + text.Clip(typ, maxShown)
		if near := text.Nearest(strings.ToLower(typ), known); near != "" {
			msg += "; did you mean " + near + "?"
		} else {
			msg += "; known are " + strings.Join(known, ", ")
		}
		return abi.Registration{}, abi.NewError(abi.CodeInvalidArgument, msg)
	}
	return *reg, nil
}

// find is Lookup with nil for an unknown type.
func (r *Registry) find(typ, version string) (*abi.Registration, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := r.types[strings.ToLower(typ)]
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // nil is the answer
	}
	if version == "" {
		return &list[0], nil
	}
	var known []string
	for i := range list {
		versions := versionsOf(list[i])
		if slices.ContainsFunc(versions, func(v string) bool { return strings.EqualFold(v, version) }) {
			return &list[i], nil
		}
		known = append(known, versions...)
	}
	slices.Sort(known)
	return nil, abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf("state store %s has no version %s; its versions are %s",
		typ, text.Clip(version, maxShown), strings.Join(slices.Compact(known), ", ")))
}

// Create makes a store of a type, not yet initialised.
func (r *Registry) Create(typ, version string) (abi.Store, error) {
	reg, err := r.Lookup(typ, version)
	if err != nil {
		return nil, err
	}
	return reg.New(), nil
}

// Types lists the registered names and aliases in lower case, sorted.
func (r *Registry) Types() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, len(r.types))
	for name := range r.types {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Type implements TypeSource.
func (r *Registry) Type(name, version string) (Type, error) {
	reg, err := r.find(name, version)
	if reg == nil || err != nil {
		return nil, err
	}
	return (*native)(reg), nil
}

// versionsOf is the rule for unversioned types: empty, v0 and v1 mean the same.
func versionsOf(reg abi.Registration) []string {
	if len(reg.Versions) == 0 {
		return []string{"v0", "v1"}
	}
	return reg.Versions
}

func sameVersion(a, b abi.Registration) (string, bool) {
	for _, v := range versionsOf(a) {
		if slices.ContainsFunc(versionsOf(b), func(w string) bool { return strings.EqualFold(v, w) }) {
			return v, true
		}
	}
	return "", false
}

// native is the type of a registration.
type native abi.Registration

// Digest implements Type: what is built in does not change.
func (t *native) Digest() string { return "" }

// Check implements Type.
func (t *native) Check(c *manifest.Component) []manifest.Problem {
	if s := c.Runtime.Sandbox; s != nil {
		return []manifest.Problem{{Pos: s.Pos, Msg: "the item sandbox is for WebAssembly modules; " + c.Type + " is built in: remove the item"}}
	}
	return nil
}

// CheckItems implements Type by the description of the type.
func (t *native) CheckItems(_ *manifest.Component, items []manifest.Item) []manifest.Problem {
	return manifest.CheckProperties(t.Properties, items)
}

// Secrets implements Type.
func (t *native) Secrets(items []manifest.Item) []string {
	return manifest.SecretValues(t.Properties, items)
}

// Open implements Type.
func (t *native) Open(context.Context, *manifest.Component, []string) (abi.Store, error) {
	return t.New(), nil
}
