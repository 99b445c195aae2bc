//go:build !tinygo

package module

import "github.com/wasmstate/wasmstate/abi"

// message is what the host is told beside the code: nothing for a bare code.
func message(err error) string {
	if e, ok := err.(*abi.Error); ok && e.Msg == "" && e.Err == nil { //nolint:errorlint // see unwrap
		return ""
	}
	return err.Error()
}
