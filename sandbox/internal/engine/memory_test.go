package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLinearMemoryGrowsInPlaceUpToItsCap(t *testing.T) {
	budget := NewBudget(0)
	m, denied := newLinearMemory(pageSize, 4*pageSize, budget)
	require.Equal(t, denialNone, denied)
	b := m.Reallocate(pageSize)
	b[0], b[pageSize-1] = 1, 2
	require.Nil(t, m.Reallocate(4*pageSize+1))
	require.Equal(t, denialCap, m.takeDenied())
	require.Equal(t, denialNone, m.takeDenied())
	g := m.Reallocate(4 * pageSize)
	require.Len(t, g, 4*pageSize)
	require.Equal(t, []byte{1, 2, 0, 0}, []byte{g[0], g[pageSize-1], g[pageSize], g[4*pageSize-1]})
	g[4*pageSize-1] = 3
	require.Equal(t, int64(4*pageSize), budget.Used())
	m.Free()
	require.Equal(t, byte(3), m.buf[4*pageSize-1], "wazero's Free does not unmap: a call may still be returning")
	m.release()
	m.release()
	require.Zero(t, budget.Used())
}

func TestBudgetIsSharedAndReturned(t *testing.T) {
	budget := NewBudget(3 * pageSize)
	a, denied := newLinearMemory(2*pageSize, 8*pageSize, budget)
	require.Equal(t, denialNone, denied)
	_, denied = newLinearMemory(2*pageSize, 8*pageSize, budget)
	require.Equal(t, denialBudget, denied)
	require.Equal(t, int64(2*pageSize), budget.Used(), "a refused memory takes nothing")
	b, denied := newLinearMemory(pageSize, 8*pageSize, budget)
	require.Equal(t, denialNone, denied)
	require.Nil(t, a.Reallocate(3*pageSize))
	require.Equal(t, denialBudget, a.takeDenied())
	b.release()
	require.NotNil(t, a.Reallocate(3*pageSize))
	a.release()
	require.Zero(t, budget.Used())
}

func TestMemoryOfSizeZero(t *testing.T) {
	m, denied := newLinearMemory(0, pageSize, NewBudget(0))
	require.Equal(t, denialNone, denied)
	require.Empty(t, m.Reallocate(0))
	m.release()
}
