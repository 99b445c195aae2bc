// Package tcp is the capability wasmstate_tcp: connections to endpoints that
// the operator has granted, as in `tcp: ["redis.internal:6379"]`. A module that
// imports it asks for the capability: say why in the manifest.
//
// A [Conn] outlives the operation that opened it: keep it in the store. It ends
// with the instance, after 5 minutes without use, and when an operation is
// given up in the middle of a call; reads and writes then fail, and the store
// connects again.
//
// Under standard Go a Conn is a net.Conn and [DialContext] the hook that client
// libraries take, so that they can be compiled in. A call waits in the host and
// every goroutine of the module with it: a library that sends a request and
// then reads the answer works, one that reads in a goroutine of its own, as
// net/http does, waits for an answer to what it has not sent. Such modules are
// large. Under TinyGo a Conn has the same methods but those that return
// addresses. Outside of a module the package uses the machine's network.
//
// A Conn is not safe for concurrent use.
package tcp
