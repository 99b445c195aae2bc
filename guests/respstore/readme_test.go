package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
	"github.com/wasmstate/wasmstate/runtime"
)

// TestReadme runs the component of the README on a server with a password.
func TestReadme(t *testing.T) {
	r := redis(t, "--requirepass", "correct horse")
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	yaml := string(regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)[1])
	yaml = strings.NewReplacer("redis.internal:6379", r.Addr(), "10.0.0.0/8", "127.0.0.0/8",
		"  version: v1\n", "  version: v1\n  initTimeout: 5m\n").Replace(yaml) // under the race detector
	wasm, err := os.ReadFile("respstore.wasm")
	require.NoError(t, err)
	dir := t.TempDir()
	secrets := filepath.Join(t.TempDir(), "secrets.json")
	require.NoError(t, os.WriteFile(secrets, []byte(`{"redis-password": "correct horse"}`), 0o600))
	for name, content := range map[string]string{
		"orders.yaml": yaml, "respstore.wasm": string(wasm),
		"vault.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: vault}\nspec:\n  type: secretstores.local.file\n" +
			"  version: v1\n  metadata:\n  - {name: secretsFile, value: " + secrets + "}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	rt := guesttest.Run(t, runtime.Config{ComponentsPaths: []string{dir}})
	s, err := rt.Store("orders")
	require.NoError(t, err, "%+v", rt.Status())
	etag, err := set(t, s, "a", "1", "")
	require.NoError(t, err)
	value, got := get(t, s, "a")
	require.Equal(t, "1", value)
	require.Equal(t, etag, got)
}
