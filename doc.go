// Package wasmstate is the front door of wasmstate: one state API, and behind it
// stores that are Go packages or sandboxed WebAssembly modules, with one contract
// and one conformance suite. Component files and modules change while it serves.
//
// There are three ways in.
//
// Operators serve a folder of component files over the state API of Dapr:
//
//	wasmstate validate ./components
//	wasmstate run --components-path ./components
//	wasmstate status
//
// docs/operating.md explains files, health and metrics, docs/limits.md every bound.
//
// Go programs use the same registry, stores and reload without a server:
//
//	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{"components"}},
//		runtime.WithStates(all.States()...))
//
// A complete program is examples/embed.
//
// Authors of stores begin with a project that builds and is checked:
//
//	wasmstate new --lang rust mystore && cd mystore && make
//	wasmstate check mystore.wasm
//
// guests/README.md is their book, abi/SPEC.md the wire format, and
// abi/SPEC-hostfuncs.md what a module may call.
//
// # Which package to read
//
//   - abi: the contract of a store: requests, errors, features, and what goes wrong with a module (abi.Fault)
//   - abi/storetest: the suite that every store passes
//   - runtime: components that reload, for a program of your own
//   - runtime/handle: the errors of calls on a component
//   - sandbox: one module as a store, without component files
//   - hostfuncs: what a module may call, and the rules that grant it
//   - builtin/memstore, builtin/sqlitestore: the native stores; builtin/all has both
//
// README.md says what is guaranteed, RATIONALE.md why things are as they are.
//
// This package itself holds only [Sources].
package wasmstate
