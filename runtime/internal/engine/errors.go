package engine

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/sys"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
)

// Kind says what went wrong with a guest.
type Kind uint8

// The kinds of a [GuestError].
const (
	KindTrap     Kind = iota + 1 // the guest trapped: unreachable, out of bounds, stack overflow, …
	KindDeadline                 // the guest was stopped because its time or its caller's was up
	KindMemory                   // the guest trapped after it was refused memory
	KindABI                      // the guest broke the rules of the ABI
	KindLoad                     // the module was refused before any of its code ran
	KindExit                     // the guest ended itself (proc_exit)
	KindDown                     // the guest failed again and again and is not tried at the moment
)

// String is the kind as metrics and logs show it.
func (k Kind) String() string {
	switch k {
	case KindTrap:
		return "trap"
	case KindDeadline:
		return "deadline"
	case KindMemory:
		return "memory"
	case KindABI:
		return "abi"
	case KindLoad:
		return "load"
	case KindExit:
		return "exit"
	case KindDown:
		return "down"
	}
	return "unknown"
}

// GuestError is a fault of a guest, as opposed to an error that a guest
// reported in the regular way. Reach it with errors.As.
//
// abi.CodeOf gives CodeTimeout or CodeCancelled for KindDeadline, CodeQuota for
// KindMemory, CodeUnavailable for KindDown, CodeInvalidArgument for KindLoad,
// else CodeInternal.
type GuestError struct {
	Kind      Kind
	Component string
	Op        string   // the export that ran; empty when none did
	Msg       string   // what happened, for people; guest text in it is bounded and sanitised
	Stack     []string // the guest's call stack, innermost first; at most maxFrames lines
	Err       error    // the cause; may be nil
}

// Error is one line: component, operation, what happened and where in the guest.
func (e *GuestError) Error() string {
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
func (e *GuestError) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	switch e.Kind {
	case KindMemory:
		return abi.ErrQuota
	case KindDown:
		return abi.ErrUnavailable
	case KindLoad:
		return abi.ErrInvalidArgument
	}
	return abi.ErrInternal
}

const (
	maxFrames    = 16  // lines of a guest's stack that are kept
	maxGuestText = 200 // bytes of one piece of guest text
)

// stop is what the meter panics with to end a guest. It is one of two values,
// so that stopping does not allocate.
type stop struct{ cause error }

func (s *stop) Error() string { return s.cause.Error() }
func (s *stop) Unwrap() error { return s.cause }

// errReentered is a bug in a host function, never a fault of the guest.
var errReentered = errors.New("engine: guest called while it is running")

// fault translates the error of a wazero call of op. The cause of retirement
// comes with it.
func (in *Instance) fault(err error, op string) (*GuestError, Cause) {
	g, cause := in.classify(err, op)
	if h := in.g.cfg.Host; h != nil {
		g.Msg = h.Redact(g.Msg)
	}
	return g, cause
}

func (in *Instance) classify(err error, op string) (*GuestError, Cause) {
	cfg := &in.g.cfg
	g := &GuestError{Component: cfg.Component, Op: op}
	denied := in.mem.takeDenied()
	text, stack := splitTrace(err.Error())
	if len(stack) > 0 && stack[0] == cfg.Code.RefillModule+"."+cfg.Code.RefillName+"()" {
		stack = stack[1:] // the guest's author knows nothing of it
	}
	g.Stack = stack
	var s *stop
	var exit *sys.ExitError
	var ended *hostfuncs.ExitError
	var limit *hostfuncs.LimitError
	switch {
	case errors.As(err, &ended):
		g.Kind, g.Msg = KindExit, Sanitize(ended.Error(), maxGuestText)
		return g, CauseTrap
	case errors.As(err, &limit):
		g.Kind, g.Msg = KindTrap, limit.Error()
		return g, CauseTrap
	case errors.Is(err, errOverflow):
		g.Kind, g.Msg = KindTrap, "trapped: stack overflow"
		return g, CauseOverflow
	case errors.As(err, &s):
		g.Kind, g.Err = KindDeadline, s.cause
		g.Msg = "stopped at its deadline"
		if errors.Is(s.cause, context.Canceled) {
			g.Msg = "stopped because the caller gave up"
		}
		return g, CauseDeadline
	case errors.As(err, &exit):
		switch exit.ExitCode() {
		case sys.ExitCodeDeadlineExceeded:
			g.Kind, g.Err, g.Msg = KindDeadline, context.DeadlineExceeded, "stopped at its deadline"
			return g, CauseDeadline
		case sys.ExitCodeContextCanceled:
			g.Kind, g.Err, g.Msg = KindDeadline, context.Canceled, "stopped because the caller gave up"
			return g, CauseDeadline
		}
		g.Kind, g.Msg = KindExit, "ended itself: "+Sanitize(text, maxGuestText)
		return g, CauseTrap
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		g.Kind, g.Msg = KindDeadline, "stopped at its deadline"
		g.Err = context.DeadlineExceeded
		if errors.Is(err, context.Canceled) {
			g.Err = context.Canceled
		}
		return g, CauseDeadline
	case denied != denialNone:
		g.Kind, g.Msg = KindMemory, denied.describe(cfg.Memory)+"; then "+trapText(text)
		return g, CauseMemory
	}
	g.Kind, g.Msg = KindTrap, trapText(text)
	if strings.Contains(text, "stack overflow") {
		return g, CauseOverflow
	}
	return g, CauseTrap
}

func (d denial) describe(limit uint64) string {
	switch d {
	case denialCap:
		return "out of memory: it is allowed " + mib(limit)
	case denialBudget:
		return "out of memory: the memory budget of all guests is used up"
	}
	return "out of memory: the operating system refused"
}

func mib(n uint64) string {
	if n%(1<<20) == 0 {
		return itoa(n>>20) + " MiB"
	}
	return itoa(n>>10) + " KiB"
}

// trapText drops wazero's own words around the cause of a trap.
func trapText(text string) string {
	text = strings.TrimPrefix(text, "wasm error: ")
	text = strings.TrimSuffix(text, " (recovered by wazero)")
	return "trapped: " + Sanitize(text, maxGuestText)
}

// splitTrace separates the message of a wazero error from its stack trace,
// whose lines hold function names of the guest's choosing.
func splitTrace(text string) (string, []string) {
	const mark = "\nwasm stack trace:\n\t"
	i := strings.Index(text, mark)
	if i < 0 {
		return text, nil
	}
	var stack []string
	for line := range strings.SplitSeq(text[i+len(mark):], "\n\t") {
		if len(stack) == maxFrames {
			break
		}
		if line, _, _ = strings.Cut(line, "\n"); line != "" {
			line = strings.TrimPrefix(strings.TrimSpace(line), ".") // the empty name of the instance
			stack = append(stack, Sanitize(line, maxGuestText))
		}
	}
	return text[:i], stack
}

// Sanitize makes text of a guest fit for logs and errors: at most limit bytes,
// valid UTF-8, no control characters.
func Sanitize(text string, limit int) string {
	cut := len(text) > limit
	if cut {
		text = text[:limit]
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			if !(cut && len(text)-i < utf8.UTFMax) { // half a rune at the cut is dropped
				b.WriteByte('?')
			}
		case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
		i += n
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}
