package hostfuncs

import (
	"fmt"
	"unicode/utf16"

	"github.com/tetratelabs/wazero/api"
)

// ExitError ends a guest that called proc_exit or abort. The engine finds it in
// the error of the call.
type ExitError struct {
	Code uint32
	Msg  string // abort's message and place; bounded, sanitised, redacted; may be empty
}

// Error says how the guest ended itself.
func (e *ExitError) Error() string {
	if e.Msg != "" {
		return "the guest aborted: " + e.Msg
	}
	return fmt.Sprintf("the guest ended itself with exit code %d", e.Code)
}

// abortCode is the exit code of an abort.
const abortCode = 255

// envAbort is abort(message, file, line, column) of AssemblyScript. It does not
// return.
func envAbort(s *State, m api.Memory, p []uint64) {
	msg := s.utf16(m, p[0])
	if file := s.utf16(m, p[1]); file != "" {
		msg += fmt.Sprintf(" (%s:%d:%d)", file, uint32(p[2]), uint32(p[3]))
	}
	panic(&ExitError{Code: abortCode, Msg: msg})
}

// utf16 reads a string of AssemblyScript: UTF-16 at ptr, its length in bytes
// in the four bytes before. Whatever is there, it is text in the end.
//
//	ptr-4           ptr
//	| u32 length     | units of 16 bits …
func (s *State) utf16(m api.Memory, ptr uint64) string {
	const most = 8 << 10 // bytes that are looked at; a secret that goes on after them is masked
	ptr = uint64(uint32(ptr))
	if ptr < 4 {
		return ""
	}
	size, valid := view(m, ptr-4, 4)
	if !valid {
		return ""
	}
	b, valid := view(m, ptr, uint64(min(le.Uint32(size), most)))
	if !valid {
		return ""
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = le.Uint16(b[2*i:])
	}
	if n := len(units); n == most/2 && units[n-1]&0xfc00 == 0xd800 {
		units = units[:n-1] // half a character at the cut
	}
	return s.host.Clean(string(utf16.Decode(units)), 300)
}
