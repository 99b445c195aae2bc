package wasmbin_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// TestRewriteKeepsNames checks that a trap tells the names of functions, whose
// indexes are shifted, and that debugging data is gone.
func TestRewriteKeepsNames(t *testing.T) {
	ctx := context.Background()
	names := custom("name", slices.Concat(
		sec(0, name("mod")),
		vec(1, slices.Concat(leb(0), name("host")), slices.Concat(leb(1), name("outer")), slices.Concat(leb(2), name("inner"))),
	))
	b := module(
		vec(typeSec, typ(nil, nil)), vec(importSec, slices.Concat(name("m"), name("f"), []byte{0, 0})),
		vec(funcSec, leb(0), leb(0)), vec(exportSec, append(name("run"), 0, 1)),
		vec(codeSec, code(0x10, 2), code(0)), names, custom(".debug_line", []byte("x")),
	)
	m, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
	require.NoError(t, err)
	require.Equal(t, "inner", m.FunctionName(2))
	require.Empty(t, m.FunctionName(3))
	require.Equal(t, []wasmbin.Import{{Module: "m", Name: "f"}}, m.Imports())
	require.Contains(t, m.Digest(), "sha256:")
	e, ok := m.Export("run")
	require.True(t, ok)
	require.Equal(t, "() -> ()", e.Type.String())

	w, err := newWorld(ctx, features, 256, &fuel{slice: 100, limits: wasmbin.DefaultLimits()})
	require.NoError(t, err)
	defer w.rt.Close(ctx)
	_, err = w.rt.NewHostModuleBuilder("m").NewFunctionBuilder().WithFunc(func() {}).Export("f").Instantiate(ctx)
	require.NoError(t, err)
	mod, err := w.load(ctx, b, "")
	require.NoError(t, err)
	_, err = mod.ExportedFunction("run").Call(ctx)
	require.ErrorContains(t, err, "mod.inner()")
	require.ErrorContains(t, err, "mod.outer()")
	out, err := w.change(b)
	require.NoError(t, err)
	require.NotContains(t, string(out), ".debug_line")
}

// TestErrorsNameTheFunction checks that a refusal tells which function it is
// about.
func TestErrorsNameTheFunction(t *testing.T) {
	b := oneFunction(code(0x10, 9), vec(exportSec, append(name("ws_get"), 0, 0)))
	_, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
	require.ErrorContains(t, err, `function 0 "ws_get": there is no function 9`)
	require.ErrorContains(t, err, "at byte")
}

func TestRewriteNeedsASlice(t *testing.T) {
	m, err := wasmbin.Parse([]byte(header), wasmbin.DefaultLimits())
	require.NoError(t, err)
	_, err = m.Rewrite(wasmbin.Options{})
	require.ErrorContains(t, err, "slice")
}

// TestRewriteEmpty checks that a module without any section gets all that it
// needs.
func TestRewriteEmpty(t *testing.T) {
	ctx := context.Background()
	w, err := newWorld(ctx, features, 256, &fuel{slice: 100, limits: wasmbin.DefaultLimits()})
	require.NoError(t, err)
	defer w.rt.Close(ctx)
	m, err := w.load(ctx, []byte(header), "")
	require.NoError(t, err)
	require.EqualValues(t, 100, m.ExportedGlobal(wasmbin.FuelGlobal).Get())
}
