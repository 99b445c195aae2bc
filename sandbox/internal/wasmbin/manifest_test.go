package wasmbin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

func TestParseManifest(t *testing.T) {
	m, err := wasmbin.ParseManifest([]byte(`{
		"name": "ledger", "version": "1.2.0", "description": "d", "license": "l", "source": "s",
		"abi": {"min": 1, "max": 3}, "features": ["ETAG", "TTL"],
		"concurrency": {"mode": "sharded", "max": 8}, "state": "instance",
		"metadata": {"type": "object", "properties": {"token": {"secret": true}}},
		"capabilities": [{"name": "kv", "reason": "r", "optional": true}],
		"memory": "16MiB", "maxTransactionOps": 5
	}`))
	require.NoError(t, err)
	require.Equal(t, &wasmbin.Manifest{
		Name: "ledger", Version: "1.2.0", Description: "d", License: "l", Source: "s", ABIMin: 1, ABIMax: 3,
		Features: abi.FeatureETag | abi.FeatureTTL, Mode: "sharded", MaxInstances: 8, State: "instance",
		Metadata:     []byte(`{"type": "object", "properties": {"token": {"secret": true}}}`),
		Capabilities: []wasmbin.Capability{{Name: "kv", Reason: "r", Optional: true}},
		Memory:       16 << 20, MaxTransactionOps: 5,
	}, m)
	m, err = wasmbin.ParseManifest([]byte(`{"name":"x"}`))
	require.NoError(t, err)
	require.Equal(t, &wasmbin.Manifest{Name: "x", ABIMin: 1, ABIMax: 1, Mode: "single", State: "none"}, m)
}

func TestManifestErrors(t *testing.T) {
	for _, tc := range []struct{ name, json, want string }{
		{"empty", ``, "too early"},
		{"not JSON", `{"name": x}`, "line 1"},
		{"not an object", `[]`, "must be an object"},
		{"something behind", `{"name":"x"} {}`, "follows"},
		{"no name", `{}`, "needs a name"},
		{"bad name", `{"name":"Big"}`, "a-z"},
		{"name with a path", `{"name":"a/b"}`, "a-z"},
		{"unknown field", "{\n  \"name\":\"x\",\n  \"feautres\":[]}", `did you mean "features"?`},
		{"place", "{\n  \"name\":\"x\",\n  \"feautres\":[]}", `line 3`},
		{"other case", `{"Name":"x"}`, `did you mean "name"?`},
		{"twice", `{"name":"x","name":"y"}`, "twice"},
		{"feature", `{"name":"x","features":["ETAGS"]}`, `did you mean "ETAG"?`},
		{"feature twice", `{"name":"x","features":["TTL","TTL"]}`, "twice"},
		{"feature of another type", `{"name":"x","features":[1]}`, "text"},
		{"mode", `{"name":"x","concurrency":{"mode":"pol"}}`, `did you mean "pool"?`},
		{"state in a pool", `{"name":"x","concurrency":{"mode":"pool"},"state":"instance"}`, "single or sharded"},
		{"sharded transactions", `{"name":"x","concurrency":{"mode":"sharded"},"features":["TRANSACTIONAL"]}`, "TRANSACTIONAL"},
		{"future ABI", `{"name":"x","abi":{"min":2,"max":2}}`, "newer runtime"},
		{"inverse ABI", `{"name":"x","abi":{"min":2,"max":1}}`, "no version"},
		{"memory", `{"name":"x","memory":"16 apples"}`, "16MiB"},
		{"memory overflow", `{"name":"x","memory":"9223372036854775807GiB"}`, "4GiB"},
		{"memory negative", `{"name":"x","memory":-1}`, "4GiB"},
		{"fraction", `{"name":"x","maxTransactionOps":1.5}`, "whole number"},
		{"capability without name", `{"name":"x","capabilities":[{}]}`, "needs a name"},
		{"capability twice", `{"name":"x","capabilities":[{"name":"kv"},{"name":"kv"}]}`, "twice"},
		{"schema of another type", `{"name":"x","metadata":[]}`, "JSON Schema"},
		{"deep", `{"name":"x","metadata":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 101), "levels deep"},
		{"long", `{"name":"x","description":"` + strings.Repeat("a", 70<<10) + `"}`, "at most 65536"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "UTF-8"},
		{"null", `{"name":null}`, "text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := wasmbin.ParseManifest([]byte(tc.json))
			require.ErrorContains(t, err, tc.want)
			require.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestCustomSections(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "kernels.wasm"))
	require.NoError(t, err)
	m, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
	require.NoError(t, err)
	_, err = m.Manifest()
	require.ErrorIs(t, err, wasmbin.ErrNoManifest)

	one, err := wasmbin.SetCustom(b, abi.ManifestSection, []byte(`{"name":"one"}`))
	require.NoError(t, err)
	two, err := wasmbin.SetCustom(one, abi.ManifestSection, []byte(`{"name":"two"}`))
	require.NoError(t, err)
	m, err = wasmbin.Parse(two, wasmbin.DefaultLimits())
	require.NoError(t, err)
	manifest, err := m.Manifest()
	require.NoError(t, err)
	require.Equal(t, "two", manifest.Name)

	back, err := wasmbin.RemoveCustom(two, abi.ManifestSection)
	require.NoError(t, err)
	require.Equal(t, b, back)

	debug := module(custom(".debug_info", []byte("x")), custom("name", nil), custom("sourceMappingURL", nil))
	stripped, err := wasmbin.StripDebug(debug)
	require.NoError(t, err)
	require.Equal(t, module(custom("name", nil)), stripped)

	for _, bad := range [][]byte{nil, []byte("(module)"), append([]byte(header), 0, 200)} {
		_, err = wasmbin.SetCustom(bad, "x", nil)
		var refusal *wasmbin.Error
		require.ErrorAs(t, err, &refusal)
	}
}

// TestManifestSizes: sizes are written as in component files and on the command line.
func TestManifestSizes(t *testing.T) {
	for text, want := range map[string]int64{`1048576`: 1 << 20, `"32MiB"`: 32 << 20, `"4Mi"`: 4 << 20, `"1GB"`: 1e9, `"4 gib"`: 4 << 30} {
		m, err := wasmbin.ParseManifest([]byte(`{"name":"x","memory":` + text + `}`))
		require.NoError(t, err, text)
		require.Equal(t, want, m.Memory)
	}
}
