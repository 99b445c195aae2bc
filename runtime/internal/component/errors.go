package component

import (
	"errors"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
)

func invalid(format string, args ...any) error {
	return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf(format, args...))
}

// ErrClosed says that the runtime has ended.
var ErrClosed = errors.New("the runtime is closed")

// maxReason is how many bytes of an error are kept of a component that fails:
// a store may repeat a value of any size.
const maxReason = 4 << 10

// shortened is err with at most maxReason bytes of text. What it wraps stays.
func shortened(err error) error {
	if err == nil || len(err.Error()) <= maxReason {
		return err
	}
	return &retoldError{text.Clip(err.Error(), maxReason), err}
}

// retoldError is an error with another text: without secrets, or shorter.
type retoldError struct {
	text string
	err  error
}

func (e *retoldError) Error() string { return e.text }

func (e *retoldError) Unwrap() error { return e.err }
