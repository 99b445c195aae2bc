//go:build !race

package wasmbin_test

import "testing"

// oneThread skips a test under the race detector; see race_test.go.
func oneThread(testing.TB) {}
