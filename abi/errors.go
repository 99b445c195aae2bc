package abi

import (
	"context"
	"errors"
	"strconv"
)

// Code classifies an error. The numbers are part of the wire format.
type Code uint32

// The closed set of codes. A guest that answers any other number violates the ABI.
const (
	CodeOK              Code = 0
	CodeNotFound        Code = 1  // the key is missing or expired
	CodeETagMismatch    Code = 2  // the etag given is not the stored one, or create-only met a key
	CodeETagInvalid     Code = 3  // the etag given cannot be one of this store's
	CodeInvalidArgument Code = 4  // the request is malformed
	CodeUnsupported     Code = 5  // the store does not offer this
	CodeTooLarge        Code = 6  // key, value or batch over the store's limit
	CodeQuota           Code = 7  // storage or budget used up
	CodeRateLimited     Code = 8  // slow down
	CodeTimeout         Code = 9  // the deadline passed
	CodeCancelled       Code = 10 // the caller gave up
	CodeUnavailable     Code = 11 // the backend cannot be reached now; retry may help
	CodePermission      Code = 12 // the backend or the sandbox refused
	CodeCorrupt         Code = 13 // stored data cannot be understood
	CodeInternal        Code = 14 // anything else
	CodeClosed          Code = 15 // the store was closed

	codeEnd Code = 16
)

var codeNames = [codeEnd]string{
	"ok", "not found", "etag mismatch", "invalid etag", "invalid argument", "unsupported", "too large", "quota exceeded",
	"rate limited", "timeout", "cancelled", "unavailable", "permission denied", "corrupt data", "internal error", "closed",
}

// Valid reports whether c is one of the closed set.
func (c Code) Valid() bool { return c < codeEnd }

// String is the code in words, such as "etag mismatch".
func (c Code) String() string {
	if c.Valid() {
		return codeNames[c]
	}
	return "code " + strconv.FormatUint(uint64(c), 10)
}

// Error is an error with a code. Two Errors match under errors.Is if the
// target has the same code and no message, as the sentinels have.
type Error struct {
	Code Code
	Msg  string // what happened, for people; may be empty
	Err  error  // the cause; may be nil
}

// The sentinels, one per code that callers test for.
var (
	ErrNotFound        = &Error{Code: CodeNotFound}
	ErrETagMismatch    = &Error{Code: CodeETagMismatch}
	ErrETagInvalid     = &Error{Code: CodeETagInvalid}
	ErrInvalidArgument = &Error{Code: CodeInvalidArgument}
	ErrUnsupported     = &Error{Code: CodeUnsupported}
	ErrTooLarge        = &Error{Code: CodeTooLarge}
	ErrQuota           = &Error{Code: CodeQuota}
	ErrRateLimited     = &Error{Code: CodeRateLimited}
	ErrUnavailable     = &Error{Code: CodeUnavailable}
	ErrPermission      = &Error{Code: CodePermission}
	ErrCorrupt         = &Error{Code: CodeCorrupt}
	ErrInternal        = &Error{Code: CodeInternal}
	ErrClosed          = &Error{Code: CodeClosed}
)

// NewError returns an error with a code and a message.
func NewError(code Code, msg string) *Error { return &Error{Code: code, Msg: msg} }

// WrapError returns an error with a code, a message and a cause.
func WrapError(code Code, msg string, cause error) *Error {
	return &Error{Code: code, Msg: msg, Err: cause}
}

// Error is the message and the cause, or the code in words.
func (e *Error) Error() string {
	switch {
	case e.Msg == "" && e.Err == nil:
		return e.Code.String()
	case e.Err == nil:
		return e.Msg
	case e.Msg == "":
		return e.Code.String() + ": " + e.Err.Error()
	}
	return e.Msg + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Msg == "" && t.Err == nil
}

// CodeOf returns the code of err: CodeOK for nil, the code of the first
// *Error in the chain, CodeTimeout or CodeCancelled for context errors, else
// CodeInternal.
func CodeOf(err error) Code {
	if err == nil {
		return CodeOK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return CodeTimeout
	}
	if errors.Is(err, context.Canceled) {
		return CodeCancelled
	}
	return CodeInternal
}

// OpError says which operation of a transaction failed.
type OpError struct {
	Index int // of the failing operation, from 0
	Err   error
}

// Error names the operation by its index.
func (e *OpError) Error() string {
	return "operation " + strconv.Itoa(e.Index) + ": " + e.Err.Error()
}

// Unwrap returns the operation's error.
func (e *OpError) Unwrap() error { return e.Err }
