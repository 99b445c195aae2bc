package guests_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox"
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

// compileRust builds a crate with the Rust kit, and skips the test if there is
// no compiler; CI does not skip.
func compileRust(t *testing.T, crate string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.wasm")
	text, err := exec.Command("sdk/rust/build.sh", crate, out).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 127 && os.Getenv("WASMSTATE_REQUIRE") != "1" {
		t.Skipf("%s", text)
	}
	require.NoError(t, err, "%s", text)
	wasm, err := os.ReadFile(out)
	require.NoError(t, err)
	return wasm
}

// mirror is a server that sends back the body and two headers of a request.
func mirror(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, name := range []string{"X-One", "X-Two", "Content-Type"} {
			w.Header().Set(name, r.Header.Get(name))
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1/"
}

// TestRustHost runs the suite on a store that uses everything of the Rust kit
// that asks the host for something. Secrets are proved by guests/cipher.
func TestRustHost(t *testing.T) {
	wasm := compileRust(t, "sdk/rust/tests/guest")
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	wasm, err = m.Pack(wasm, []byte(rustManifest), false)
	require.NoError(t, err)
	kv, metrics, server, url := backend(t, "state.in-memory"), &counted{}, echo(t), mirror(t)
	open := func(t *testing.T) abi.Store {
		cfg := sandbox.Config{Component: "passthrough"}
		cfg.Host.KV = map[string]hostfuncs.KV{"data": kv}
		cfg.Host.Config = map[string]string{"label": "data", "echo": server, "url": url + "k"}
		cfg.Host.Metrics = metrics
		cfg.Host.TCP = []string{server}
		cfg.Host.HTTP = []string{"GET,PUT " + url}
		cfg.Host.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s, err := m.Open(t.Context(), wasm, cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "passthrough"}))
		return s
	}
	storetest.Run(t, open, storetest.Options{Small: true, Shared: true})
	pinged := open(t).(abi.Pinger)
	for range 20 { // more often than an instance may have connections or exchanges open
		require.NoError(t, pinged.Ping(t.Context()))
	}
	require.Positive(t, metrics.reads)
	require.Equal(t, metrics.reads, metrics.values)
}
