package runtime_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	builtin "github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// TestFilesThatBlink: files and modules go and come back, one by one and all
// together, while a client reads what it wrote before. Nothing fails and
// nothing is lost, and no store is made anew.
func TestFilesThatBlink(t *testing.T) {
	dir := t.TempDir()
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	files := map[string]string{
		"a.yaml": componentDoc("a", "state.in-memory"), "b.yaml": componentDoc("b", "state.memory-c") + "---\n" + componentDoc("c", "state.in-memory"),
		"m.wasm": string(wasm),
	}
	put := func(name string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o600))
	}
	for name := range files {
		put(name)
	}
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}, RemovalGrace: time.Hour}, runtime.WithStates(builtin.States()...))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	require.NoError(t, rt.Wait(ctx))
	stores := map[string]runtime.Store{}
	for _, name := range []string{"a", "b", "c"} {
		stores[name], err = rt.Store(name)
		require.NoError(t, err)
		require.NoError(t, stores[name].Set(ctx, &abi.SetRequest{Key: []byte("k"), Value: []byte(name)}, &abi.SetResponse{}))
	}
	reads := func(n int) {
		var resp abi.GetResponse
		for range n {
			for name, s := range stores {
				require.NoError(t, s.Get(ctx, &abi.GetRequest{Key: []byte("k")}, &resp))
				require.Equal(t, name, string(resp.Value))
			}
			_, err := rt.Store("c")
			require.NoError(t, err, "its name is known all the time")
		}
	}
	leaving := func() bool {
		for _, st := range rt.Status() {
			if st.State != "ready" {
				return true
			}
		}
		return false
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not a secret
	names := []string{"a.yaml", "b.yaml", "m.wasm"}
	for round := range 12 {
		rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		gone := names[:1+rnd.IntN(3)]
		for _, name := range gone {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
		if round%3 == 0 && gone[0] != "m.wasm" { // long enough to be seen
			require.Eventually(t, leaving, time.Minute, time.Millisecond)
		}
		reads(1 + rnd.IntN(200))
		for _, name := range gone {
			put(name)
		}
		reads(rnd.IntN(200))
	}
	require.Eventually(t, func() bool { return !leaving() }, time.Minute, time.Millisecond)
	for _, st := range rt.Status() {
		require.EqualValues(t, 1, st.Generation, "%+v", st)
	}
	cancel()
	require.NoError(t, <-done)
}
