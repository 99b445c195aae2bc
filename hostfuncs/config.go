package hostfuncs

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// configGet is get(name, name_len, out, out_cap).
func configGet(s *State, m api.Memory, p []uint64) uint64 {
	name, valid := view(m, p[0], p[1])
	if !valid {
		return fail(abi.CodeInvalidArgument)
	}
	value, found := s.host.cfg.Config[string(name)]
	if !found {
		return fail(abi.CodeNotFound)
	}
	return s.put(m, p[2], p[3], value)
}
