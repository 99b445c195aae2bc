package hostfuncs

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// newRandom returns the random source of one instance. With a seed every
// instance gets its own sequence, by the order in which they are made, because
// guests rely on two instances not drawing the same numbers.
func (h *Host) newRandom() io.Reader {
	n := h.instances.Add(1)
	if h.cfg.Seed == nil {
		return rand.Reader
	}
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(*h.cfg.Seed))
	binary.LittleEndian.PutUint64(seed[8:], n)
	return mathrand.NewChaCha8(seed)
}

// randomPiece is how many bytes are drawn between two looks at the clock.
const randomPiece = 64 << 10

// randomFill is fill(out, out_len).
func randomFill(s *State, m api.Memory, p []uint64) uint64 {
	dst, valid := view(m, p[0], p[1])
	if !valid {
		return fail(abi.CodeInvalidArgument)
	}
	if !s.move(len(dst)) {
		return fail(abi.CodeQuota)
	}
	for len(dst) > 0 { // by pieces: all of a large memory takes a while
		if err := s.op.Err(); err != nil {
			return failWith(err)
		}
		n := min(len(dst), randomPiece)
		if _, err := io.ReadFull(s.random, dst[:n]); err != nil {
			return fail(abi.CodeInternal)
		}
		dst = dst[n:]
	}
	return success(0)
}
