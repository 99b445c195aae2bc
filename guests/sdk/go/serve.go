package sdk

import (
	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/guests/sdk/go/internal/module"
)

// Serve makes store the store of this module. Call it once, from an init
// function: main does not run in a module. The last call wins.
func Serve(store abi.Store) { module.The.Store = store }

// Idler is implemented by stores that have work for the time between
// operations, such as removing expired entries. Keep it short: nobody is
// served meanwhile.
type Idler interface{ Idle() }

// StepIdler is an [Idler] with more work than fits into a moment: IdleStep does
// a bounded part of it and reports whether more is left. It is called again
// soon then, and callers that wait are served in between.
type StepIdler interface{ IdleStep() (more bool) }
