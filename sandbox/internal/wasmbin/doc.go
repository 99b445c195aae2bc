// Package wasmbin reads and rewrites WebAssembly modules without running them:
// core WebAssembly 2.0 with tail calls and extended constant expressions.
//
// [Parse] is the boundary between a file from anywhere and the compiler. It
// checks the structure, every index and the [Limits] of the module, and refuses
// what it does not know by the name of the feature. It does not check the types
// of operands: that is left to the compiler. A parsed module tells its imports,
// exports and manifest.
//
// [Module.Rewrite] adds the meter. A mutable global counts down at every
// function entry and loop head by the number of instructions that this covers;
// below zero an imported function is called, which sets the counter again or
// panics. Instructions that work on whole regions of memory or tables pay by
// length, in pieces that bound how long one takes. Because every index was
// checked against the original module, no code can reach the counter, and a
// module that was not valid is not valid afterwards.
//
// The time and memory of compiling are estimated for the code that Rewrite
// writes, and a module beyond its share is refused by Parse: the compiler can
// be stopped between functions only, and nothing bounds its memory.
//
// Nothing in this package keeps state; a [Module] is not changed after Parse
// and is safe for concurrent use. It refers to the bytes that it was parsed
// from, which must not be changed.
package wasmbin
