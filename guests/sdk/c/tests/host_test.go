package c_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guesttest"
	"github.com/wasmstate/wasmstate/sandbox"
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
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	wasm, err = m.Pack(wasm, []byte(manifest), false)
	require.NoError(t, err)
	kv, metrics, server, url := guesttest.Backend(t, "state.in-memory"), &guesttest.Counted{}, guesttest.Echo(t), guesttest.Mirror(t)
	open := func(t *testing.T) abi.Store {
		cfg := sandbox.Config{Component: "passthrough"}
		cfg.Host = hostfuncs.Config{
			KV:      map[string]hostfuncs.KV{"data": kv},
			Config:  map[string]string{"label": "data", "echo": server, "url": url + "k"},
			Metrics: metrics, TCP: []string{server}, HTTP: []string{"GET,PUT " + url},
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Secrets: func(_ context.Context, name string) (string, error) {
				if name != "password" {
					return "", abi.ErrPermission
				}
				return "opensesame", nil
			},
		}
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
	require.Positive(t, metrics.Reads)
	require.Equal(t, metrics.Reads, metrics.Values)
}
