package wasmbin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// features are those that the engine switches on.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

var (
	errFuel    = errors.New("no more fuel")
	errNoPlain = errors.New("there is no such module or export")
)

// fuel says how modules are rewritten and how much they get.
type fuel struct {
	slice   int64 // units at a time
	limits  wasmbin.Limits
	options wasmbin.Options // Slice is filled in
	most    int             // refills allowed; 0 = any number
}

// world is a runtime in which modules are rewritten before they are compiled,
// or not, and that is otherwise the same.
type world struct {
	rt      wazero.Runtime
	fuel    *fuel // nil = modules are not rewritten
	named   map[string]api.Module
	last    api.Module
	refills int
}

// newWorld opens a world in which a memory can have so many pages.
func newWorld(ctx context.Context, use api.CoreFeatures, pages uint32, f *fuel) (*world, error) {
	cfg := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(use).WithMemoryLimitPages(pages)
	w := &world{rt: wazero.NewRuntimeWithConfig(ctx, cfg), named: map[string]api.Module{}, fuel: f}
	if f == nil {
		return w, nil
	}
	f.options.Slice = f.slice
	_, err := w.rt.NewHostModuleBuilder(wasmbin.RefillModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(w.refill), nil, nil).Export(wasmbin.RefillName).Instantiate(ctx)
	return w, err
}

// change is what becomes of a module in this world.
func (w *world) change(b []byte) ([]byte, error) {
	if w.fuel == nil {
		return b, nil
	}
	m, err := wasmbin.Parse(b, w.fuel.limits)
	if err != nil {
		return nil, err
	}
	return m.Rewrite(w.fuel.options)
}

func (w *world) refill(_ context.Context, mod api.Module, _ []uint64) {
	w.refills++
	if w.fuel.most > 0 && w.refills > w.fuel.most {
		panic(errFuel)
	}
	g := mod.ExportedGlobal(wasmbin.FuelGlobal).(api.MutableGlobal)
	if int64(g.Get()) >= 0 {
		panic(fmt.Sprintf("refill was called with %d units left", int64(g.Get())))
	}
	g.Set(uint64(w.fuel.slice))
}

// load compiles and instantiates a module.
func (w *world) load(ctx context.Context, b []byte, name string) (api.Module, error) {
	b, err := w.change(b)
	if err != nil {
		return nil, err
	}
	return w.rt.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
}

// compile compiles a module without instantiating it.
func (w *world) compile(ctx context.Context, b []byte) error {
	b, err := w.change(b)
	if err != nil {
		return err
	}
	c, err := w.rt.CompileModule(ctx, b)
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

func (w *world) module(name string) api.Module {
	if name == "" {
		return w.last
	}
	return w.named[name]
}

// do invokes a function or reads a global.
func (w *world) do(ctx context.Context, a *action, args []uint64) ([]uint64, []api.ValueType, error) {
	m := w.module(a.Module)
	if m == nil {
		return nil, nil, errNoPlain
	}
	if a.Type == "get" {
		g := m.ExportedGlobal(a.Field)
		if g == nil {
			return nil, nil, errNoPlain
		}
		return []uint64{g.Get()}, []api.ValueType{g.Type()}, nil
	}
	f := m.ExportedFunction(a.Field)
	if f == nil {
		return nil, nil, errNoPlain
	}
	got, err := f.Call(ctx, args...)
	return got, f.Definition().ResultTypes(), err
}

// cause is the first line of an error: what happened, without the stack.
func cause(err error) string {
	if err == nil {
		return ""
	}
	s, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(s, "wasm error: ")
}
