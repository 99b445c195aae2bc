package memstore_test

import (
	"fmt"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

func BenchmarkGet(b *testing.B) {
	s := open(b)
	defer s.Close()
	key := []byte("a key of 24 bytes long..")
	if err := s.Set(b.Context(), &abi.SetRequest{Key: key, Value: make([]byte, 128)}, &abi.SetResponse{}); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var resp abi.GetResponse
		req := abi.GetRequest{Key: key}
		for pb.Next() {
			if err := s.Get(ctx, &req, &resp); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkSet(b *testing.B) {
	s := open(b)
	defer s.Close()
	keys := make([][]byte, 10000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "a key of 24 bytes %06d", i)
	}
	ctx, value := b.Context(), make([]byte, 128)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var resp abi.SetResponse
		req := abi.SetRequest{Value: value}
		for n := 0; pb.Next(); n++ {
			req.Key = keys[n%len(keys)]
			if err := s.Set(ctx, &req, &resp); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkKeys lists pages of 100 from 100,000 keys while one key is created
// between the pages.
func BenchmarkKeys(b *testing.B) {
	for _, created := range []bool{false, true} {
		b.Run(fmt.Sprintf("created=%v", created), func(b *testing.B) {
			s := open(b)
			defer s.Close()
			for i := range 100000 {
				if err := s.Set(b.Context(), &abi.SetRequest{Key: fmt.Append(nil, "k", i)}, &abi.SetResponse{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			var resp abi.KeysResponse
			for i := range b.N {
				if created {
					if err := s.Set(b.Context(), &abi.SetRequest{Key: fmt.Append(nil, "new", i)}, &abi.SetResponse{}); err != nil {
						b.Fatal(err)
					}
				}
				if err := s.(abi.Lister).Keys(b.Context(), &abi.KeysRequest{Cursor: []byte("k5"), Limit: 100}, &resp); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
