package hostfuncs

import (
	"crypto/rand"
	mrand "math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// clockFunctions: now() -> i64 is the Unix time in nanoseconds, rounded down to
// the resolution; monotonic() -> i64 counts nanoseconds from an arbitrary
// start, with the same resolution.
func clockFunctions() []function {
	return []function{
		{"now", nil, []api.ValueType{i64}, func(s *State, _ api.Memory, st []uint64) { st[0] = uint64(s.host.now()) }},
		{"monotonic", nil, []api.ValueType{i64}, func(s *State, _ api.Memory, st []uint64) { st[0] = uint64(s.host.monotonic()) }},
	}
}

func (h *Host) now() int64 {
	t := time.Now().UnixNano()
	return t - t%int64(h.cfg.ClockResolution)
}

func (h *Host) monotonic() int64 { return int64(time.Since(h.start).Truncate(h.cfg.ClockResolution)) }

// maxRandom is the most random bytes that one call returns.
const maxRandom = 1 << 20

// randomFunctions: fill(ptr, len) -> code fills at most 1 MiB with random
// bytes from the system's source.
func randomFunctions() []function {
	return []function{{"fill", []api.ValueType{i32, i32}, []api.ValueType{i64}, func(s *State, mem api.Memory, st []uint64) {
		st[0] = abi.Pack(s.random(mem, st[0], st[1]), 0)
	}}}
}

func (s *State) random(mem api.Memory, ptr, n uint64) abi.Code {
	b, ok := view(mem, ptr, n)
	switch {
	case !ok:
		return abi.CodeInvalidArgument
	case len(b) > maxRandom:
		return abi.CodeTooLarge
	}
	s.moved(len(b))
	if s.host.cfg.Seed == nil {
		_, _ = rand.Read(b) // never fails
		return abi.CodeOK
	}
	if s.seeded == nil {
		s.seeded = mrand.New(mrand.NewPCG(uint64(*s.host.cfg.Seed), 0))
	}
	for i := range b {
		b[i] = byte(s.seeded.Uint32())
	}
	return abi.CodeOK
}
