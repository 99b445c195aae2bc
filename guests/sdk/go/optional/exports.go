//go:build tinygo || wasip1

package optional

import "github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"

//go:wasmexport ws_bulk_get
func wsBulkGet(n uint32) uint64 { return module.The.BulkGet(n) }

//go:wasmexport ws_bulk_write
func wsBulkWrite(n uint32) uint64 { return module.The.BulkWrite(n) }

//go:wasmexport ws_transact
func wsTransact(n uint32) uint64 { return module.The.Transact(n) }

//go:wasmexport ws_keys
func wsKeys(n uint32) uint64 { return module.The.Keys(n) }

//go:wasmexport ws_export
func wsExport(n uint32) uint64 { return module.The.Export(n) }

//go:wasmexport ws_import
func wsImport(n uint32) uint64 { return module.The.Import(n) }
