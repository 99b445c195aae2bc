package main_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// TestReadme runs the component of the README over state.sqlite, twice on one
// file.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	yaml := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)[1]
	yaml = bytes.Replace(yaml, []byte("  version: v1\n"), []byte("  version: v1\n  initTimeout: 5m\n"), 1) // under the race detector
	wasm, err := os.ReadFile("journal.wasm")
	require.NoError(t, err)
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"ledger.yaml": yaml, "journal.wasm": wasm,
		"localdb.yaml": []byte("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: localdb}\nspec:\n  type: state.sqlite\n" +
			"  version: v1\n  metadata:\n  - {name: connectionString, value: " + filepath.Join(t.TempDir(), "data.db") + "}\n"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	for run := range 2 {
		rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}}, runtime.WithStates(all.States()...))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- rt.Run(ctx) }() // ends with cancel
		if err := rt.Wait(ctx); err != nil {
			t.Fatalf("run %d: %v; run: %v", run, err, <-done)
		}
		s, err := rt.Store("ledger")
		require.NoError(t, err)
		if run == 0 {
			put(t, s, "order-7", "one")
			require.Equal(t, "2", put(t, s, "order-7", "two"))
		}
		for version, want := range map[string]string{"1": "one", "2": "two", "": "two"} {
			got, err := get(t, s, "order-7", version)
			require.NoError(t, err, "version %s in run %d", version, run)
			require.Equal(t, want, got)
		}
		cancel()
		require.NoError(t, <-done)
	}
}
