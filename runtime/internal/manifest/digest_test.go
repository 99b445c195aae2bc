package manifest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

var testTime = time.Unix(1_700_000_000, 0)

// load1 loads the only component of text.
func load1(t *testing.T, text string) *manifest.Component {
	t.Helper()
	res := manifest.Load([]string{write(t, t.TempDir(), "a.yaml", text)}, manifest.Options{})
	require.Empty(t, problems(res))
	require.Len(t, res.Components, 1)
	return &res.Components[0]
}

func TestDigest(t *testing.T) {
	base := load1(t, doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}")).Digest
	for name, text := range map[string]string{
		"comments": "# hi\n" + doc("a # hi", "state.x", "  version: v1 # hi", "  metadata:", "", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}"),
		"layout":   `{"apiVersion":"dapr.io/v1alpha1","kind":"Component","metadata":{"name":"a"},"spec":{"type":"state.x","version":"v1","metadata":[{"name":"a","value":"1"},{"name":"b","value":{"x":1,"y":[2]}}]}}`,
		"order":    doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: b, value: {x: 1, y: [2]}}", "  - {name: a, value: 1}"),
		"labels":   doc("a\n  labels: {x: y}", "state.x", "  version: v1", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}"),
	} {
		assert.Equal(t, base, load1(t, text).Digest, name)
	}
	for name, text := range map[string]string{
		"value":   doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: a, value: 2}", "  - {name: b, value: {x: 1, y: [2]}}"),
		"nested":  doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [3]}}"),
		"version": doc("a", "state.x", "  version: v2", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}"),
		"runtime": doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}", "  - {name: keyPrefix, value: none}"),
		"sandbox": doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}", "  - {name: sandbox, value: {timeout: 1s}}"),
		"env":     doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: a, envRef: X}", "  - {name: b, value: {x: 1, y: [2]}}"),
		"scopes":  doc("a", "state.x", "  version: v1", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}", "scopes: [x]"),
		"timeout": doc("a", "state.x", "  version: v1", "  initTimeout: 9s", "  metadata:", "  - {name: a, value: 1}", "  - {name: b, value: {x: 1, y: [2]}}"),
	} {
		assert.NotEqual(t, base, load1(t, text).Digest, name)
	}
	// What a sandbox says counts, not where it stands.
	one := load1(t, doc("a", "state.x", "  metadata:", "  - {name: sandbox, value: {timeout: 1s}}")).Digest
	assert.Equal(t, one, load1(t, doc("a", "state.x", "", "", "  metadata:", `  - {name: sandbox, value: '{"timeout": "1s"}'}`)).Digest)
}

func TestModulePath(t *testing.T) {
	for url, want := range map[string]string{
		"ledger.wasm":             "conf/ledger.wasm",
		"file://ledger.wasm":      "conf/ledger.wasm",
		"FILE://../m/ledger.wasm": "m/ledger.wasm",
		"file:///m/ledger.wasm":   "/m/ledger.wasm",
		"/m/ledger.wasm":          "/m/ledger.wasm",
		"https://x/ledger.wasm":   "",
		"":                        "",
	} {
		c := manifest.Component{Pos: manifest.Pos{File: "conf/a.yaml"}, Runtime: manifest.Runtime{URL: url}}
		got, local := c.ModulePath()
		assert.Equal(t, want, got, url)
		assert.Equal(t, want != "", local, url)
	}
}
