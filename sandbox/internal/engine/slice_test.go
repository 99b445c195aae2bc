package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSliceShrinksTowardsTheDeadline: whatever a unit takes, up to dearUnit, a
// slice that is given out ends at most lateness after the deadline.
func TestSliceShrinksTowardsTheDeadline(t *testing.T) {
	const full = 100_000
	require.EqualValues(t, full, nextSlice(full, time.Second))
	require.EqualValues(t, full, nextSlice(full, 48*time.Millisecond))
	require.EqualValues(t, 4_000, nextSlice(full, 0))
	require.EqualValues(t, 4_000, nextSlice(full, -time.Second))
	require.EqualValues(t, 50, nextSlice(50, 0))
	for left := time.Duration(0); left < time.Second; left += 317 * time.Microsecond {
		n := nextSlice(full, left)
		require.Positive(t, n)
		require.LessOrEqual(t, time.Duration(n)*dearUnit, left+lateness)
	}
}
