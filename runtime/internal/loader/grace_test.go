package loader_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime/internal/loader"
	"github.com/wasmstate/wasmstate/sandbox"
)

const memoryDoc = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {type: state.in-memory, version: v1}\n"

// graced is a loader whose grace is long, or short.
func graced(t *testing.T, dir string, grace time.Duration) *loader.Loader {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	registry := new(loader.Registry)
	require.NoError(t, registry.Register(all.States()...))
	l := loader.New(loader.Config{Paths: []string{dir}, AppID: "app", Registry: registry, Sandbox: sb, Grace: grace})
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// TestMissingDocumentsStayForAGrace: whatever way the file goes.
func TestMissingDocumentsStayForAGrace(t *testing.T) {
	other := "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: b}\nspec: {type: state.in-memory}\n"
	for name, gone := range map[string]func(t *testing.T, dir string){
		"deleted": func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "a.yaml"))) },
		"renamed away": func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, "a.yaml"), filepath.Join(dir, "a.bak")))
		},
		"another content": func(t *testing.T, dir string) { write(t, dir, "a.yaml", other) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "a.yaml", memoryDoc)
			l := graced(t, dir, time.Hour)
			require.Len(t, l.Plan(t.Context(), false).Specs, 1)
			gone(t, dir)
			p := l.Plan(t.Context(), false)
			require.True(t, p.Keeps("a"))
			require.ErrorContains(t, p.Complaint("a"), "leaving in 3")
			require.WithinDuration(t, time.Now().Add(time.Hour), p.Next, time.Minute)

			write(t, dir, "a.yaml", memoryDoc)
			p = l.Plan(t.Context(), false)
			require.NoError(t, p.Complaint("a"), "it is there again")
			if name != "another content" { // then b is missing
				require.Zero(t, p.Next)
			}
			require.Len(t, p.Specs, 1)

			gone(t, dir)
			require.False(t, l.Plan(t.Context(), true).Keeps("a"), "who asks for a reading means it")
		})
	}
}

func TestWhatIsMissingGoes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", memoryDoc)
	l := graced(t, dir, time.Nanosecond)
	l.Plan(t.Context(), false)
	require.NoError(t, os.Remove(filepath.Join(dir, "a.yaml")))
	for l.Plan(t.Context(), false).Keeps("a") {
	}
	p := l.Plan(t.Context(), false)
	require.False(t, p.Keeps("a"))
	require.Zero(t, p.Next)
}

// TestCommentsOnlyActAtOnce: whoever leaves a comment has thought about it.
func TestCommentsOnlyActAtOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", memoryDoc)
	l := graced(t, dir, time.Hour)
	l.Plan(t.Context(), false)
	write(t, dir, "a.yaml", "# retired on Friday\n---\n# by mary\n")
	require.False(t, l.Plan(t.Context(), false).Keeps("a"))
	write(t, dir, "a.yaml", memoryDoc)
	l.Plan(t.Context(), false)
	write(t, dir, "a.yaml", " \n")
	require.True(t, l.Plan(t.Context(), false).Keeps("a"), "an empty file is about to be written")
}

// TestModulesStayForAGrace: the type of a dropped module, and the module that a
// component names.
func TestModulesStayForAGrace(t *testing.T) {
	wasm, err := os.ReadFile("../../../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	for name, typ := range map[string]string{"dropped": "type: state.memory-c", "named": "type: state.wasm, metadata: [{name: url, value: file://sub/m.wasm}]"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "m.wasm")
			if name == "named" {
				require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
				file = filepath.Join(dir, "sub", "m.wasm")
			}
			require.NoError(t, os.WriteFile(file, wasm, 0o600))
			write(t, dir, "a.yaml", "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {"+typ+"}\n")
			l := graced(t, dir, time.Hour)
			digest := func(now bool) string { return l.Plan(t.Context(), now).Specs[0].Digest }
			first := digest(false)
			require.Contains(t, first, "sha256:")
			require.NoError(t, os.Remove(file))
			require.Equal(t, first, digest(false))
			require.NotEqual(t, first, digest(true))
		})
	}
}
