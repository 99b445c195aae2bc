package hostfuncs

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// maxSecretName bounds the names that a guest asks for, in bytes.
const maxSecretName = 256

// secretGet is get(name, name_len, out, out_cap). The value goes from the
// secret store to the guest and is kept nowhere but in the list of what is
// redacted.
func secretGet(s *State, m api.Memory, p []uint64) uint64 {
	name, valid := view(m, p[0], p[1])
	if !valid || len(name) > maxSecretName {
		return fail(abi.CodeInvalidArgument)
	}
	h := s.host
	value, err := h.cfg.Secrets(s.op, string(name))
	if err != nil {
		return failWith(err)
	}
	h.learn(value)
	return s.put(m, p[2], p[3], value)
}
