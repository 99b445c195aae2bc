package sandbox_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// FuzzOpen opens and runs whatever bytes there are: the process must survive,
// and every operation must come back.
func FuzzOpen(f *testing.F) {
	found, err := filepath.Glob("../guests/hostile/*.wasm")
	require.NoError(f, err)
	for _, path := range found {
		if name := strings.TrimSuffix(filepath.Base(path), ".wasm"); !strings.HasPrefix(name, "loop-") { // they take seconds each
			f.Add(guestbuild.Hostile(f, name))
		}
	}
	m, err := sandbox.New(sandbox.Options{MemoryBudget: 256 << 20})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		s, err := m.Open(t.Context(), guestbuild.WithManifest(wasm, abi.FeatureETag, "pool"), sandbox.Config{
			Component: "fuzz", Settings: sandbox.Settings{Memory: 16 << 20, Timeout: 5 * time.Millisecond, Instances: 2},
		})
		if err != nil {
			return
		}
		if s.Init(t.Context(), abi.Metadata{Name: "fuzz"}) == nil {
			k := []byte("key")
			_ = s.Set(t.Context(), &abi.SetRequest{Key: k, Value: k}, &abi.SetResponse{})
			_ = s.Get(t.Context(), &abi.GetRequest{Key: k}, &abi.GetResponse{})
			_ = s.Delete(t.Context(), &abi.DeleteRequest{Key: k})
		}
		require.NoError(t, s.Close())
		require.Zero(t, m.MemoryUsed())
	})
}
