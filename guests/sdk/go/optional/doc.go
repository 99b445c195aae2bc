// Package optional exports the optional operations of a store: bulk
// operations, transactions, listing, export and import. Import it for its
// effect beside package sdk:
//
//	import _ "github.com/wasmstate/wasmstate/guests/sdk/go/optional"
//
// It is apart because a module would carry the code for them, some 8 KB,
// whether its store has them or not. A store without them needs no import; a
// manifest that declares a feature whose export is missing is refused.
package optional
