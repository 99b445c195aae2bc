// Package engine runs untrusted WebAssembly on wazero: it compiles modules
// through a shared cache, keeps instances in bounded pools, gives every
// instance its linear memory from a process-wide budget, and sees to it that a
// guest call ends by its deadline.
//
// The package knows nothing of stores. It is told which exports are operations
// (by index into [Config.Ops]) and calls a set-up function on every fresh
// instance; what the bytes mean is the business of its caller.
//
//	Cache   compiled machine code, in memory and on disk, one compilation per content
//	Budget  how much linear memory the whole process may hand out
//	Guest   one module as one component uses it: a wazero runtime and its pools
//	Call    one operation in progress on one instance; views of guest memory
//	        that it hands out are valid until Done
//
// Three rules keep the process alive. An instance is used by one goroutine at
// a time. Linear memory is unmapped only after its instance was taken out of
// the pool and no call holds it. Whatever goes wrong inside of a guest retires
// its instance: nothing is known of the state of a guest that was stopped half
// way.
package engine
