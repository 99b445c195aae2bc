// Package wasmstore makes a WebAssembly guest an abi.Store: it encodes a
// request into the guest's shared buffer, makes the one call, checks every
// address of the answer and copies what the caller asked for.
//
// It knows the bytes and not the engine: a guest is whatever satisfies
// [Guest]. Nothing that a guest answers is believed. An answer that breaks the
// rules of abi/SPEC.md retires the instance and is an error for its caller
// alone.
package wasmstore
