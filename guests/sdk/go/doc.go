// Package sdk makes a state store written in Go a WebAssembly module for the
// wasmstate runtime. The author implements [abi.Store] and hands a value to
// [Serve]:
//
//	func init() { sdk.Serve(&store{}) }
//
//	func main() {}
//
// The same source builds with TinyGo (recommended: some 10 KB) and with
// standard Go:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o store.wasm .
//
// A store that also implements optional interfaces of package abi (Transactor,
// Lister, Exporter, …) imports package optional beside this one.
//
// On other targets it is an ordinary Go package whose store is tested natively
// with abi/storetest; the host functions of this package then use the machine's
// own clock and random source.
//
// # What the package does for a store
//
// It owns the shared buffer, reads requests, writes responses and turns errors
// into codes. Bulk operations are served by calls of Get, Set and Delete if the
// store does not implement abi.BulkGetter and abi.BulkWriter, so that BULK can
// be declared by every store.
//
// # What a store may rely on
//
// One call at a time: a store needs no locks when it is a module. The slices of
// a request are valid during the call. The context of a call has the deadline
// of the operation; it has no Done channel, because nothing else runs while the
// guest does: ask ctx.Err between the steps of long work. The host enforces the
// deadline whatever the guest does.
//
// # What a store may reach
//
// [Now], [Random] and [Log] are granted to every module, [Config], [Secret],
// [Count] and [Observe] by the operator. Packages kv, http and tcp beside this
// one are the other capabilities; guests/journal and guests/respstore are
// stores made with them. What is not used is not in the module.
//
// # Errors
//
// With TinyGo only the messages of [abi.Error] reach the host: wrap other errors
// with abi.NewError(code, err.Error()).
//
// What the module offers is declared in its manifest; Store.Features should say
// the same.
package sdk
