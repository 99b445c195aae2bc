package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// BenchmarkCall is the price of one guest call that does nothing.
func BenchmarkCall(b *testing.B) {
	g := start(b, config(b, hostile(b, "trap-get")))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		in, err := g.Acquire(ctx, opSet, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := in.Call(opSet, 72); err != nil {
			b.Fatal(err)
		}
		in.Done()
	}
}

// BenchmarkContention is a call from many goroutines on few instances.
func BenchmarkContention(b *testing.B) {
	for _, tc := range []struct {
		name       string
		size       int
		goroutines int
	}{{"1 on 8", 8, 1}, {"64 on 8", 8, 32}, {"64 on 1", 1, 32}} {
		b.Run(tc.name, func(b *testing.B) {
			cfg := config(b, good(b))
			cfg.Instances = tc.size
			g := start(b, cfg)
			b.ReportAllocs()
			if tc.goroutines == 1 {
				for b.Loop() {
					if do(context.Background(), g) != nil {
						b.Fatal("failed")
					}
				}
				return
			}
			b.SetParallelism(tc.goroutines)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if do(context.Background(), g) != nil {
						b.Error("failed")
					}
				}
			})
			s := g.Stats()
			b.ReportMetric(float64(s.Ops[opGet].Waits)/float64(b.N), "waits/op")
		})
	}
}

// BenchmarkInstantiate makes and drops an instance of a compiled module.
func BenchmarkInstantiate(b *testing.B) {
	cfg := config(b, good(b))
	cfg.Instances, cfg.MaxOps = 1, 1
	g, err := engine.Load(context.Background(), cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, g.Close()) })
	require.NoError(b, g.Start(context.Background(), nil))
	b.ReportAllocs()
	for b.Loop() {
		in, err := g.Acquire(context.Background(), opGet, 0)
		if err != nil {
			b.Fatal(err)
		}
		in.Done()
	}
}
