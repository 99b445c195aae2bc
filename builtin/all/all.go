// Package all is the list of the stores that the wasmstate binary links. An
// embedder who wants fewer lists the ones it wants instead.
package all

import (
	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
)

// States returns the registrations of every built-in store.
func States() []abi.Registration {
	return []abi.Registration{
		memstore.Registration(),
		sqlitestore.Registration(),
	}
}
