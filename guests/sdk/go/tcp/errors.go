package tcp

import "github.com/wasmstate/wasmstate/abi"

// timeoutError has the methods of net.Error, by which client libraries tell
// timeouts, and wraps an *abi.Error.
type timeoutError struct{ err *abi.Error }

func (e *timeoutError) Error() string   { return e.err.Error() }
func (e *timeoutError) Unwrap() error   { return e.err }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }
