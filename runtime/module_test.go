package runtime_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/runtime"
)

func TestWasmStorePassesTheSuite(t *testing.T) {
	m := newModules(t)
	storetest.Run(t, func(t *testing.T) abi.Store {
		s, err := m.Open(t.Context(), withManifest(readGuest(t, "good"), abi.FeatureETag, "single"), runtime.ModuleConfig{Component: "good"})
		require.NoError(t, err)
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "good"}))
		return s
	}, storetest.Options{Small: true})
}
