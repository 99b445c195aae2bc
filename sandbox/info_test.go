package sandbox_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

func TestPackAndInspect(t *testing.T) {
	m := newModules(t)
	manifest := `{"name":"ledger","version":"1.2.0","features":["ETAG"],"concurrency":{"mode":"pool","max":4},"memory":"16MiB",
		"metadata":{"type":"object"},"license":"MIT"}`
	packed, err := m.Pack(guestbuild.WithManifest(guestbuild.Hostile(t, "good"), 0, "single"), []byte(manifest), false)
	require.NoError(t, err)
	info, err := m.Inspect(packed)
	require.NoError(t, err)
	require.Equal(t, "state.ledger", info.Type)
	require.Equal(t, "1.2.0", info.Version)
	require.Equal(t, abi.FeatureETag, info.Features)
	require.Equal(t, "pool", info.Concurrency)
	require.Equal(t, 4, info.MaxInstances)
	require.Equal(t, int64(16<<20), info.Memory)
	require.Equal(t, "none", info.State)
	require.JSONEq(t, `{"type":"object"}`, string(info.Schema))
	require.Contains(t, info.Exports, "ws_get (i32) -> (i64)")
	require.Contains(t, info.Exports, "memory memory")
	require.Empty(t, info.Imports)
	require.Positive(t, info.MemoryPages)
	require.True(t, strings.HasPrefix(info.Digest, "sha256:"))
	require.Equal(t, len(packed), info.Size)
	require.Contains(t, info.Score, "functions")

	again, err := m.Pack(packed, []byte(manifest), false)
	require.NoError(t, err)
	require.Equal(t, packed, again, "packing twice changes nothing")

	s, err := m.Open(t.Context(), packed, sandbox.Config{Component: "ledger"})
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context(), abi.Metadata{}))
	require.NoError(t, s.Close())
}

func TestPackRefuses(t *testing.T) {
	m := newModules(t)
	good := `{"name":"x"}`
	for name, tc := range map[string]struct {
		module, manifest string
		texts            []string
	}{
		"manifest is not JSON":      {"good", `{`, []string{"manifest"}},
		"unknown field":             {"good", `{"name":"x","featurs":[]}`, []string{"featurs", "features"}},
		"feature without export":    {"good", `{"name":"x","features":["KEYS","BULK"]}`, []string{"ws_bulk_get, ws_bulk_write, ws_keys"}},
		"missing exports":           {"export-missing", good, []string{"ws_delete, ws_set"}},
		"capability without reason": {"import-refused", good, []string{`"kv"`, `"secret"`}},
		"invalid module":            {"index-global", good, []string{"global"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Pack(guestbuild.Hostile(t, tc.module), []byte(tc.manifest), false)
			var ge *abi.Fault
			require.ErrorAs(t, err, &ge)
			require.Equal(t, abi.FaultLoad, ge.Kind)
			for _, text := range tc.texts {
				require.ErrorContains(t, err, text)
			}
		})
	}
	_, err := m.Pack([]byte("no module"), []byte(good), false)
	require.ErrorContains(t, err, "not a WebAssembly module")
	_, err = m.Inspect(nil)
	require.ErrorContains(t, err, "not a WebAssembly module")
}

func TestLimitsAreNamed(t *testing.T) {
	_, err := sandbox.New(sandbox.Options{Limits: map[string]int64{"localz": 5}})
	require.ErrorContains(t, err, "localz")
	m, err := sandbox.New(sandbox.Options{Limits: map[string]int64{"functions": 2}})
	require.NoError(t, err)
	_, err = m.Inspect(guestbuild.WithManifest(guestbuild.Hostile(t, "good"), 0, "single"))
	require.ErrorContains(t, err, "functions")
	require.NoError(t, m.Close())
}
