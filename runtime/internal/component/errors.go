package component

import (
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
)

func invalid(format string, args ...any) error {
	return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf(format, args...))
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
