package tiered_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// over grants the bucket data.
func over(kv hostfuncs.KV) sandbox.Config {
	return sandbox.Config{Host: hostfuncs.Config{KV: map[string]hostfuncs.KV{"data": kv}}}
}

func TestTieredSuite(t *testing.T) {
	for _, typ := range []string{"state.in-memory", "state.sqlite"} {
		t.Run(typ, func(t *testing.T) {
			o, kv := guesttest.Read(t, "tiered"), guesttest.Backend(t, typ)
			storetest.Run(t, func(t *testing.T) abi.Store { return o.OpenWith(t, over(kv)) }, storetest.Options{Small: true, Shared: true})
		})
	}
}

// TestTieredReplicas: what another replica wrote is seen by strong reads at
// once, and never lost by a write that is based on a cached value.
func TestTieredReplicas(t *testing.T) {
	o, kv := guesttest.Read(t, "tiered"), guesttest.Backend(t, "state.in-memory")
	a, b := o.OpenWith(t, over(kv), "maxAgeMilliseconds", "0"), o.OpenWith(t, over(kv))
	guesttest.Set(t, a, "k", "one")
	cached := guesttest.Value(t, a, "k", abi.ConsistencyDefault)
	guesttest.Set(t, b, "k", "two")
	require.Equal(t, "one", string(guesttest.Value(t, a, "k", abi.ConsistencyDefault).Value), "this is what the cache is for")
	require.Equal(t, "two", string(guesttest.Value(t, a, "k", abi.ConsistencyStrong).Value))
	require.Equal(t, "two", string(guesttest.Value(t, a, "k", abi.ConsistencyDefault).Value), "a strong read renews the cache")

	guesttest.Set(t, b, "k", "three")
	stale := guesttest.Value(t, a, "k", abi.ConsistencyDefault)
	require.NotEqual(t, cached.ETag, stale.ETag)
	err := a.Set(t.Context(), &abi.SetRequest{Key: []byte("k"), Value: []byte("four"), ETag: stale.ETag}, &abi.SetResponse{})
	require.ErrorIs(t, err, abi.ErrETagMismatch)
	require.Equal(t, "three", string(guesttest.Value(t, a, "k", abi.ConsistencyDefault).Value), "after a conflict the bucket is asked")
}

// TestTieredMakesRoom: more than fits is no error, and large values are served.
func TestTieredMakesRoom(t *testing.T) {
	o, kv := guesttest.Read(t, "tiered"), guesttest.Backend(t, "state.in-memory")
	s := o.OpenWith(t, over(kv), "entries", "4096", "maxAgeMilliseconds", "0")
	big := make([]byte, 60<<10)
	for i := range 1000 {
		key := fmt.Sprintf("k%d", i)
		big[0] = byte(i)
		guesttest.Set(t, s, key, string(big))
		require.Equal(t, big, guesttest.Value(t, s, key, abi.ConsistencyDefault).Value)
	}
	for i := range 1000 {
		big[0] = byte(i)
		require.Equal(t, big, guesttest.Value(t, s, fmt.Sprintf("k%d", i), abi.ConsistencyDefault).Value)
	}
	require.Less(t, o.Sandbox.MemoryUsed(), int64(48<<20))
	guesttest.Set(t, s, "huge", string(make([]byte, 2<<20)))
	require.Len(t, guesttest.Value(t, s, "huge", abi.ConsistencyDefault).Value, 2<<20)
}

// TestTieredRefuses says what is wrong with its properties and its bucket.
func TestTieredRefuses(t *testing.T) {
	o, kv := guesttest.Read(t, "tiered"), guesttest.Backend(t, "state.in-memory")
	for _, bad := range []string{"0", "-1", "x", "9999999", ""} {
		cfg := sandbox.Config{Component: o.Name}
		cfg.Host.KV = map[string]hostfuncs.KV{"data": kv}
		s, err := o.Sandbox.Open(t.Context(), o.Wasm, cfg)
		require.NoError(t, err)
		err = s.Init(t.Context(), abi.Metadata{Name: "x", Properties: map[string]string{"entries": bad}})
		require.ErrorContains(t, err, "entries is a number from 1")
		require.Equal(t, abi.CodeInvalidArgument, abi.CodeOf(err))
		require.NoError(t, s.Close())
	}
	cfg := sandbox.Config{Component: o.Name}
	cfg.Host.KV = map[string]hostfuncs.KV{"other": kv}
	s, err := o.Sandbox.Open(t.Context(), o.Wasm, cfg)
	require.NoError(t, err)
	require.ErrorContains(t, s.Init(t.Context(), abi.Metadata{Name: "x"}), "no bucket called data")
	require.NoError(t, s.Close())
}
