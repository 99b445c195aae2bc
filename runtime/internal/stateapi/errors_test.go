package stateapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	seen := map[int]bool{}
	for c := abi.CodeOK; c.Valid(); c++ {
		status := statusOf(c)
		require.GreaterOrEqual(t, status, 200, c.String())
		seen[status] = true
	}
	require.GreaterOrEqual(t, len(seen), 10)
	require.Equal(t, 500, statusOf(abi.Code(999)))
}
