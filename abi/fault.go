package abi

import "strings"

// FaultKind says what went wrong with a guest.
type FaultKind uint8

// The kinds of a [Fault].
const (
	FaultTrap     FaultKind = iota + 1 // the guest trapped: unreachable, out of bounds, stack overflow, …
	FaultDeadline                      // the guest was stopped because its time or its caller's was up
	FaultMemory                        // the guest trapped after it was refused memory
	FaultABI                           // the guest broke the rules of the ABI
	FaultLoad                          // the module was refused before any of its code ran
	FaultExit                          // the guest ended itself (proc_exit)
	FaultDown                          // the guest failed again and again and is not tried at the moment
)

// String is the kind as metrics and logs show it.
func (k FaultKind) String() string {
	switch k {
	case FaultTrap:
		return "trap"
	case FaultDeadline:
		return "deadline"
	case FaultMemory:
		return "memory"
	case FaultABI:
		return "abi"
	case FaultLoad:
		return "load"
	case FaultExit:
		return "exit"
	case FaultDown:
		return "down"
	}
	return "unknown"
}

// Fault is an error of a guest, as opposed to an error that a guest
// reported in the regular way: a trap, a missed deadline, a refused allocation, a
// broken rule of the ABI, a module that was refused. Reach it with errors.As:
//
//	var f *abi.Fault
//	if errors.As(err, &f) && f.Kind == abi.FaultDeadline {
//		…
//	}
//
// CodeOf gives CodeTimeout or CodeCancelled for FaultDeadline, CodeQuota for
// FaultMemory, CodeUnavailable for FaultDown, CodeInvalidArgument for FaultLoad,
// else CodeInternal.
type Fault struct {
	Kind      FaultKind
	Component string
	Op        string   // the export that ran; empty when none did
	Msg       string   // what happened, for people; guest text in it is bounded and harmless
	Stack     []string // the guest's call stack, innermost first; at most 16 lines
	Err       error    // the cause; may be nil
}

// Error is one line: component, operation, what happened and where in the guest.
func (e *Fault) Error() string {
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

// Unwrap makes errors.Is and CodeOf see the cause.
func (e *Fault) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	switch e.Kind {
	case FaultMemory:
		return ErrQuota
	case FaultDown:
		return ErrUnavailable
	case FaultLoad:
		return ErrInvalidArgument
	}
	return ErrInternal
}
