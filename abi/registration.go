package abi

// Registration announces a store type to a registry.
type Registration struct {
	// Name is the full type, such as "state.sqlite"; compared without regard
	// to case.
	Name string
	// Aliases are further full types that mean the same store.
	Aliases []string
	// Versions are the versions that New serves. nil means an unversioned
	// store, which answers for "", "v0" and "v1". A type with several layouts
	// has one registration for each; the first is the default.
	Versions []string
	// New creates a store that is not yet initialised.
	New Factory
}
