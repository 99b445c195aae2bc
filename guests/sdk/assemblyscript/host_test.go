package assemblyscript_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
	"github.com/wasmstate/wasmstate/sandbox"
)

const passthroughManifest = `{
	"name": "passthrough", "version": "1.0.0", "abi": {"min": 1, "max": 1},
	"features": ["ETAG", "TRANSACTIONAL", "TTL", "KEYS", "BULK", "CONTENT_TYPE"],
	"concurrency": {"mode": "pool", "max": 4}, "state": "host",
	"metadata": {"type": "object"}, "license": "Apache-2.0",
	"capabilities": [
		{"name": "kv", "reason": "keeps the values"}, {"name": "config", "reason": "names the bucket"},
		{"name": "metric", "reason": "counts"}, {"name": "tcp", "reason": "pings"}
	]
}`

// TestAssemblyScriptHost runs the suite on a store that uses everything of the
// AssemblyScript kit that asks the host for something.
func TestAssemblyScriptHost(t *testing.T) {
	wasm, _ := guesttest.Build(t, ".", func(out string) []string { return []string{out, "tests/passthrough.ts"} })
	guesttest.Passthrough(t, wasm, passthroughManifest)
}

// TestAssemblyScriptErrors: a throw ends the instance and says what and where;
// a code and its message go to the caller.
func TestAssemblyScriptErrors(t *testing.T) {
	wasm, _ := guesttest.Build(t, ".", func(out string) []string { return []string{out, "tests/throws.ts"} })
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	wasm, err = m.Pack(wasm, []byte(`{"name": "throws", "abi": {"min": 1, "max": 1}, "state": "none"}`), false)
	require.NoError(t, err)
	var lines []string
	cfg := sandbox.Config{Component: "throws", Settings: sandbox.Settings{Instances: 1}}
	cfg.Host.Log = func(_ hostfuncs.Level, line string) { lines = append(lines, line) }
	s, err := m.Open(t.Context(), wasm, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "throws"}))
	err = s.Set(t.Context(), &abi.SetRequest{Key: []byte("k")}, &abi.SetResponse{})
	require.Equal(t, abi.CodeQuota, abi.CodeOf(err))
	require.ErrorContains(t, err, "no room for ключ")
	require.Equal(t, []string{"set ключ"}, lines)
	err = s.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
	require.ErrorContains(t, err, "the answer is missing")
	require.ErrorContains(t, err, "tests/throws.ts:8")
	var fault *abi.Fault
	require.ErrorAs(t, err, &fault)
	err = s.Delete(t.Context(), &abi.DeleteRequest{Key: []byte("k")})
	require.ErrorContains(t, err, "index out of range")
}
