package wasmbin_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// TestOperatorsCanReadOfEveryLimit: the page for operators names them all.
func TestOperatorsCanReadOfEveryLimit(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operating.md")
	require.NoError(t, err)
	for _, name := range wasmbin.LimitNames() {
		require.Contains(t, string(page), "`"+string(name)+"`")
	}
}
