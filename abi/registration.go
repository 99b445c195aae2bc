package abi

// Registration announces a store type to a registry. A value: the slices in it
// are shared and must not be changed.
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
	// Properties are the metadata properties that the store understands. A name
	// that is not listed is an error with a suggestion; the values of those marked
	// secret are shown nowhere. Empty and not nil means that there are none; nil
	// that nothing is known, and everything is taken.
	Properties []Property
	// New creates a store that is not yet initialised. It is called once each
	// time a component comes up.
	New Factory
}
