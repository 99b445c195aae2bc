//go:build tinygo

package module

import "github.com/wasmstate/wasmstate/abi"

// message is what the host is told beside the code: the message of the first
// abi.Error. Calling Error of just any error would link the texts of every
// package, 5 KB.
func message(err error) string {
	for e := err; e != nil; e = unwrap(e) {
		if a, ok := e.(*abi.Error); ok { //nolint:errorlint // see unwrap
			return a.Msg
		}
	}
	return ""
}
