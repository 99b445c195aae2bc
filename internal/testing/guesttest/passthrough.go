package guesttest

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Passthrough runs the suite on a store that uses everything of a kit that asks
// the host for something: it keeps its values in the bucket data, counts, and
// its ping talks to the servers that its configuration names.
func Passthrough(t *testing.T, wasm []byte, manifest string) {
	t.Helper()
	m := New(t, "passthrough", nil)
	var err error
	m.Wasm, err = m.Sandbox.Pack(wasm, []byte(manifest), false)
	require.NoError(t, err)
	kv, metrics, server, url := Backend(t, "state.in-memory"), &Counted{}, Echo(t), Mirror(t)
	open := func(t *testing.T) abi.Store {
		return m.OpenWith(t, sandbox.Config{Host: hostfuncs.Config{
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
		}})
	}
	storetest.Run(t, open, storetest.Options{Small: true, Shared: true})
	pinged := open(t).(abi.Pinger)
	for range 20 { // more often than an instance may have connections or exchanges open
		require.NoError(t, pinged.Ping(t.Context()))
	}
	require.Positive(t, metrics.Reads)
	require.Equal(t, metrics.Reads, metrics.Values)
}
