package wasmstore

import (
	"context"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// FuzzResponse lets a guest answer every operation with any result and any
// memory: nothing may panic, and every instance must be given back.
func FuzzResponse(f *testing.F) {
	good := make([]byte, abi.ResponseSize)
	abi.PutResponse(good, &abi.ResponseView{Value: abi.Span{Addr: 100, Len: 5}, Items: abi.Span{Addr: bufAt, Len: 2}, ItemSize: 72, Key: abi.Span{Addr: 1, Len: 9}})
	f.Add(uint64(abi.ResponseSize), good, uint64(bufAt<<32|firstBuffer))
	f.Add(uint64(1<<32), []byte{}, uint64(0))
	f.Add(^uint64(0), good, ^uint64(0))
	f.Fuzz(func(t *testing.T, result uint64, memory []byte, buffer uint64) {
		g := newFake()
		g.mem = make([]byte, 128<<10)
		for at := 0; len(memory) > 0 && at < len(g.mem); at += len(memory) {
			copy(g.mem[at:], memory)
		}
		answer := func(in *fakeInstance, _ uint32) uint64 {
			copy(in.Buffer(), memory)
			return result
		}
		for op := range ops {
			g.handlers[op] = answer
		}
		s := New(g, Config{Features: abi.AllFeatures &^ (abi.FeatureQuery | abi.FeatureWatch | abi.FeatureDeleteWithPrefix)})
		ctx, k := context.Background(), []byte("k")
		_ = s.Init(ctx, abi.Metadata{Properties: map[string]string{"a": "b"}})
		g.open = func(*fakeGuest, uint32) uint64 { return buffer }
		list := []abi.Op{{SetRequest: abi.SetRequest{Key: k}}, {Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: k}}}
		_ = s.Get(ctx, &abi.GetRequest{Key: k}, &abi.GetResponse{})
		_ = s.Set(ctx, &abi.SetRequest{Key: k, Value: make([]byte, 20<<10)}, &abi.SetResponse{})
		_ = s.Delete(ctx, &abi.DeleteRequest{Key: k})
		_ = s.Transact(ctx, list)
		_ = s.BulkGet(ctx, []abi.GetRequest{{Key: k}, {Key: k}}, make([]abi.GetResult, 2))
		_ = s.BulkWrite(ctx, list, make([]abi.WriteResult, 2))
		_ = s.Keys(ctx, &abi.KeysRequest{Limit: 3}, &abi.KeysResponse{})
		_ = s.Export(ctx, &abi.ExportRequest{MaxBytes: 100}, &abi.ExportResponse{})
		_ = s.Import(ctx, []abi.Item{{Key: k}})
		_ = s.Ping(ctx)
		if g.acquired != g.done {
			t.Fatalf("%d instances taken and %d given back", g.acquired, g.done)
		}
	})
}
