package hostfuncs

import (
	"context"
	mrand "math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// The price of host calls: so many units of fuel each, and one unit for every
// so many bytes moved, so that a loop of cheap host calls ends as one of
// instructions does.
const (
	callPrice    = 64
	bytesPerFuel = 16
)

// State is what one instance has open: handles, counters and the operation in
// progress. Used by one goroutine at a time.
type State struct {
	host     *Host
	ctx      context.Context // of the operation in progress
	deadline time.Time
	calls    int64     // host calls of the operation
	bytes    int64     // bytes moved by them
	out      [2][]byte // lines printed in part, of file descriptors 1 and 2
	seeded   *mrand.Rand

	// Fuel is charged by host calls; the engine takes it off the guest's
	// counter at the next refill.
	Fuel int64
}

// NewState returns the state of a new instance.
func (h *Host) NewState() *State { return &State{host: h} }

// Begin starts an operation. Host calls end by deadline at the latest; ctx is
// the caller's.
func (s *State) Begin(ctx context.Context, deadline time.Time) {
	s.ctx, s.deadline = ctx, deadline
	s.calls, s.bytes = 0, 0
}

// End finishes the operation.
func (s *State) End() { s.ctx = nil }

// Close releases every handle of the instance. Idempotent.
func (s *State) Close() error { return nil }

// LimitError ends a guest that makes too many host calls in one operation, or
// moves too many bytes.
type LimitError struct{ What string }

// Error says which limit it was.
func (e *LimitError) Error() string {
	return "the guest exceeded the limit of " + e.What + " in one operation"
}

func (s *State) charge() {
	s.Fuel += callPrice
	if s.calls++; s.calls > s.host.cfg.MaxCalls {
		panic(&LimitError{"host calls (sandbox.maxHostCalls)"})
	}
}

func (s *State) moved(n int) {
	s.Fuel += int64(n) / bytesPerFuel
	if s.bytes += int64(n); s.bytes > s.host.cfg.MaxBytes {
		panic(&LimitError{"bytes moved by host calls (sandbox.maxHostBytes)"})
	}
}

// stateKey is the context key of the State.
type stateKey struct{}

// Key is the context key under which the engine's call context answers the
// instance's *State, without allocating.
func Key() any { return stateKey{} }

// FromContext returns the state of the calling instance; nil outside of a call.
func FromContext(ctx context.Context) *State {
	s, _ := ctx.Value(stateKey{}).(*State)
	return s
}

// view returns n bytes of guest memory at ptr, or false if they are not all in
// it. The view is valid until the guest runs again.
func view(mem api.Memory, ptr, n uint64) ([]byte, bool) {
	ptr, n = uint64(uint32(ptr)), uint64(uint32(n))
	if n == 0 {
		return nil, true
	}
	if mem == nil || ptr+n > uint64(mem.Size()) {
		return nil, false
	}
	return mem.Read(uint32(ptr), uint32(n))
}

// give writes value into the guest's buffer if it fits, and returns the packed
// result: the code in the high, the full length in the low 32 bits.
func (s *State) give(mem api.Memory, value []byte, ptr, capacity uint64) uint64 {
	if uint64(len(value)) > uint64(uint32(capacity)) {
		return abi.Pack(abi.CodeOK, uint32(len(value)))
	}
	dst, ok := view(mem, ptr, uint64(len(value)))
	if !ok {
		return abi.Pack(abi.CodeInvalidArgument, 0)
	}
	s.moved(len(value))
	copy(dst, value)
	return abi.Pack(abi.CodeOK, uint32(len(value)))
}
