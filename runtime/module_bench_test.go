package runtime_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
)

// handle returns the portable handle of a store, as servers and embedders use
// it.
func handle(b *testing.B, create func(ctx context.Context) (abi.Store, error)) *component.Store {
	b.Helper()
	set := component.New(component.Config{AppID: "bench", Logger: zap.NewNop()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- set.Run(ctx) }()
	set.Apply(component.Spec{Name: "bench", Type: "state.bench", Digest: "1", Create: create})
	failures, err := set.Wait(ctx)
	require.NoError(b, err)
	require.Empty(b, failures)
	s, err := set.Store("bench")
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, set.Close(context.Background()))
		cancel()
		<-done
	})
	return s
}

// stores are what is compared: the same guest with each meter, and memstore.
func stores(b *testing.B, m *runtime.Modules) map[string]func(ctx context.Context) (abi.Store, error) {
	wasm := withManifest(readGuest(b, "good"), abi.FeatureETag, "pool")
	open := func(meter runtime.Meter) func(ctx context.Context) (abi.Store, error) {
		return func(ctx context.Context) (abi.Store, error) {
			return m.Open(ctx, wasm, runtime.ModuleConfig{Component: "bench", Meter: meter, Instances: 8})
		}
	}
	return map[string]func(ctx context.Context) (abi.Store, error){
		"memstore":          func(context.Context) (abi.Store, error) { return memstore.New(), nil },
		"wasm meter=fuel":   open(runtime.MeterFuel),
		"wasm meter=none":   open(runtime.MeterNone),
		"wasm meter=wazero": open(runtime.MeterWazero),
	}
}

// BenchmarkHandle is a set and a get of a 24-byte key and a 128-byte value
// behind the handle.
func BenchmarkHandle(b *testing.B) {
	m := newModules(b)
	keys := make([][]byte, 1000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key-%020d", i)
	}
	value := make([]byte, 128)
	all := stores(b, m)
	for _, name := range []string{"memstore", "wasm meter=none", "wasm meter=fuel", "wasm meter=wazero"} {
		s := handle(b, all[name])
		ctx := context.Background()
		b.Run(name+"/set", func(b *testing.B) {
			req, resp := abi.SetRequest{Value: value}, abi.SetResponse{}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				req.Key = keys[i%len(keys)]
				if err := s.Set(ctx, &req, &resp); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/get", func(b *testing.B) {
			for i := range keys { // every key is there, whatever the runs before did
				require.NoError(b, s.Set(ctx, &abi.SetRequest{Key: keys[i], Value: value}, &abi.SetResponse{}))
			}
			req, resp := abi.GetRequest{}, abi.GetResponse{}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				req.Key = keys[i%len(keys)]
				if err := s.Get(ctx, &req, &resp); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/64 goroutines", func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			var n atomic.Int64
			var mu sync.Mutex
			var took []time.Duration // of a sample
			b.RunParallel(func(pb *testing.PB) {
				req, resp := abi.SetRequest{Value: value}, abi.SetResponse{}
				var own []time.Duration
				for i := int(n.Add(97)); pb.Next(); i++ {
					req.Key = keys[i%len(keys)]
					from := time.Now()
					if err := s.Set(ctx, &req, &resp); err != nil {
						b.Error(err)
						return
					}
					if i%64 == 0 {
						own = append(own, time.Since(from))
					}
				}
				mu.Lock()
				took = append(took, own...)
				mu.Unlock()
			})
			if slices.Sort(took); len(took) > 100 {
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
			}
		})
	}
}
