package memstore_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

func TestNoAllocations(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	req := abi.SetRequest{Key: []byte("a key of 24 bytes exactly"), Value: make([]byte, 128), ContentType: []byte("text/plain")}
	get := abi.GetRequest{Key: req.Key}
	var set abi.SetResponse
	var got abi.GetResponse
	run := func() {
		if err := s.Set(ctx, &req, &set); err != nil {
			t.Fatal(err)
		}
		if err := s.Get(ctx, &get, &got); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v allocations for a set and a get, want 0", n)
	}
}

// TestSweep runs on a fake clock: expired keys are removed without being asked
// for, and Close comes through while the sweeper works.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		const keys = 4800
		for i := range keys {
			req := abi.SetRequest{Key: fmt.Append(nil, "k", i), Value: make([]byte, 4000), TTL: time.Duration(1+i%60) * time.Second}
			if err := s.Set(t.Context(), &req, &abi.SetResponse{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Set(t.Context(), &abi.SetRequest{Key: []byte("stays")}, &abi.SetResponse{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Second + time.Millisecond) // of the fake clock
		synctest.Wait()
		if n := len(list(t, s, "k")); n != keys/2 {
			t.Errorf("%d keys after half of the time, want %d", n, keys/2)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > keys*4000/4 {
			t.Errorf("%d bytes are still held after every key expired", held)
		}
		if got := list(t, s, ""); !slices.Equal(got, []string{"stays"}) {
			t.Errorf("left: %q", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestExpiryOrder sets, replaces and removes expiries at random and compares
// with a plain map, second by second of a fake clock.
func TestExpiryOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		defer s.Close()
		want := map[string]time.Time{} // zero = never
		x := uint32(1)
		next := func(n uint32) uint32 { x = x*1664525 + 1013904223; return (x >> 8) % n }
		for range 2000 {
			key := strconv.Itoa(int(next(200)))
			switch next(5) {
			case 0:
				if err := s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte(key)}); err != nil {
					t.Fatal(err)
				}
				delete(want, key)
			case 1:
				time.Sleep(time.Duration(next(1500)) * time.Millisecond)
			default:
				ttl := time.Duration(next(10)) * time.Second
				req := abi.SetRequest{Key: []byte(key), TTL: ttl}
				var err error
				if next(2) == 0 {
					err = s.Set(t.Context(), &req, &abi.SetResponse{})
				} else {
					err = s.(abi.Transactor).Transact(t.Context(), []abi.Op{{SetRequest: req}})
				}
				if err != nil {
					t.Fatal(err)
				}
				want[key] = time.Time{}
				if ttl > 0 {
					want[key] = time.Now().Add(ttl)
				}
			}
			var live []string
			for k, at := range want {
				if at.IsZero() || at.UnixMilli() > time.Now().UnixMilli() {
					live = append(live, k)
				}
			}
			slices.Sort(live)
			if got := list(t, s, ""); !slices.Equal(got, live) {
				t.Fatalf("keys %q, want %q", got, live)
			}
		}
	})
}

func list(t *testing.T, s abi.Store, prefix string) []string {
	t.Helper()
	var names []string
	var resp abi.KeysResponse
	for {
		req := &abi.KeysRequest{Prefix: []byte(prefix), Cursor: slices.Clone(resp.Cursor), Limit: 37}
		if err := s.(abi.Lister).Keys(t.Context(), req, &resp); err != nil {
			t.Fatal(err)
		}
		for _, k := range resp.Keys {
			names = append(names, string(k))
		}
		if len(resp.Cursor) == 0 {
			return names
		}
	}
}
