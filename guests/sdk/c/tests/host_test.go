package c_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
)

const manifest = `{
	"name": "passthrough", "version": "1.0.0", "abi": {"min": 1, "max": 1},
	"features": ["ETAG", "TRANSACTIONAL", "TTL", "KEYS", "CONTENT_TYPE"],
	"concurrency": {"mode": "pool", "max": 4}, "state": "host",
	"metadata": {"type": "object"}, "license": "Apache-2.0",
	"capabilities": [
		{"name": "secret", "reason": "opens"}, {"name": "kv", "reason": "keeps the values"}, {"name": "config", "reason": "names the bucket"},
		{"name": "metric", "reason": "counts"}, {"name": "tcp", "reason": "pings"}, {"name": "http", "reason": "pings"}
	]
}`

// TestCHost runs the suite on a store that uses everything of the C kit that
// asks the host for something.
func TestCHost(t *testing.T) {
	wasm, said := guesttest.Build(t, "..", func(out string) []string { return []string{out, "passthrough_test.c"} })
	require.Empty(t, said, "warnings of the compiler")
	guesttest.Passthrough(t, wasm, manifest)
}
