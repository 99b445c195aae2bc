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
//	loader       files -> desired components; type sources; run and validate
//	component    the live set, the portable handle, the chain of each generation
//	watch        something changed in this folder
//	stateapi     Dapr's state API without a wire format: words, limits, errors
//	httpapi      its decoder for HTTP
//	admin        what operators ask
//	metrics      Prometheus
//	serve        listeners, and what they bound
//
// The errors and the status of a handle are in package handle, modules as stores
// in package sandbox.
package runtime
