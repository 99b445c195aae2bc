package memoryas_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// TestMemoryASQuota: in AssemblyScript an allocation that fails ends the
// instance. A store that is full has to refuse before, whatever is written, as
// long as its memory is four times maxBytes.
func TestMemoryASQuota(t *testing.T) {
	const most = 8 << 20
	o := guesttest.Read(t, "memory-as")
	open := func(t *testing.T) abi.Store {
		s, err := o.Sandbox.Open(t.Context(), o.Wasm, sandbox.Config{Component: o.Name, Settings: sandbox.Settings{Memory: 4 * most}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: o.Name, Properties: map[string]string{"maxBytes": strconv.Itoa(most)}}))
		return s
	}
	for _, tc := range []struct {
		name      string
		size, fit int // of a value, and how many can fit
	}{
		{"tiny", 1, most / 224},
		{"medium", 5000, most / 5000},
		{"huge", most/4 - 300, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t)
			value := make([]byte, tc.size)
			write := func(i int) error {
				return s.Set(t.Context(), &abi.SetRequest{Key: fmt.Appendf(nil, "key-%d", i), Value: value}, &abi.SetResponse{})
			}
			n := 0
			for ; n <= tc.fit && write(n) == nil; n++ {
			}
			require.Greater(t, n, tc.fit*8/10)
			require.Equal(t, abi.CodeQuota, abi.CodeOf(write(n)))
			for i := range min(3*n, 30_000) { // every one of them makes garbage
				require.NoError(t, write(i*7919%n), "after %d KiB", o.Sandbox.MemoryUsed()>>10)
			}
			t.Logf("%d values of %d bytes in %d KiB", n, tc.size, o.Sandbox.MemoryUsed()>>10)
			require.Equal(t, abi.CodeQuota, abi.CodeOf(write(n)))
			var resp abi.GetResponse
			require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte("key-0")}, &resp), "nothing was lost")
			require.Len(t, resp.Value, tc.size)

			failed := s.(abi.Transactor).Transact(t.Context(), []abi.Op{
				{Kind: abi.OpDelete, SetRequest: abi.SetRequest{Key: []byte("key-0")}},
				{SetRequest: abi.SetRequest{Key: []byte("new-0"), Value: value}},
				{SetRequest: abi.SetRequest{Key: []byte("new-1"), Value: value}},
			})
			// The huge ones do not even fit into a buffer.
			require.Contains(t, []abi.Code{abi.CodeQuota, abi.CodeTooLarge}, abi.CodeOf(failed), "%v", failed)
			require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte("key-0")}, &resp), "the transaction was taken back")
			require.NoError(t, s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte("key-0")}))
			require.NoError(t, write(0), "there is room again")
		})
	}
	t.Run("too large", func(t *testing.T) {
		s := open(t)
		guesttest.Set(t, s, "k", "v")
		for _, size := range []int{3 << 20, 40 << 20} { // over the quarter, over the memory
			err := s.Set(t.Context(), &abi.SetRequest{Key: []byte("large"), Value: make([]byte, size)}, &abi.SetResponse{})
			require.Equal(t, abi.CodeTooLarge, abi.CodeOf(err), "%d bytes: %v", size, err)
		}
		require.Equal(t, "v", string(guesttest.Value(t, s, "k", abi.ConsistencyDefault).Value), "the instance lives")
	})
}
