package wasmbin_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// BenchmarkMeter compares the kernels of testdata/kernels.c plain, rewritten,
// and with wazero's own switch for stopping them.
func BenchmarkMeter(b *testing.B) {
	ctx := context.Background()
	code, err := os.ReadFile(filepath.Join("testdata", "kernels.wasm"))
	require.NoError(b, err)
	for _, kernel := range []struct {
		name string
		arg  uint64
	}{{"fnv", 1}, {"sha", 1}, {"sort", 1}, {"fib", 20}, {"set", 7}, {"get", 7}} {
		for _, variant := range []struct {
			name    string
			fuel    *fuel
			closing bool
		}{
			{"plain", nil, false},
			{"fuel", &fuel{slice: 100_000, limits: wasmbin.DefaultLimits()}, false},
			{"wazero", nil, true},
		} {
			b.Run(kernel.name+"/"+variant.name, func(b *testing.B) {
				w, err := newWorld(ctx, features, 256, variant.fuel)
				require.NoError(b, err)
				if variant.closing {
					w.rt = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features).WithCloseOnContextDone(true))
				}
				defer w.rt.Close(ctx)
				m, err := w.load(ctx, code, "")
				require.NoError(b, err)
				call(b, ctx, m, "set", 7)
				f := m.ExportedFunction(kernel.name)
				stack := make([]uint64, 1)
				for b.Loop() {
					stack[0] = kernel.arg
					if err := f.CallWithStack(ctx, stack); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func call(tb testing.TB, ctx context.Context, m api.Module, name string, args ...uint64) []uint64 {
	tb.Helper()
	got, err := m.ExportedFunction(name).Call(ctx, args...)
	require.NoError(tb, err)
	return got
}
