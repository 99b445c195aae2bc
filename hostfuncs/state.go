package hostfuncs

import (
	"context"
	"io"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// State is what one instance has open: handles, counters and the operation in
// progress. Used by one goroutine at a time.
type State struct {
	host *Host
	op   *opContext // the operation in progress

	// Fuel is charged by host calls; the engine takes it off the guest's
	// counter at the next refill.
	Fuel int64

	calls, bytes int64 // of the operation
	random       io.Reader
	output       [2]outputLine // of descriptors 1 and 2
	kv           *kvState
	exchanges    handles[*exchange] // end with the operation
	conns        handles[*conn]     // live on
}

// NewState returns the state of a new instance.
func (h *Host) NewState() *State {
	return &State{host: h, op: &opContext{}, kv: &kvState{}, random: h.newRandom()}
}

// Begin starts an operation. Host calls end by deadline at the latest (zero =
// the deadline of ctx, if any); ctx is the caller's. It is asked for its end
// only and not kept beyond End.
func (s *State) Begin(ctx context.Context, deadline time.Time) { s.op.begin(ctx, deadline) }

// End finishes the operation: per-operation counters are reset and what may
// not outlive an operation is closed.
func (s *State) End() {
	s.calls, s.bytes = 0, 0
	s.flushOutput()
	s.exchanges.closeAll()
	s.endKV()
	if s.op.end() {
		s.op = &opContext{}
	}
}

// Close releases every handle of the instance. Idempotent.
func (s *State) Close() error {
	s.exchanges.closeAll()
	s.conns.closeAll()
	return nil
}

// take counts one call and reports whether the operation may make it.
func (s *State) take() bool {
	s.calls++
	return s.calls <= s.host.cfg.MaxCalls
}

// LimitError ends a guest that goes on making host calls beyond the limit of an
// operation.
type LimitError struct{}

// Error says which limit it was.
func (e *LimitError) Error() string {
	return "the guest exceeded the limit of host calls in one operation (sandbox.maxHostCalls)"
}

// move counts n bytes and reports whether the operation may move them.
func (s *State) move(n int) bool {
	if int64(n) > s.host.cfg.MaxBytes-s.bytes {
		return false
	}
	s.bytes += int64(n)
	return true
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

// handles are the open things of an instance, by the numbers that its guest
// knows. The zero value is empty.
type handles[T interface{ close() }] struct {
	open map[uint32]T
	last uint32
}

// add returns the number of v, or a failure if there are limit already, in
// which case v is closed.
func (h *handles[T]) add(v T, limit int) uint64 {
	if len(h.open) >= limit {
		v.close()
		return fail(abi.CodeQuota)
	}
	if h.open == nil {
		h.open = map[uint32]T{}
	}
	for {
		h.last++
		if _, taken := h.open[h.last]; h.last != 0 && !taken {
			h.open[h.last] = v
			return success(uint64(h.last))
		}
	}
}

func (h *handles[T]) get(n uint64) (T, bool) {
	v, found := h.open[uint32(n)]
	return v, found
}

func (h *handles[T]) close(n uint64) uint64 {
	v, found := h.open[uint32(n)]
	if !found {
		return fail(abi.CodeInvalidArgument)
	}
	delete(h.open, uint32(n))
	v.close()
	return success(0)
}

func (h *handles[T]) closeAll() {
	for n, v := range h.open {
		delete(h.open, n)
		v.close()
	}
}
