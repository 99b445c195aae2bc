package bench

import (
	"context"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime"
)

// openStore starts a runtime with one component and returns its handle, with
// the keys of the workload in it.
func openStore(tb testing.TB, spec string) runtime.Store {
	tb.Helper()
	rt, ctx := startRuntime(tb, spec, ""), context.Background()
	st, err := rt.Store("s")
	if err != nil {
		tb.Fatal(err)
	}
	for i := range keys {
		if err := st.Set(ctx, &abi.SetRequest{Key: benchKey(i), Value: benchValue()}, &abi.SetResponse{}); err != nil {
			tb.Fatal(err)
		}
	}
	return st
}

func benchmarkGet(b *testing.B, spec string) {
	st := openStore(b, spec)
	req, resp, ctx := abi.GetRequest{Key: benchKey(7)}, abi.GetResponse{}, context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := st.Get(ctx, &req, &resp); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkSet(b *testing.B, spec string) {
	st := openStore(b, spec)
	req, resp, ctx := abi.SetRequest{Key: benchKey(7), Value: benchValue()}, abi.SetResponse{}, context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := st.Set(ctx, &req, &resp); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet_wasmstateGuest(b *testing.B)  { benchmarkGet(b, "wasm") }
func BenchmarkSet_wasmstateGuest(b *testing.B)  { benchmarkSet(b, "wasm") }
func BenchmarkGet_wasmstateMemory(b *testing.B) { benchmarkGet(b, "state.in-memory") }
func BenchmarkSet_wasmstateMemory(b *testing.B) { benchmarkSet(b, "state.in-memory") }
