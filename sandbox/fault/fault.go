// Package fault is the error of a guest that misbehaved, as opposed to an error
// that a guest reported in the regular way: a trap, a missed deadline, a refused
// allocation, a broken rule of the ABI, a module that was refused.
//
//	var f *fault.Error
//	if errors.As(err, &f) && f.Kind == fault.Deadline {
//		…
//	}
package fault

import (
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// Kind says what went wrong with a guest.
type Kind uint8

// The kinds of a [Error].
const (
	Trap     Kind = iota + 1 // the guest trapped: unreachable, out of bounds, stack overflow, …
	Deadline                 // the guest was stopped because its time or its caller's was up
	Memory                   // the guest trapped after it was refused memory
	ABI                      // the guest broke the rules of the ABI
	Load                     // the module was refused before any of its code ran
	Exit                     // the guest ended itself (proc_exit)
	Down                     // the guest failed again and again and is not tried at the moment
)

// String is the kind as metrics and logs show it.
func (k Kind) String() string {
	switch k {
	case Trap:
		return "trap"
	case Deadline:
		return "deadline"
	case Memory:
		return "memory"
	case ABI:
		return "abi"
	case Load:
		return "load"
	case Exit:
		return "exit"
	case Down:
		return "down"
	}
	return "unknown"
}

// Error is a fault of a guest, as opposed to an error that a guest
// reported in the regular way. Reach it with errors.As.
//
// abi.CodeOf gives CodeTimeout or CodeCancelled for Deadline, CodeQuota for
// Memory, CodeUnavailable for Down, CodeInvalidArgument for Load,
// else CodeInternal.
type Error struct {
	Kind      Kind
	Component string
	Op        string   // the export that ran; empty when none did
	Msg       string   // what happened, for people; guest text in it is bounded and harmless
	Stack     []string // the guest's call stack, innermost first; at most 16 lines
	Err       error    // the cause; may be nil
}

// Error is one line: component, operation, what happened and where in the guest.
func (e *Error) Error() string {
	var b strings.Builder
	if b.WriteString("guest"); e.Component != "" {
		b.WriteString(" of component " + e.Component)
	}
	if e.Op != "" {
		b.WriteString(": ")
		b.WriteString(e.Op)
	}
	b.WriteString(": ")
	b.WriteString(e.Msg)
	for i, f := range e.Stack {
		if i == 0 {
			b.WriteString(" (in ")
		} else {
			b.WriteString(" < ")
		}
		if i == 4 && len(e.Stack) > 5 {
			b.WriteString("…")
			break
		}
		b.WriteString(f)
	}
	if len(e.Stack) > 0 {
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap makes errors.Is and abi.CodeOf see the cause.
func (e *Error) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	switch e.Kind {
	case Memory:
		return abi.ErrQuota
	case Down:
		return abi.ErrUnavailable
	case Load:
		return abi.ErrInvalidArgument
	}
	return abi.ErrInternal
}
