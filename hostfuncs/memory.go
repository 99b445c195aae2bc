package hostfuncs

import (
	"encoding/binary"
	"errors"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

var le = binary.LittleEndian

// view returns the n bytes of guest memory at ptr, or false if they are not all
// in it. Both are 32-bit parameters as they lie on the stack. Every pointer of
// a guest goes through here. The bytes are the guest's: they are valid during
// the host call and must not be kept.
//
//	0            ptr          ptr+n              size
//	|-------------|=============|------------------|
func view(m api.Memory, ptr, n uint64) ([]byte, bool) {
	ptr, n = uint64(uint32(ptr)), uint64(uint32(n))
	if n == 0 {
		return nil, true
	}
	if ptr+n > 1<<32 { // cannot overflow: both are below 2^32
		return nil, false
	}
	b, ok := m.Read(uint32(ptr), uint32(n)) // checks against the size, in 64 bits
	if !ok {
		return nil, false
	}
	return b[:n:n], true
}

// success and fail pack results.
func success(n uint64) uint64       { return n & (1<<32 - 1) }
func fail(code abi.Code) uint64     { return uint64(code) << 32 }
func failWith(err error) uint64     { return fail(codeOf(err)) }
func pack(c abi.Code, n int) uint64 { return abi.Pack(c, uint32(n)) }

// codeOf is the code of an error of a back end, always a known one.
func codeOf(err error) abi.Code {
	code := abi.CodeOf(err)
	if !code.Valid() || code == abi.CodeOK && err != nil {
		return abi.CodeInternal
	}
	return code
}

// put copies value to the guest if it fits and returns the full length.
func (s *State) put(m api.Memory, out, capacity uint64, value string) uint64 {
	dst, valid := view(m, out, capacity)
	if !valid {
		return fail(abi.CodeInvalidArgument)
	}
	if !s.move(len(value)) {
		return fail(abi.CodeQuota)
	}
	if len(value) <= len(dst) {
		copy(dst, value)
	}
	return success(uint64(len(value)))
}

// errNoState is a bug of the caller: host functions run under the engine's
// call context only.
var errNoState = errors.New("hostfuncs: the call context has no State")
