package hostfuncs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox"
)

const passthroughManifest = `{
	"name": "passthrough", "version": "1.0.0", "abi": {"min": 1, "max": 1},
	"features": ["ETAG", "TRANSACTIONAL", "TTL", "KEYS", "BULK", "CONTENT_TYPE"],
	"concurrency": {"mode": "pool", "max": 4}, "state": "host",
	"capabilities": [{"name": "kv", "reason": "keeps everything"}]
}`

// TestKVPassesTheSuite runs the conformance suite on a guest that keeps
// everything in kv, over two stores.
func TestKVPassesTheSuite(t *testing.T) {
	wasm, err := os.ReadFile("testdata/passthrough.wasm")
	require.NoError(t, err)
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	wasm, err = m.Pack(wasm, []byte(passthroughManifest), false)
	require.NoError(t, err)
	for name, open := range map[string]func(t *testing.T) abi.Store{
		"memory": func(t *testing.T) abi.Store {
			s := memstore.New()
			require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "data"}))
			return s
		},
		"sqlite": func(t *testing.T) abi.Store {
			s := sqlitestore.New()
			require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "data", Properties: map[string]string{
				"connectionString": filepath.Join(t.TempDir(), "data.db"),
			}}))
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "sqlite" && testing.Short() {
				t.Skip("takes some seconds")
			}
			storetest.Run(t, func(t *testing.T) abi.Store {
				data := open(t)
				t.Cleanup(func() { require.NoError(t, data.Close()) })
				s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "orders", Host: hostfuncs.Config{
					KV: map[string]hostfuncs.KV{"data": data.(hostfuncs.KV)},
				}})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "orders"}))
				return s
			}, storetest.Options{Small: true, Skip: map[string]string{
				"close.goroutines": "the store behind it is closed after it",
			}})
		})
	}
	_, err = m.Open(t.Context(), wasm, sandbox.Config{Component: "orders"})
	require.ErrorContains(t, err, "add kv: {LABEL: COMPONENT} to the component's sandbox")
}
