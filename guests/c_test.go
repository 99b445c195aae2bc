package guests_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox"
)

// TestCHost runs the suite on a store that uses everything of the C kit that
// asks the host for something.
func TestCHost(t *testing.T) {
	raw := filepath.Join(t.TempDir(), "out.wasm")
	text, err := exec.Command("sdk/c/build.sh", raw, "sdk/c/passthrough_test.c").CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 127 && os.Getenv("WASMSTATE_REQUIRE") != "1" {
		t.Skipf("%s", text)
	}
	require.NoError(t, err, "%s", text)
	require.Empty(t, string(text), "warnings of the compiler")
	wasm, err := os.ReadFile(raw)
	require.NoError(t, err)
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	manifest := strings.Replace(rustManifest, `{"name": "kv",`, `{"name": "secret", "reason": "opens"}, {"name": "kv",`, 1)
	wasm, err = m.Pack(wasm, []byte(manifest), false)
	require.NoError(t, err)
	kv, metrics, server, url := backend(t, "state.in-memory"), &counted{}, echo(t), mirror(t)
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
	require.Positive(t, metrics.reads)
	require.Equal(t, metrics.reads, metrics.values)
}
