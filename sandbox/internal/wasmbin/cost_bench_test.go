//go:build unix

package wasmbin_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// BenchmarkCost compares the score with what compiling takes: run it with
// -benchtime=1x. The figures of memory are of everything that was allocated,
// not of the peak, which needs a process for each.
func BenchmarkCost(b *testing.B) {
	ctx := experimental.WithCompilationWorkers(context.Background(), 1)
	for _, s := range shapes() {
		b.Run(s.name, func(b *testing.B) {
			wasm := s.make(s.n)
			m, err := wasmbin.Parse(wasm, unlimited(b))
			require.NoError(b, err)
			b.ReportAllocs()
			from := cpuTime(b)
			for b.Loop() {
				w, err := newWorld(ctx, features, 256, &fuel{slice: 1000, limits: unlimited(b)})
				require.NoError(b, err)
				require.NoError(b, w.compile(ctx, wasm))
				require.NoError(b, w.rt.Close(ctx))
			}
			took := float64((cpuTime(b) - from).Microseconds()) / float64(b.N)
			b.ReportMetric(took/1000, "cpu-ms")
			b.ReportMetric(float64(m.Score().Work)/took, "score/cpu")
			b.ReportMetric(float64(m.Score().Memory>>20), "est-MiB")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
