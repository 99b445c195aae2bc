package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/runtime"
)

func TestValidate(t *testing.T) {
	good := write(t, t.TempDir(), "a.yaml", doc("a", "state.in-memory"), "b.yaml", doc("b", "state.sqlite", "connectionString", "x.db"))
	code, out, errs := command(t, "validate", good)
	require.Zero(t, code, errs)
	require.Contains(t, out, "2 components are good")

	bad := write(t, t.TempDir(), "a.yaml", doc("a", "state.sqlite", "timeot", "1s", "busyTimeout", "soon")+"---\n"+doc("b", "state.redsi"),
		"m.wasm", "no", "c.yaml", doc("c", "state.wasm"), "d.yaml", doc("d", "secretstores.local.fil"))
	code, out, errs = command(t, "validate", bad)
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	for _, want := range []string{"a.yaml:8", "timeout", "a.yaml:9", "busyTimeout", "a.yaml:13", "state.redsi", "m.wasm", "metadata item url", "secretstores.local.file"} {
		require.Contains(t, errs, want)
	}

	code, out, _ = command(t, "validate", "--json", bad)
	require.Equal(t, exitFailed, code)
	var v runtime.Validation
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.GreaterOrEqual(t, len(v.Problems), 6)
	require.Equal(t, []string{"a", "b", "d"}, v.Components)

	code, _, errs = command(t, "validate")
	require.Equal(t, exitUsage, code)
	require.NotEmpty(t, errs)
	code, _, errs = command(t, "validate", "no/such")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no/such")
}

func TestUsage(t *testing.T) {
	code, out, _ := command(t, "version")
	require.Zero(t, code)
	require.Contains(t, out, "wasm ABI 1")
	code, out, _ = command(t)
	require.Zero(t, code)
	require.Contains(t, out, "Available Commands")
	code, _, errs := command(t, "rum")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `did you mean "run"`)
	code, _, errs = command(t, "status", "--admin-address", "127.0.0.1:1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "is the server running")
}
