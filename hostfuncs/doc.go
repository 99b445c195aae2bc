// Package hostfuncs is what a guest may call: one file per family (log, clock,
// random, config, secret, metric, kv, http, tcp) and the subset of WASI
// preview 1 that toolchains need.
//
// A capability is an import namespace. What is not granted is not linked, so a
// module that wants more fails to load with the whole list of what is missing.
//
// A [Host] holds what one component version may do; a [State] is what one
// instance of it has open. The engine makes one State per instance and
// brackets every guest call with Begin and End.
package hostfuncs
