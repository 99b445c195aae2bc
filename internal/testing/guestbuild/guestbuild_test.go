package guestbuild_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// TestGoGuests runs the suite on the Go guests of both compilers. One instance
// each: their memory is their state.
func TestGoGuests(t *testing.T) {
	modules, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, modules.Close()) })
	for _, name := range []string{"memory-go", "minimal-go"} {
		committed, err := os.ReadFile(filepath.Join(guestbuild.Root(), "guests", name, name+".wasm"))
		require.NoError(t, err)
		for compiler, wasm := range map[string][]byte{"standard": guestbuild.Go(t, name), "tinygo": committed} {
			t.Run(name+"/"+compiler, func(t *testing.T) {
				if guestbuild.Race && compiler == "standard" {
					t.Skip("compiling takes minutes with the race detector; make standard-go runs it without")
				}
				storetest.Run(t, func(t *testing.T) abi.Store {
					s, err := modules.Open(t.Context(), wasm, sandbox.Config{Component: name})
					require.NoError(t, err)
					require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: name}))
					return s
				}, storetest.Options{Small: true})
			})
		}
	}
}

// TestSizes keeps the smallest module an author can write small.
func TestSizes(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join(guestbuild.Root(), "guests", "minimal-go", "minimal-go.wasm"))
	require.NoError(t, err)
	require.Less(t, len(committed), 16<<10, "TinyGo")
	require.Less(t, len(guestbuild.Go(t, "minimal-go")), 22<<20/10, "standard Go")
}
