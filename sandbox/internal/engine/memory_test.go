package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLinearMemoryGrowsInPlaceUpToItsCap(t *testing.T) {
	budget := NewBudget(0)
	m, denied := newLinearMemory(pageSize, 4*pageSize, budget.share(4*pageSize, 0, 0))
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

func TestBudgetIsReturned(t *testing.T) {
	budget := NewBudget(64 * pageSize)
	share := budget.share(60*pageSize, 0, 60*pageSize)
	a, denied := newLinearMemory(40*pageSize, 64*pageSize, share)
	require.Equal(t, denialNone, denied)
	_, denied = newLinearMemory(21*pageSize, 64*pageSize, share)
	require.Equal(t, denialShare, denied)
	require.Equal(t, int64(40*pageSize), budget.Used(), "a refused memory takes nothing")
	b, denied := newLinearMemory(20*pageSize, 64*pageSize, share)
	require.Equal(t, denialNone, denied)
	require.Nil(t, a.Reallocate(41*pageSize))
	require.Equal(t, denialShare, a.takeDenied())
	b.release()
	require.NotNil(t, a.Reallocate(41*pageSize))
	a.release()
	require.Zero(t, budget.Used())
	share.close()
	require.Zero(t, budget.promised)
}

// Greedy components get their most and no more, and what is promised to the
// others is there for them, also for those that come later.
func TestSharesAreKept(t *testing.T) {
	const mb = 1 << 20
	budget := NewBudget(4096 * mb)
	modest := budget.share(64*mb, 0, 0)
	var all []*share
	for range 6 {
		all = append(all, budget.share(4096*mb, 0, 0))
	}
	for i, s := range all {
		var d denial
		for d == denialNone {
			d = s.take(mb)
		}
		require.LessOrEqual(t, s.used, int64(1024*mb))
		require.GreaterOrEqual(t, s.used, int64(16*mb), i)
		if i == 0 {
			require.Equal(t, denialShare, d)
			require.Equal(t, int64(1024*mb), s.used)
		}
	}
	require.Equal(t, denialNone, modest.take(16*mb))
	require.Equal(t, denialBudget, modest.take(mb))
	for range 16 {
		require.Equal(t, denialNone, budget.share(64*mb, 0, 0).take(16*mb), "a newcomer")
	}
	operator := budget.share(64*mb, 0, 2048*mb)
	all[0].give(1024 * mb)
	require.Equal(t, denialNone, operator.take(700*mb))
	for s := range budget.shares {
		s.give(s.used)
		s.close()
	}
	require.Zero(t, budget.Used())
	require.Zero(t, budget.promised)
	require.Equal(t, denialNone, budget.share(64*mb, 0, 2048*mb).take(2048*mb), "the operator's word")
	require.Equal(t, denialNone, NewBudget(-1).share(mb, 0, 0).take(1<<40), "no limit, no shares")
}

// With very many components each is still promised something.
func TestManyShares(t *testing.T) {
	budget := NewBudget(1 << 30)
	for range 1000 {
		budget.share(64<<20, 0, 0)
	}
	require.LessOrEqual(t, budget.promised, int64(1<<29))
	require.Positive(t, budget.promised)
}

func TestMemoryOfSizeZero(t *testing.T) {
	m, denied := newLinearMemory(0, pageSize, NewBudget(0).share(0, 0, 0))
	require.Equal(t, denialNone, denied)
	require.Empty(t, m.Reallocate(0))
	m.release()
}
