// Package abi is the contract between the wasmstate runtime and a state store.
//
// A store is a Go type in the binary or a sandboxed WebAssembly module. Both
// implement [Store] and any of the optional interfaces ([Transactor],
// [BulkGetter], [BulkWriter], [Lister], [PrefixDeleter], [Pinger], [Exporter],
// [Importer]); both are proven by the same suite, package storetest.
//
// # Two phases
//
// A store is created by a [Factory], which must not block or fail, and then
// initialised once by [Store.Init]. Everything that can fail or block, such as
// opening a file or dialling a server, belongs into Init.
//
// # Bytes
//
// Keys, values, etags and content types are []byte. Slices in a request belong
// to the caller and are valid only until the call returns: a store copies what
// it keeps. Slices in a response belong to the caller too: a store appends to
// them and never keeps them. Nothing is shared after a call returns, in either
// direction.
//
// # Concurrency
//
// Every method of a store except Init may be called from many goroutines at
// once, Close included.
//
// # WebAssembly
//
// The wire codec of ABI version 1 is in wire.go; SPEC.md beside it is the
// specification for authors in any language, and testdata/vectors holds golden
// messages that every SDK reads in its tests.
//
// The package imports the standard library only, and neither fmt, reflect nor
// encoding/json, because guests link it.
package abi
