// Package component is the live set of state stores: it creates, initialises,
// publishes, swaps, drains and closes them, and offers each as a portable
// handle.
//
//   - [Registry] knows the store types.
//   - [Set] runs one component per name from its desired [Spec]. A change is a
//     transaction: the new store is created, initialised, pinged and given the
//     old one's state before it is swapped in; the old one is closed after its
//     last lease. Whatever fails before the swap leaves the old one serving.
//   - [Store] is the handle that servers and embedders hold. It survives
//     reloads: each call takes a lease on the current generation.
//
// The package knows the store contract and nothing of files, WebAssembly, HTTP
// or metrics.
package component
