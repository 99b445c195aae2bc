// Package hostfuncs is what a guest may call: one file per family (log, clock,
// random, config, secret, metric, kv, http, tcp) and the subset of WASI
// preview 1 that toolchains need. abi/SPEC-hostfuncs.md is the guest's side.
//
// A capability is an import namespace. What is not granted is not linked, so a
// module that wants more fails to load with the whole list of what is missing.
//
// A [Host] holds what one component version may do; a [State] is what one
// instance of it has open. The engine makes one State per instance and
// brackets every guest call with Begin and End.
//
// Every function gets its parameters on wazero's value stack and leaves its
// result there, so that a call neither reflects nor allocates:
//
//	stack     [0]      [1]      [2]      [3]
//	call      name     length   out      capacity      numbers of 32 bits, zero-extended
//	return    code<<32 | full length
//
// Memory belongs to the guest: a view of it is checked by [view], used during
// the call and never kept, because the guest changes it and the engine unmaps
// it. What goes to another goroutine or into a store is copied before.
package hostfuncs
