package rust_test

import (
	"testing"

	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
)

const rustManifest = `{
	"name": "passthrough", "version": "1.0.0", "abi": {"min": 1, "max": 1},
	"features": ["ETAG", "TRANSACTIONAL", "TTL", "KEYS", "CONTENT_TYPE"],
	"concurrency": {"mode": "pool", "max": 4}, "state": "host",
	"metadata": {"type": "object"}, "license": "Apache-2.0",
	"capabilities": [
		{"name": "kv", "reason": "keeps the values"}, {"name": "config", "reason": "names the bucket"},
		{"name": "metric", "reason": "counts"}, {"name": "tcp", "reason": "pings"}, {"name": "http", "reason": "pings"}
	]
}`

// TestRustHost runs the suite on a store that uses everything of the Rust kit
// that asks the host for something. Secrets are proved by guests/cipher.
func TestRustHost(t *testing.T) {
	wasm, _ := guesttest.Build(t, ".", func(out string) []string { return []string{"tests/guest", out} })
	guesttest.Passthrough(t, wasm, rustManifest)
}
