package module

import "github.com/wasmstate/wasmstate/abi"

// At is what a response that a host function wrote to buf points at, nil if
// that lies outside of buf. Addresses are absolute.
func At(buf []byte, s abi.Span) []byte {
	off := uint64(s.Addr) - uint64(addr(buf))
	if s.Len == 0 || off > uint64(len(buf)) || uint64(s.Len) > uint64(len(buf))-off {
		return nil
	}
	return buf[off : off+uint64(s.Len)]
}
