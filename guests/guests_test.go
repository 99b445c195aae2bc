// Package guests_test proves the committed memory stores of all languages.
package guests_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
)

// memoryStores keep everything in the instance.
func memoryStores() []string { return []string{"memory-c", "memory-rust", "memory-go", "memory-as"} }

func TestSuite(t *testing.T) {
	for _, name := range memoryStores() {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, guesttest.Read(t, name).Open, storetest.Options{Small: true})
		})
	}
}

// TestHandOver moves the data of each memory store to each other one: what a
// module exports is the same in every language, so that a store can be
// rewritten in another one without losing anything.
func TestHandOver(t *testing.T) {
	const keys = 3000
	ctx := t.Context()
	for _, from := range memoryStores() {
		old := guesttest.Read(t, from).Open(t)
		etags := make([]string, keys)
		for i := range keys {
			req := abi.SetRequest{Key: fmt.Appendf(nil, "key-%d", i), Value: fmt.Appendf(nil, "%*d", i%300, i)}
			if i%2 == 0 {
				req.ContentType = []byte("text/plain")
			}
			if i%3 == 0 {
				req.TTL = time.Hour
			}
			var resp abi.SetResponse
			require.NoError(t, old.Set(ctx, &req, &resp))
			etags[i] = string(resp.ETag)
		}
		for _, to := range memoryStores() {
			t.Run(from+" to "+to, func(t *testing.T) {
				next := guesttest.Read(t, to).Open(t)
				var page abi.ExportResponse
				for req := (abi.ExportRequest{MaxBytes: 64 << 10}); ; {
					page.Items, page.Cursor = page.Items[:0], page.Cursor[:0]
					require.NoError(t, old.(abi.Exporter).Export(ctx, &req, &page))
					require.NoError(t, next.(abi.Importer).Import(ctx, page.Items))
					if len(page.Cursor) == 0 {
						break
					}
					req.Cursor = append(req.Cursor[:0], page.Cursor...)
				}
				for i := range keys {
					var want, got abi.GetResponse
					key := fmt.Appendf(nil, "key-%d", i)
					require.NoError(t, old.Get(ctx, &abi.GetRequest{Key: key}, &want))
					require.NoError(t, next.Get(ctx, &abi.GetRequest{Key: key}, &got), "%s", key)
					require.Equal(t, want, got, "%s", key)
					require.Equal(t, etags[i], string(got.ETag))
				}
			})
		}
	}
}

// TestMemoryHoldsItsLevel writes to the same thousand keys again and again.
// WASMSTATE_SOAK is the number of writes, 10000000 for the full measure.
func TestMemoryHoldsItsLevel(t *testing.T) {
	writes := 200_000
	if s := os.Getenv("WASMSTATE_SOAK"); s != "" {
		var err error
		writes, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for _, name := range memoryStores() {
		t.Run(name, func(t *testing.T) {
			o := guesttest.Read(t, name)
			s := o.Open(t)
			value := make([]byte, 512)
			var resp abi.SetResponse
			level := int64(0)
			for i := range writes {
				if i == writes/4 {
					level = o.Sandbox.MemoryUsed()
				}
				key := fmt.Appendf(nil, "key-%d", i*7919%1000)
				require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: key, Value: value[:i%len(value)]}, &resp))
			}
			now := o.Sandbox.MemoryUsed()
			t.Logf("%d KiB after a quarter, %d KiB after %d writes", level>>10, now>>10, writes)
			// A heap may still double once, when it fragments; a leak grows with the writes.
			require.LessOrEqual(t, now, 2*level)
			require.Less(t, now, int64(8<<20))
		})
	}
}
