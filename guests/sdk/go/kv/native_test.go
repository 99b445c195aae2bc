//go:build !tinygo && !wasip1

package kv_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/guests/sdk/go/kv"
)

// TestProvide covers the native side only; guests/journal proves the other one.
func TestProvide(t *testing.T) {
	_, err := kv.Open("nobody")
	require.ErrorContains(t, err, "no bucket with the label nobody")
	require.Equal(t, abi.CodePermission, abi.CodeOf(err))

	store := memstore.New()
	require.NoError(t, store.Init(t.Context(), abi.Metadata{Name: "test"}))
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	kv.Provide("data", store)
	b, err := kv.Open("data")
	require.NoError(t, err)
	require.Equal(t, store.Features(), b.Features())

	require.NoError(t, b.Set(&abi.SetRequest{Key: []byte("a"), Value: []byte("1")}, nil))
	require.NoError(t, b.Transact([]abi.Op{{SetRequest: abi.SetRequest{Key: []byte("b"), Value: []byte("2")}}}))
	results := make([]abi.GetResult, 3)
	require.NoError(t, b.BulkGet([]abi.GetRequest{{Key: []byte("a")}, {Key: []byte("b")}, {Key: []byte("c")}}, results))
	require.Equal(t, "1", string(results[0].Value))
	require.Equal(t, "2", string(results[1].Value))
	require.ErrorIs(t, results[2].Err, abi.ErrNotFound)
	var page abi.KeysResponse
	require.NoError(t, b.Keys(&abi.KeysRequest{}, &page))
	require.Equal(t, [][]byte{[]byte("a"), []byte("b")}, page.Keys)
}
