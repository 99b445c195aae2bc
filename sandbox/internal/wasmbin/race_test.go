//go:build race

package wasmbin_test

import "testing"

// oneThread skips a test under the race detector, which makes it take minutes
// and can find nothing there: the modules and the reader have one thread.
func oneThread(t testing.TB) {
	t.Helper()
	t.Skip("it has one thread: make standard-go runs it without the race detector")
}
