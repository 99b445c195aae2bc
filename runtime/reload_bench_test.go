package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	builtin "github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// BenchmarkReload measures from the rename of a changed file to the new
// version serving, through the watcher, with keys entries in the store whose
// state moves. The debounce of 30 ms is part of it.
func BenchmarkReload(b *testing.B) {
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	require.NoError(b, err)
	for _, c := range []struct {
		name string
		keys int
		wasm bool
	}{{"builtin", 0, false}, {"builtin", 100_000, false}, {"wasm", 0, true}, {"wasm", 100_000, true}} {
		b.Run(fmt.Sprintf("%s/keys=%d", c.name, c.keys), func(b *testing.B) {
			dir := b.TempDir()
			change := func(n int) {
				name, data := "s.yaml", fmt.Appendf(nil, "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: s}\nspec: {type: state.in-memory, version: v1, initTimeout: %dms}\n", 10000+n)
				if c.wasm {
					name, data = "s.wasm", append(bytes.Clone(wasm), 0, 3, 2, 'x', byte(n)) // a custom section makes other bytes
				}
				tmp := filepath.Join(dir, name+".tmp")
				require.NoError(b, os.WriteFile(tmp, data, 0o644))
				require.NoError(b, os.Rename(tmp, filepath.Join(dir, name)))
			}
			if c.wasm {
				require.NoError(b, os.WriteFile(filepath.Join(dir, "s.yaml"), []byte("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: s}\nspec: {type: state.memory-c, version: v1}\n"), 0o644))
			}
			change(0)
			rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}, CacheDir: b.TempDir()}, runtime.WithStates(builtin.States()...))
			require.NoError(b, err)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- rt.Run(ctx) }()
			b.Cleanup(func() { cancel(); require.NoError(b, <-done) })
			require.NoError(b, rt.Wait(ctx))
			st, err := rt.Store("s")
			require.NoError(b, err)
			for i := range c.keys {
				req := abi.SetRequest{Key: fmt.Appendf(nil, "key-%020d", i), Value: make([]byte, 128)}
				require.NoError(b, st.Set(ctx, &req, &abi.SetResponse{}))
			}
			generation := func() runtime.Status { return rt.Status()[0] }
			var took, pauses []time.Duration
			for n := 1; b.Loop(); n++ {
				old := generation().Generation
				from := time.Now()
				change(n)
				for generation().Generation == old {
					time.Sleep(200 * time.Microsecond) // the resolution of the figure
				}
				took = append(took, time.Since(from))
				pauses = append(pauses, generation().HandOverPause)
			}
			slices.Sort(took)
			slices.Sort(pauses)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
			b.ReportMetric(float64(pauses[len(pauses)/2].Microseconds())/1000, "write-pause-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
