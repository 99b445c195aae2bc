package runtime_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/runtime/internal/component"
	"github.com/wasmstate/wasmstate/sandbox"
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

// contender is a store to compare.
type contender struct {
	name   string
	create func(ctx context.Context) (abi.Store, error)
}

// contenders are memstore, a small guest in C in a pool of 8 with each meter,
// and the memory stores in C and Rust as they come.
func contenders(b *testing.B, m *sandbox.Sandbox) []contender {
	open := func(wasm []byte, cfg sandbox.Config) func(ctx context.Context) (abi.Store, error) {
		cfg.Component = "bench"
		return func(ctx context.Context) (abi.Store, error) { return m.Open(ctx, wasm, cfg) }
	}
	good := guestbuild.WithManifest(guestbuild.Hostile(b, "good"), abi.FeatureETag, "pool")
	list := []contender{{"memstore", func(context.Context) (abi.Store, error) { return memstore.New(), nil }}}
	for _, meter := range []sandbox.Meter{sandbox.MeterNone, sandbox.MeterFuel, sandbox.MeterWazero} {
		list = append(list, contender{"pool meter=" + string(meter), open(good, sandbox.Config{Settings: sandbox.Settings{Meter: meter, Instances: 8}})})
	}
	for _, name := range []string{"memory-c", "memory-rust"} {
		wasm, err := os.ReadFile("../guests/" + name + "/" + name + ".wasm")
		require.NoError(b, err)
		for _, meter := range []sandbox.Meter{sandbox.MeterNone, sandbox.MeterFuel} {
			list = append(list, contender{name + " meter=" + string(meter), open(wasm, sandbox.Config{Settings: sandbox.Settings{Meter: meter}})})
		}
	}
	return list
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
	for _, c := range contenders(b, m) {
		s, name := handle(b, c.create), c.name
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

// BenchmarkRatio takes turns among the contenders, so that a busy machine
// disturbs all alike, and reports the median of each against memstore.
func BenchmarkRatio(b *testing.B) {
	const turn = 500 // operations
	m := newModules(b)
	keys := make([][]byte, 100)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key-%020d", i)
	}
	ctx := context.Background()
	value := make([]byte, 128)
	var set abi.SetResponse
	var get abi.GetResponse
	var stores []*component.Store
	var names []string
	for _, c := range contenders(b, m) {
		if strings.HasSuffix(c.name, "wazero") {
			continue
		}
		names = append(names, strings.ReplaceAll(strings.TrimSuffix(c.name, " meter=fuel"), " meter=none", "-unmetered"))
		stores = append(stores, handle(b, c.create))
	}
	for _, op := range []struct {
		name string
		do   func(s *component.Store, key []byte) error
	}{
		{"set", func(s *component.Store, key []byte) error {
			return s.Set(ctx, &abi.SetRequest{Key: key, Value: value}, &set)
		}},
		{"get", func(s *component.Store, key []byte) error { return s.Get(ctx, &abi.GetRequest{Key: key}, &get) }},
	} {
		b.Run(op.name, func(b *testing.B) {
			took := make([][]time.Duration, len(stores))
			for b.Loop() {
				for i, s := range stores {
					from := time.Now()
					for n := range turn {
						if err := op.do(s, keys[n%len(keys)]); err != nil {
							b.Fatal(err)
						}
					}
					took[i] = append(took[i], time.Since(from)/turn)
				}
			}
			b.ReportMetric(0, "ns/op")
			for i := range took {
				slices.Sort(took[i])
				median := float64(took[i][len(took[i])/2])
				b.ReportMetric(median, names[i]+"-ns")
				if i > 0 {
					b.ReportMetric(median/float64(took[0][len(took[0])/2]), names[i]+"/memstore")
				}
			}
		})
	}
}

func newModules(t testing.TB) *sandbox.Sandbox {
	t.Helper()
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}
