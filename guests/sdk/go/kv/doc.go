// Package kv is the capability wasmstate_kv: buckets of keys that another
// component of the same runtime keeps. A module that imports it asks for the
// capability: say why in the manifest, and the operator binds each label to a
// component in the sandbox, as in `kv: {data: localdb}`.
//
// Outside of a module a bucket is whatever store [Provide] was given, so that a
// store that uses buckets is tested natively.
//
// The rules of the operations are those of abi.Store, so that etags,
// first-write and expiry of the component behind are at hand. Keys are at most
// 8 KiB. Nothing here is safe for concurrent use.
package kv
