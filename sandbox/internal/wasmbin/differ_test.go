package wasmbin_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// differPages bounds the memory of the modules: some grow as far as they can.
const differPages = 256

// outcome is everything that can be seen of running a module.
type outcome struct {
	refused error // why it is not accepted
	steps   []string
	fuel    bool // it was stopped because it needed more fuel than allowed
}

// observe runs every exported function of a module with a few arguments and
// notes what it returns and leaves behind. Imports are functions that return
// numbers made of their arguments.
func observe(ctx context.Context, b []byte, f *fuel, most int) (*outcome, error) {
	w, err := newWorld(ctx, features, differPages, f)
	if err != nil {
		return nil, err
	}
	defer w.rt.Close(ctx)
	o := &outcome{}
	changed, err := w.change(b)
	if err != nil {
		o.refused = err
		return o, nil
	}
	code, err := w.rt.CompileModule(ctx, changed)
	if err != nil {
		o.refused = err
		return o, nil
	}
	if err := w.stubs(ctx, code, o); err != nil {
		return nil, err
	}
	mod, err := w.rt.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		o.step("instantiate", nil, err)
		return o, nil
	}
	hasMemory := false
	if m, err := wasmbin.Parse(b, wasmbin.DefaultLimits()); err == nil {
		_, _, _, hasMemory = m.Memory()
	}
	var names []string
	for name := range code.ExportedFunctions() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, seed := range []uint64{0, 1, 64, 1<<63 | 0x7fff_fff0} {
		for _, name := range names[:min(len(names), most)] {
			def := code.ExportedFunctions()[name]
			got, err := mod.ExportedFunction(name).Call(ctx, arguments(def.ParamTypes(), seed)...)
			o.step(fmt.Sprintf("%s(%d)", name, seed), plainNaN(got, def.ResultTypes()), err)
			if o.fuel {
				return o, nil
			}
			if cause(err) == "stack overflow" {
				continue // how far it came depends on the size of frames
			}
			if hasMemory {
				mem := mod.Memory()
				all, _ := mem.Read(0, mem.Size())
				o.steps = append(o.steps, fmt.Sprintf("memory %d %x", mem.Size(), sha256.Sum256(all)))
			}
		}
	}
	return o, nil
}

// startIndex is how wazero names the start function, whose index is shifted.
var startIndex = regexp.MustCompile(`start function\[\d+\]`)

func (o *outcome) step(what string, got []uint64, err error) {
	o.steps = append(o.steps, fmt.Sprintf("%s = %#x, %s", what, got, startIndex.ReplaceAllString(cause(err), "the start function")))
	o.fuel = o.fuel || errors.Is(err, errFuel)
}

// arguments are values made of seed.
func arguments(types []api.ValueType, seed uint64) []uint64 {
	var args []uint64
	for i, t := range types {
		switch t {
		case api.ValueTypeI32:
			args = append(args, uint64(uint32(seed)+uint32(i)))
		case api.ValueTypeExternref, 0x70: // funcref: only null is certain to be one
			args = append(args, 0)
		case 0x7b: // v128 is two words
			args = append(args, seed, seed+uint64(i))
		default:
			args = append(args, seed+uint64(i))
		}
	}
	return args
}

// plainNaN makes every not-a-number the same: which one an operation returns is
// up to the machine.
func plainNaN(got []uint64, types []api.ValueType) []uint64 {
	if len(got) != len(types) { // with vectors
		return got
	}
	for i, t := range types {
		switch {
		case t == api.ValueTypeF32 && isNaN(got[i], 32), t == api.ValueTypeF64 && isNaN(got[i], 64):
			got[i] = 1
		case t == 0x70: // a function's address
			got[i] = min(got[i], 1)
		}
	}
	return got
}

