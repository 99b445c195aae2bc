package wasmstore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

// BenchmarkGet is what the encoding, the checks and the copy cost: the guest
// answers at once.
func BenchmarkGet(b *testing.B) {
	g := newFake()
	one := &oneInstance{fakeGuest: g, in: fakeInstance{g: g}}
	s := New(one, Config{Features: abi.FeatureETag})
	require.NoError(b, s.Init(context.Background(), abi.Metadata{}))
	view := abi.ResponseView{Value: abi.Span{Addr: 100, Len: 128}, ETag: abi.Span{Addr: 300, Len: 4}}
	g.respond(opGet, abi.CodeOK, view)
	var rec [abi.ResponseSize]byte
	abi.PutResponse(rec[:], &view)
	g.handlers[opGet] = func(in *fakeInstance, _ uint32) uint64 {
		copy(in.Buffer(), rec[:])
		return abi.ResponseSize
	}
	req, resp := abi.GetRequest{Key: []byte("a key of twenty-four byte")}, abi.GetResponse{}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Get(ctx, &req, &resp); err != nil {
			b.Fatal(err)
		}
	}
}
