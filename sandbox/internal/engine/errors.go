package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/text"
)

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
func (in *Instance) fault(err error, op string) (*abi.Fault, Cause) {
	cfg := &in.g.cfg
	g := &abi.Fault{Component: cfg.Component, Op: op}
	denied := in.mem.takeDenied()
	msg, stack := splitTrace(err.Error(), in.g.clean)
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
		g.Kind, g.Msg = abi.FaultExit, in.g.clean(ended.Error())
		return g, CauseTrap
	case errors.As(err, &limit):
		g.Kind, g.Msg = abi.FaultTrap, limit.Error()
		return g, CauseTrap
	case errors.Is(err, errOverflow):
		g.Kind, g.Msg = abi.FaultTrap, "trapped: stack overflow"
		return g, CauseOverflow
	case errors.As(err, &s):
		g.Kind, g.Err = abi.FaultDeadline, s.cause
		g.Msg = "stopped at its deadline"
		if errors.Is(s.cause, context.Canceled) {
			g.Msg = "stopped because the caller gave up"
		}
		return g, CauseDeadline
	case errors.As(err, &exit):
		switch exit.ExitCode() {
		case sys.ExitCodeDeadlineExceeded:
			g.Kind, g.Err, g.Msg = abi.FaultDeadline, context.DeadlineExceeded, "stopped at its deadline"
			return g, CauseDeadline
		case sys.ExitCodeContextCanceled:
			g.Kind, g.Err, g.Msg = abi.FaultDeadline, context.Canceled, "stopped because the caller gave up"
			return g, CauseDeadline
		}
		g.Kind, g.Msg = abi.FaultExit, "ended itself: "+in.g.clean(msg)
		return g, CauseTrap
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		g.Kind, g.Msg = abi.FaultDeadline, "stopped at its deadline"
		g.Err = context.DeadlineExceeded
		if errors.Is(err, context.Canceled) {
			g.Err = context.Canceled
		}
		return g, CauseDeadline
	case denied != denialNone:
		g.Kind, g.Msg = abi.FaultMemory, in.g.describe(denied)+"; then "+in.g.trapText(msg)
		return g, CauseMemory
	}
	g.Kind, g.Msg = abi.FaultTrap, in.g.trapText(msg)
	if strings.Contains(msg, "stack overflow") {
		return g, CauseOverflow
	}
	return g, CauseTrap
}

// describe says why memory was refused, and what the operator can do.
func (g *Guest) describe(d denial) string {
	switch d {
	case denialCap:
		return "out of memory: it is allowed " + text.FormatSize(int64(g.cfg.Memory)) + " (sandbox.memory)"
	case denialShare:
		return "out of memory: its instances together have " + text.FormatSize(g.share.most) +
			", the component's share of the memory of all guests; sandbox.memory and sandbox.instances raise it"
	case denialBudget:
		return "out of memory: the memory budget of all guests, " + text.FormatSize(g.cfg.Budget.Limit()) +
			", is used up; lower sandbox.memory or sandbox.instances of other components, or raise the budget"
	}
	return "out of memory: the operating system refused"
}

// trapText drops wazero's own words around the cause of a trap.
func (g *Guest) trapText(msg string) string {
	msg = strings.TrimPrefix(msg, "wasm error: ")
	msg = strings.TrimSuffix(msg, " (recovered by wazero)")
	return "trapped: " + g.clean(msg)
}

// clean makes a piece of text in which the guest had a hand fit for errors:
// without secrets, harmless, bounded.
func (g *Guest) clean(msg string) string {
	if h := g.cfg.Host; h != nil {
		return h.Clean(msg, maxGuestText)
	}
	return text.Clean(msg, maxGuestText)
}

// splitTrace separates the message of a wazero error from its stack trace,
// whose lines hold function names of the guest's choosing.
func splitTrace(text string, clean func(string) string) (string, []string) {
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
			stack = append(stack, clean(line))
		}
	}
	return text[:i], stack
}
