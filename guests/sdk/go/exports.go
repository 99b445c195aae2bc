//go:build tinygo || wasip1

package sdk

import "github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"

// The exports that every store has; package optional has the others.

//go:wasmexport ws_open
func wsOpen(version, want uint32) uint64 { return module.The.Open(version, want) }

//go:wasmexport ws_init
func wsInit(n uint32) uint64 { return module.The.Init(n) }

//go:wasmexport ws_get
func wsGet(n uint32) uint64 { return module.The.Get(n) }

//go:wasmexport ws_set
func wsSet(n uint32) uint64 { return module.The.Set(n) }

//go:wasmexport ws_delete
func wsDelete(n uint32) uint64 { return module.The.Delete(n) }

//go:wasmexport ws_ping
func wsPing(uint32) uint64 { return module.The.Ping() }

//go:wasmexport ws_idle
func wsIdle(uint32) uint64 { return module.The.Idle() }

//go:wasmexport ws_close
func wsClose(uint32) uint64 { return module.The.Close() }
