// Package sandbox runs WebAssembly modules as stores: it reads a module, checks
// it, bounds what it may use, and opens it as an [abi.Store]. It knows no
// component files, no servers and no reload; package runtime adds those.
//
//	sb, err := sandbox.New(sandbox.Options{})
//	…
//	store, err := sb.Open(ctx, wasm, sandbox.Config{Component: "orders"})
//	…
//	err = store.Init(ctx, abi.Metadata{Name: "orders"})
//
// A module is parsed and hashed once, by [Sandbox.Parse]; the [Module] that comes
// out is what is checked, inspected and opened. What a guest does wrong is a
// [*abi.Fault]; what it may call is in hostfuncs.
//
//	internal/wasmbin   core wasm: limits, manifest section, fuel. No wazero
//	internal/engine    wazero: compile cache, memory, instances, pools, deadlines
//	internal/wasmstore a guest as a store: encode, call, decode
package sandbox
