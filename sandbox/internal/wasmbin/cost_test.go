package wasmbin_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// unlimited are limits that refuse nothing.
func unlimited(tb testing.TB) wasmbin.Limits {
	tb.Helper()
	lim := wasmbin.DefaultLimits()
	for _, name := range wasmbin.LimitNames() {
		require.NoError(tb, lim.Set(map[string]int64{string(name): 1 << 32}))
	}
	return lim
}

// sameCost checks that what was counted for the functions of a module is what
// the compiler is given: the cost of the rewritten code, counted as it is.
func sameCost(t *testing.T, b []byte) {
	t.Helper()
	lim := unlimited(t)
	counted, err := wasmbin.FunctionCosts(b, lim, false)
	require.NoError(t, err)
	m, err := wasmbin.Parse(b, lim)
	require.NoError(t, err)
	out, err := m.Rewrite(wasmbin.Options{Slice: 1000})
	require.NoError(t, err)
	given, err := wasmbin.FunctionCosts(out, lim, true)
	require.NoError(t, err)
	require.Less(t, len(given)-len(counted), 20, "few functions are added")
	require.Equal(t, counted, given[:len(counted)])
}

// TestScoreIsOfWhatIsCompiled: a limit on the input is worth nothing if Rewrite
// makes more of it. It takes every shape, and mixtures of their code.
func TestScoreIsOfWhatIsCompiled(t *testing.T) {
	oneThread(t)
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			sameCost(t, s.make(1))
			sameCost(t, s.make(max(s.n/20, 2)))
		})
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	parts := [][]byte{
		{1}, {0x10, 1}, {3, 0x40, 0x0b}, {2, 0x40, 0x41, 0, 0x0d, 0, 0x0b}, {0x41, 0, 4, 0x40, 0x0b}, {0x41, 0, 0x40, 0, 0x1a},
		{0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0b, 0}, {0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0a, 0, 0}, {0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x08, 0, 0},
		{0x41, 0, 0xd0, funcref, 0x41, 0, 0xfc, 0x11, 0}, {0xd0, funcref, 0x41, 0, 0xfc, 0x0f, 0, 0x1a}, {0x41, 0, 0x11, 0, 0},
		{3, 0x40, 0x41, 0, 0x40, 0, 0x0d, 0, 0x0b}, {0x23, 1, 0x24, 0}, {0x41, 0, 0x28, 2, 0, 0x1a},
	}
	for range 200 {
		var body []byte
		for range rnd.IntN(60) {
			body = append(body, parts[rnd.IntN(len(parts))]...)
		}
		sameCost(t, crowd(1, 0, 1+rnd.IntN(5), rnd.IntN(3), i32, nil, body, nil))
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "guests", "*", "*.wasm"))
	require.NoError(t, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		if m, err := wasmbin.Parse(b, wasmbin.DefaultLimits()); err == nil && m.Score().Functions > 0 {
			sameCost(t, b)
		}
	}
}

// TestBulkCompilesInLinearTime: twice as many instructions that pay by length
// are twice the work, as long as they are in straight code. Written in place,
// their branches made 20,000 memory.fill take 35 s.
func TestBulkCompilesInLinearTime(t *testing.T) {
	for _, s := range shapes() {
		if !strings.HasPrefix(s.name, "memory.") {
			continue
		}
		var work [2]int64
		for i, n := range []int{10_000, 20_000} {
			costs, err := wasmbin.FunctionCosts(s.make(n), unlimited(t), false)
			require.NoError(t, err)
			work[i] = costs[1].Time
		}
		require.Less(t, work[1], 5*work[0]/2, s.name)
	}
}

// TestNoFunctionIsOutOfBounds doubles every shape until it is refused: by then
// no function and no type section is beyond two seconds, and all of it within
// the memory.
func TestNoFunctionIsOutOfBounds(t *testing.T) {
	oneThread(t)
	lim := wasmbin.DefaultLimits()
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			for n := 64; ; n *= 2 {
				b := s.make(n)
				m, err := wasmbin.Parse(b, lim)
				if err != nil {
					var refusal *wasmbin.Error
					require.ErrorAs(t, err, &refusal)
					require.Equal(t, wasmbin.Exceeded, refusal.Reason, err)
					t.Logf("%d, %d KiB: %v", n, len(b)>>10, err)
					return
				}
				require.LessOrEqual(t, m.Score().Memory, lim.CompileMemory)
				costs, err := wasmbin.FunctionCosts(b, unlimited(t), false)
				require.NoError(t, err)
				slowest := slices.MaxFunc(costs, func(a, b wasmbin.FunctionCost) int { return int(a.Time - b.Time) })
				require.LessOrEqual(t, slowest.Time, lim.FunctionWork*1000+999)
			}
		})
	}
}
