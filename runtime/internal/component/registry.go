package component

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
)

// Registry knows the store types. Names are compared without regard to case.
// Make one with [NewRegistry]; safe for concurrent use, because a module
// dropped in a folder registers a type while the program runs.
type Registry struct {
	mu    sync.RWMutex
	types map[string][]abi.Registration // by lower-case name or alias; one per layout, first is the default
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{types: map[string][]abi.Registration{}}
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
			have := slices.Concat(r.types[key], added[key])
			for _, other := range have {
				if v, clash := sameVersion(other, reg); clash {
					return fmt.Errorf("register %s %s: the name is taken by %s", name, v, other.Name)
				}
			}
			added[key] = append(added[key], reg)
		}
	}
	for key, list := range added {
		r.types[key] = append(r.types[key], list...)
	}
	return nil
}

// Unregister removes a type and its aliases. Stores made of it live on.
func (r *Registry) Unregister(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, list := range r.types {
		list = slices.DeleteFunc(slices.Clone(list), func(reg abi.Registration) bool { return strings.EqualFold(reg.Name, name) })
		if len(list) == 0 {
			delete(r.types, key)
			continue
		}
		r.types[key] = list
	}
}

// Lookup finds the registration that serves a type in a version; "" is the
// type's default. An unknown type is an error with the nearest known one, an
// unknown version one with the known versions.
func (r *Registry) Lookup(typ, version string) (abi.Registration, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := r.types[strings.ToLower(typ)]
	if len(list) == 0 {
		msg := fmt.Sprintf("couldn't find state store %s", typ)
		if near := text.Nearest(typ, r.names()); near != "" {
			msg += fmt.Sprintf("; did you mean %s?", near)
		} else {
			msg += "; known are " + strings.Join(r.names(), ", ")
		}
		return abi.Registration{}, abi.NewError(abi.CodeInvalidArgument, msg)
	}
	if version == "" {
		return list[0], nil
	}
	var known []string
	for _, reg := range list {
		if slices.ContainsFunc(versionsOf(reg), func(v string) bool { return strings.EqualFold(v, version) }) {
			return reg, nil
		}
		known = append(known, versionsOf(reg)...)
	}
	slices.Sort(known)
	return abi.Registration{}, abi.NewError(abi.CodeInvalidArgument,
		fmt.Sprintf("couldn't find state store %s/%s; its versions are %s", typ, version, strings.Join(slices.Compact(known), ", ")))
}

// Create makes a store of a type, not yet initialised.
func (r *Registry) Create(typ, version string) (abi.Store, error) {
	reg, err := r.Lookup(typ, version)
	if err != nil {
		return nil, err
	}
	return reg.New(), nil
}

// Types lists the registered names and aliases, sorted.
func (r *Registry) Types() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.names()
}

func (r *Registry) names() []string {
	names := make([]string, 0, len(r.types))
	for name := range r.types {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
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
		if slices.Contains(versionsOf(b), v) {
			return v, true
		}
	}
	return "", false
}
