package memstore_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
)

// TestIndexIsBounded creates and deletes many keys after a listing; the index
// must not keep them.
func TestIndexIsBounded(t *testing.T) {
	s := open(t)
	defer s.Close()
	list(t, s, "")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	long := strings.Repeat("x", 200)
	for i := range 50000 {
		key := fmt.Append(nil, long, i)
		if err := s.Set(t.Context(), &abi.SetRequest{Key: key}, &abi.SetResponse{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), &abi.DeleteRequest{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 2<<20 {
		t.Errorf("%d bytes are held for keys that are gone", held)
	}
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
}

func TestInitAfterClose(t *testing.T) {
	s := memstore.New()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Init(t.Context(), abi.Metadata{}); abi.CodeOf(err) != abi.CodeClosed {
		t.Errorf("init after close: %v", err)
	}
}

// TestIndexMerges lists while keys come and go in numbers that make the index
// merge and rebuild.
func TestIndexMerges(t *testing.T) {
	s := open(t)
	defer s.Close()
	want := map[string]bool{}
	for round := range 6 {
		for i := range 3000 {
			key := strconv.Itoa((i*7919 + round*131) % 10000)
			var err error
			if i%3 == 0 {
				err = s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte(key)})
				delete(want, key)
			} else {
				err = s.Set(t.Context(), &abi.SetRequest{Key: []byte(key)}, &abi.SetResponse{})
				want[key] = true
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := list(t, s, ""); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("round %d: %d keys listed, %d are there", round, len(got), len(want))
		}
	}
}