// stubs makes a host function for each import.
func (w *world) stubs(ctx context.Context, code wazero.CompiledModule, o *outcome) error {
	builders := map[string]wazero.HostModuleBuilder{}
	seen := map[string]bool{}
	for _, f := range code.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == wasmbin.RefillModule || seen[module+"\x00"+name] {
			continue
		}
		seen[module+"\x00"+name] = true
		if builders[module] == nil {
			builders[module] = w.rt.NewHostModuleBuilder(module)
		}
		params, results := f.ParamTypes(), f.ResultTypes()
		calls := 0
		builders[module].NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) {
			if calls++; calls > 1000 {
				panic(errFuel)
			}
			given := passed(params, stack)
			sum := uint64(0)
			for _, v := range given {
				sum = sum*31 + v
			}
			o.steps = append(o.steps, fmt.Sprintf("%s.%s %#x", module, name, given))
			copy(stack, arguments(results, sum&0xff))
		}), params, results).Export(name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// passed is what a host function was given. The upper half of the word that
// carries 32 bits is whatever the register held.
func passed(types []api.ValueType, stack []uint64) []uint64 {
	var given []uint64
	for _, t := range types {
		v := stack[len(given)]
		switch t {
		case api.ValueTypeI32, api.ValueTypeF32:
			v = uint64(uint32(v))
		case 0x7b: // v128 is two words
			given = append(given, v)
			v = stack[len(given)]
		}
		given = append(given, v)
	}
	return given
}

// differ runs a module rewritten and plain. It returns what happened, or an
// error that tells the difference.
func differ(ctx context.Context, b []byte, most int) (*outcome, error) {
	rewritten, err := observe(ctx, b, &fuel{
		slice: 1000, most: 20_000, limits: wasmbin.DefaultLimits(), options: wasmbin.Options{MaxTable: 1 << 16},
	}, most)
	if err != nil {
		return nil, err
	}
	if rewritten.fuel {
		return rewritten, nil // as it is, it may run for ever
	}
	var refusal *wasmbin.Error
	if errors.As(rewritten.refused, &refusal) {
		return rewritten, nil
	}
	plain, err := observe(ctx, b, nil, most)
	switch {
	case err != nil:
		return nil, err
	case plain.refused != nil && rewritten.refused != nil:
		return rewritten, nil
	case rewritten.refused != nil:
		return nil, fmt.Errorf("accepted as it is and not when it is rewritten: %w", rewritten.refused)
	case plain.refused != nil:
		return nil, fmt.Errorf("accepted when it is rewritten, although plain: %w", plain.refused)
	}
	for i, s := range rewritten.steps {
		if i >= len(plain.steps) || plain.steps[i] != s {
			return nil, fmt.Errorf("step %d of %d: rewritten\n%s\nplain\n%s", i, len(rewritten.steps), s, strings.Join(plain.steps[i:min(i+1, len(plain.steps))], ""))
		}
	}
	if len(plain.steps) != len(rewritten.steps) {
		return nil, fmt.Errorf("%d steps rewritten, %d plain", len(rewritten.steps), len(plain.steps))
	}
	return rewritten, nil
}

// TestGuests runs every guest of the project plain and rewritten.
func TestGuests(t *testing.T) {
	oneThread(t)
	root := filepath.Join("..", "..", "..", "guests")
	var files []string
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".wasm") {
			files = append(files, path)
		}
		return err
	}))
	if len(files) == 0 {
		t.Skip("no guest is built")
	}
	compareAll(t, files)
}

// TestFormerFailures runs modules that once broke wazero.
func TestFormerFailures(t *testing.T) {
	oneThread(t)
	files, err := filepath.Glob(filepath.Join(wazeroTests(t), "fuzzcases", "testdata", "*.wasm"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	compareAll(t, files)
}

func compareAll(t *testing.T, files []string) {
	c := &tally{counts: map[string]int{}}
	t.Run("modules", func(t *testing.T) {
		for i, file := range files {
			if testing.Short() && i%4 != 0 {
				continue
			}
			t.Run(filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				if strings.HasPrefix(filepath.Base(file), "table-") {
					// Without the maximum that Rewrite writes, it takes gigabytes.
					c.add("skipped: plain, it takes gigabytes for its table")
					return
				}
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				o, err := differ(context.Background(), b, 100)
				require.NoError(t, err)
				switch {
				case o.refused != nil:
					t.Log(o.refused)
					c.add("refused")
				case o.fuel:
					c.add("stopped by fuel")
				default:
					c.add("equal")
				}
			})
		}
	})
	t.Logf("plain and rewritten:\n%s", c)
}
