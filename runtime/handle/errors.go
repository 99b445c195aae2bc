// Package handle holds the errors of a component's handle, runtime.Store: every
// error of a call is [abi.ErrNotFound] itself or an [*OpError] that wraps what
// the store or the handle had to say. abi.CodeOf gives the code of each, and
// errors.As reaches them:
//
//	var op *handle.OpError
//	if errors.As(err, &op) && abi.CodeOf(err) == abi.CodeUnavailable {
//		log.Printf("%s of %q in %s is to be tried again", op.Op, op.Key, op.Component)
//	}
package handle

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// OpError is the error of one call on a handle: the store's error with the
// component, the operation and the key. No secret of the component is in its
// text.
type OpError struct {
	Component string
	Op        Op
	Key       string // the client's key; empty for calls on no single key
	Err       error
}

// Error reads like `set "order-1" in component "orders": etag mismatch`.
func (e *OpError) Error() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(e.Op.String(), "_", " "))
	if e.Key != "" {
		b.WriteByte(' ')
		b.WriteString(strconv.Quote(clip(e.Key, 128)))
	}
	b.WriteString(" in component ")
	b.WriteString(strconv.Quote(e.Component))
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns the store's error.
func (e *OpError) Unwrap() error { return e.Err }

// NotFoundError says that no component has the name.
type NotFoundError struct {
	Name       string
	Configured bool   // whether there are other components at all
	Near       string // the nearest name there is, if one is near
}

// Error names the nearest component, if there is one.
func (e *NotFoundError) Error() string {
	switch {
	case !e.Configured:
		return fmt.Sprintf("state store %s is not configured", e.Name)
	case e.Near != "":
		return fmt.Sprintf("state store %s is not found; did you mean %s?", e.Name, e.Near)
	}
	return fmt.Sprintf("state store %s is not found", e.Name)
}

// TooManyOpsError says that a transaction is larger than the store takes.
type TooManyOpsError struct {
	Component string
	Ops, Max  int
}

// Error names both numbers.
func (e *TooManyOpsError) Error() string {
	return fmt.Sprintf("the transaction contains %d operations, which is more than what component %s supports: %d", e.Ops, e.Component, e.Max)
}

// Unwrap makes it an invalid argument.
func (e *TooManyOpsError) Unwrap() error { return abi.ErrInvalidArgument }

// UnsupportedError says that a store does not offer what was asked for.
type UnsupportedError struct {
	Component string
	Feature   abi.Features
}

// Error names the feature.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("component %s does not support %s", e.Component, e.Feature)
}

// Unwrap makes it abi.ErrUnsupported.
func (e *UnsupportedError) Unwrap() error { return abi.ErrUnsupported }

// IllegalKeyError says why a client's key is refused.
type IllegalKeyError struct{ Key, Why string }

// Error quotes the key.
func (e *IllegalKeyError) Error() string {
	return "input key/keyPrefix '" + clip(e.Key, 128) + "' " + e.Why
}

// Unwrap makes it an invalid argument.
func (e *IllegalKeyError) Unwrap() error { return abi.ErrInvalidArgument }

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
