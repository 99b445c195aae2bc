package guests_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/runtime"
	"github.com/wasmstate/wasmstate/sandbox"
)

// backend runs a runtime with one component of the type and returns its handle:
// what a bucket is bound to.
func backend(t *testing.T, typ string) hostfuncs.KV {
	t.Helper()
	dir := t.TempDir()
	doc := "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: backend}\nspec:\n  version: v1\n  type: " + typ + "\n"
	if typ == "state.sqlite" {
		doc += fmt.Sprintf("  metadata:\n  - {name: connectionString, value: %q}\n", filepath.Join(t.TempDir(), "s.db"))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "backend.yaml"), []byte(doc), 0o600))
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}}, runtime.WithStates(all.States()...))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.NoError(t, rt.Wait(ctx))
	st, err := rt.Store("backend")
	require.NoError(t, err)
	return st
}

// openOver opens a store whose bucket data is kv.
func (o *opener) openOver(t *testing.T, kv hostfuncs.KV, properties ...string) abi.Store {
	t.Helper()
	cfg := sandbox.Config{Component: o.name}
	cfg.Host.KV = map[string]hostfuncs.KV{"data": kv}
	s, err := o.modules.Open(t.Context(), o.wasm, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	md := abi.Metadata{Name: o.name, Properties: map[string]string{}}
	for i := 0; i < len(properties); i += 2 {
		md.Properties[properties[i]] = properties[i+1]
	}
	require.NoError(t, s.Init(t.Context(), md))
	return s
}

func TestTieredSuite(t *testing.T) {
	for _, typ := range []string{"state.in-memory", "state.sqlite"} {
		t.Run(typ, func(t *testing.T) {
			o, kv := read(t, "tiered"), backend(t, typ)
			storetest.Run(t, func(t *testing.T) abi.Store { return o.openOver(t, kv) }, storetest.Options{Small: true, Shared: true})
		})
	}
}

func value(t *testing.T, s abi.Store, key string, consistency abi.Consistency) abi.GetResponse {
	t.Helper()
	var resp abi.GetResponse
	require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte(key), Consistency: consistency}, &resp))
	return resp
}

func set(t *testing.T, s abi.Store, key, text string) {
	t.Helper()
	require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte(text)}, &abi.SetResponse{}))
}

// TestTieredReplicas: what another replica wrote is seen by strong reads at
// once, and never lost by a write that is based on a cached value.
func TestTieredReplicas(t *testing.T) {
	o, kv := read(t, "tiered"), backend(t, "state.in-memory")
	a, b := o.openOver(t, kv, "maxAgeMilliseconds", "0"), o.openOver(t, kv)
	set(t, a, "k", "one")
	cached := value(t, a, "k", abi.ConsistencyDefault)
	set(t, b, "k", "two")
	require.Equal(t, "one", string(value(t, a, "k", abi.ConsistencyDefault).Value), "this is what the cache is for")
	require.Equal(t, "two", string(value(t, a, "k", abi.ConsistencyStrong).Value))
	require.Equal(t, "two", string(value(t, a, "k", abi.ConsistencyDefault).Value), "a strong read renews the cache")

	set(t, b, "k", "three")
	stale := value(t, a, "k", abi.ConsistencyDefault)
	require.NotEqual(t, cached.ETag, stale.ETag)
	err := a.Set(t.Context(), &abi.SetRequest{Key: []byte("k"), Value: []byte("four"), ETag: stale.ETag}, &abi.SetResponse{})
	require.ErrorIs(t, err, abi.ErrETagMismatch)
	require.Equal(t, "three", string(value(t, a, "k", abi.ConsistencyDefault).Value), "after a conflict the bucket is asked")
}

// TestTieredMakesRoom: more than fits is no error, and large values are served.
func TestTieredMakesRoom(t *testing.T) {
	o, kv := read(t, "tiered"), backend(t, "state.in-memory")
	s := o.openOver(t, kv, "entries", "4096", "maxAgeMilliseconds", "0")
	big := make([]byte, 60<<10)
	for i := range 1000 {
		key := fmt.Sprintf("k%d", i)
		big[0] = byte(i)
		set(t, s, key, string(big))
		require.Equal(t, big, value(t, s, key, abi.ConsistencyDefault).Value)
	}
	for i := range 1000 {
		big[0] = byte(i)
		require.Equal(t, big, value(t, s, fmt.Sprintf("k%d", i), abi.ConsistencyDefault).Value)
	}
	require.Less(t, o.modules.MemoryUsed(), int64(48<<20))
	set(t, s, "huge", string(make([]byte, 2<<20)))
	require.Len(t, value(t, s, "huge", abi.ConsistencyDefault).Value, 2<<20)
}

// TestTieredRefuses says what is wrong with its properties and its bucket.
func TestTieredRefuses(t *testing.T) {
	o, kv := read(t, "tiered"), backend(t, "state.in-memory")
	for _, bad := range []string{"0", "-1", "x", "9999999", ""} {
		cfg := sandbox.Config{Component: o.name}
		cfg.Host.KV = map[string]hostfuncs.KV{"data": kv}
		s, err := o.modules.Open(t.Context(), o.wasm, cfg)
		require.NoError(t, err)
		err = s.Init(t.Context(), abi.Metadata{Name: "x", Properties: map[string]string{"entries": bad}})
		require.ErrorContains(t, err, "entries is a number from 1")
		require.Equal(t, abi.CodeInvalidArgument, abi.CodeOf(err))
		require.NoError(t, s.Close())
	}
	cfg := sandbox.Config{Component: o.name}
	cfg.Host.KV = map[string]hostfuncs.KV{"other": kv}
	s, err := o.modules.Open(t.Context(), o.wasm, cfg)
	require.NoError(t, err)
	require.ErrorContains(t, s.Init(t.Context(), abi.Metadata{Name: "x"}), "no bucket called data")
	require.NoError(t, s.Close())
}
