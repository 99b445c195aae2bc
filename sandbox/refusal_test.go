package sandbox

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// TestRefusalIsRemembered: a module that is over a limit is not read again
// until its bytes, or the limits, are others.
func TestRefusalIsRemembered(t *testing.T) {
	s, err := New(Options{})
	require.NoError(t, err)
	defer s.Close()
	bad := []byte("\x00asm\x01\x00\x00\x00\x77")
	_, first := s.read(bad, s.limits)
	require.Error(t, first)
	_, again := s.read(bad, s.limits)
	require.Same(t, first, again)
	other := s.limits
	other.Nesting++
	_, again = s.read(bad, other)
	require.NotSame(t, first, again)
	for i := range 2 * maxRefusals {
		_, err := s.read(fmt.Appendf(nil, "module %d", i), s.limits)
		require.Error(t, err)
	}
	require.LessOrEqual(t, len(s.refusals), maxRefusals)
	_, err = s.read(make([]byte, wasmbin.DefaultLimits().FileSize+1), s.limits)
	require.Error(t, err)
}
