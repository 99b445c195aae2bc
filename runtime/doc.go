// Package runtime is wasmstate as a library: a registry of store types, a live
// set of components read from files, WebAssembly stores in a sandbox, hot
// reload, and the servers of the command.
//
//	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{"components"}}, runtime.WithStates(all.States()...))
//	…
//	go rt.Run(ctx)
//	orders, err := rt.Store("orders")
//
// The package wires; the parts are in internal:
//
//	manifest     component files -> typed, validated values
//	secretstore  where secretKeyRef points to
//	component    the live set and the portable handle
//	wasmbin      core wasm: limits, manifest section, fuel
//	engine       wazero: compile cache, memory, instances, deadlines
//	wasmstore    a guest as a store
//	watch        something changed in this folder
//	httpapi      the state API
//	admin        what operators ask
//	metrics      Prometheus
package runtime
