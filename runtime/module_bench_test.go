package runtime

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime/internal/engine"
	"github.com/wasmstate/wasmstate/runtime/internal/wasmstore"
)

func rawStore(t testing.TB, meter engine.Meter) abi.Store {
	b, err := os.ReadFile("../guests/hostile/good.wasm")
	require.NoError(t, err)
	cache, err := engine.OpenCache(engine.CacheConfig{})
	require.NoError(t, err)
	f := abi.FeatureETag
	g, err := engine.Load(context.Background(), engine.Config{
		Component: "test", Code: engine.Code{Bytes: b, Meter: meter},
		Ops: wasmstore.Exports(), Required: wasmstore.Required(f), Open: wasmstore.OpOpen, Idle: wasmstore.OpIdle, Close: wasmstore.OpClose,
		Mode: engine.ModePool, Instances: 8, Memory: 64 << 20, Timeout: time.Second, SetupTimeout: time.Second, IdleTimeout: time.Second,
		IdleOps: 32, IdleBytes: 1 << 20, Cache: cache, Budget: engine.NewBudget(0),
	})
	require.NoError(t, err)
	s := wasmstore.New(guest{g}, wasmstore.Config{Features: f})
	t.Cleanup(func() { require.NoError(t, s.Close()); require.NoError(t, cache.Close()) })
	require.NoError(t, s.Init(context.Background(), abi.Metadata{Name: "test"}))
	return s
}

func BenchmarkRaw(b *testing.B) {
	mem := func(t testing.TB) abi.Store {
		s := memstore.New()
		require.NoError(t, s.Init(context.Background(), abi.Metadata{Name: "m"}))
		return s
	}
	for _, k := range []struct {
		name string
		open func(testing.TB) abi.Store
	}{{"memstore", mem}, {"none", func(t testing.TB) abi.Store { return rawStore(t, engine.MeterNone) }}, {"wazero", func(t testing.TB) abi.Store { return rawStore(t, engine.MeterWazero) }}} {
		s := k.open(b)
		ctx := context.Background()
		keys := make([][]byte, 1000)
		for i := range keys {
			keys[i] = fmt.Appendf(nil, "key-%020d", i)
		}
		val := make([]byte, 128)
		b.Run(k.name+"/set", func(b *testing.B) {
			b.ReportAllocs()
			var resp abi.SetResponse
			req := abi.SetRequest{Value: val}
			for i := range b.N {
				req.Key = keys[i%1000]
				if err := s.Set(ctx, &req, &resp); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(k.name+"/get", func(b *testing.B) {
			b.ReportAllocs()
			var resp abi.GetResponse
			var req abi.GetRequest
			for i := range b.N {
				req.Key = keys[i%1000]
				if err := s.Get(ctx, &req, &resp); err != nil && err != abi.ErrNotFound {
					b.Fatal(err)
				}
			}
		})
	}
}
