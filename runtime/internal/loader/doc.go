// Package loader turns component files into what the live set should be.
//
// There is one walk over the documents (walk.go) with two readers: [Loader.Plan]
// for a runtime, [Loader.Validate] for people who ask beforehand. Both see the
// same components, types and problems, so that what one accepts the other
// accepts; only what needs the outside world (secrets, the environment, a
// backend) is left to the start.
//
//	files -> manifest.Load -> walk -> Plan     -> []component.Spec -> the live set
//	                   modules ^   \-> Validate -> Validation
//
// A component's type is looked up in type sources, in this order: the registry of
// native stores, then the modules dropped in the folders; a state.wasm component
// names its module itself. See [TypeSource].
package loader
