package sandbox_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

func TestWasmStorePassesTheSuite(t *testing.T) {
	for _, mode := range []string{"single", "sharded"} {
		for _, meter := range []sandbox.Meter{sandbox.MeterFuel, sandbox.MeterWazero} {
			t.Run(mode+" "+string(meter), func(t *testing.T) {
				m := newModules(t)
				storetest.Run(t, func(t *testing.T) abi.Store {
					s, err := m.Open(t.Context(), guestbuild.WithManifest(guestbuild.Hostile(t, "good"), abi.FeatureETag, mode), sandbox.Config{Component: "good", Settings: sandbox.Settings{Meter: meter}})
					require.NoError(t, err)
					t.Cleanup(func() { require.NoError(t, s.Close()) })
					require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "good"}))
					return s
				}, storetest.Options{Small: true})
			})
		}
	}
}

// The same suite on the store that the C kit comes with.
func TestMemoryGuestPassesTheSuite(t *testing.T) {
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	m := newModules(t)
	storetest.Run(t, func(t *testing.T) abi.Store {
		s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "memory"})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "memory"}))
		return s
	}, storetest.Options{Small: true})
}
