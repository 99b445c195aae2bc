package handle_test

import (
	"errors"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// The code says what to do, the OpError which call it was.
func ExampleOpError() {
	save := func() error { // stands for a call on a runtime.Store
		return &handle.OpError{Component: "orders", Op: handle.Set, Key: "order-1", Err: abi.ErrETagMismatch}
	}
	err := save()
	var op *handle.OpError
	if errors.As(err, &op) {
		fmt.Println(op.Component, op.Op, op.Key)
	}
	fmt.Println(errors.Is(err, abi.ErrETagMismatch), abi.CodeOf(err) == abi.CodeETagMismatch)
	// Output:
	// orders set order-1
	// true true
}
