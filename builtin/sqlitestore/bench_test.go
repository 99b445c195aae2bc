package sqlitestore_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// BenchmarkSet makes durable writes from 1, 16 and 64 callers; they should
// grow with the callers, who share commits.
func BenchmarkSet(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, "url", filepath.Join(b.TempDir(), "data.db"))
			value := make([]byte, 128)
			for i := range value {
				value[i] = 'v'
			}
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					var resp abi.SetResponse
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						key := []byte("key" + strconv.FormatInt(n%10000, 10))
						if err := s.Set(b.Context(), &abi.SetRequest{Key: key, Value: value}, &resp); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := open(b, "url", filepath.Join(b.TempDir(), "data.db"))
	key := []byte("key")
	if err := s.Set(b.Context(), &abi.SetRequest{Key: key, Value: make([]byte, 128)}, &abi.SetResponse{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var resp abi.GetResponse
		for pb.Next() {
			if err := s.Get(b.Context(), &abi.GetRequest{Key: key}, &resp); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
