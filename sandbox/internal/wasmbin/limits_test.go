package wasmbin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

func repeat(n int, b ...byte) []byte { return bytes.Repeat(b, n) }

func items(n int, item []byte) [][]byte { return slices.Repeat([][]byte{item}, n) }

// exportsOf is an export section with n distinct names for function 0.
func exportsOf(n int) []byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = append(name(fmt.Sprintf("f%d", i)), 0, 0)
	}
	return vec(exportSec, list...)
}

// brTable is a br_table with n targets and a default, all label 0.
func brTable(n int) []byte {
	return slices.Concat([]byte{0x41, 0, 0x0e}, leb(uint64(n)), repeat(n+1, 0))
}

// TestLimits checks for every limit that a module at the limit is accepted and
// one just beyond is refused by the name of the limit, its value and the place.
func TestLimits(t *testing.T) {
	empty := vec(typeSec, typ(nil, nil))
	noop := func(n int) []byte {
		return module(empty, vec(funcSec, items(n, leb(0))...), vec(codeSec, items(n, code())...))
	}
	// A function costs 18.7 units, with its check, a nop 0.2, and a type 10.
	nops := func(n int) []byte { return oneFunction(code(repeat(5*(n-18)-3, 1)...)) }
	global := []byte{i32, 0, 0x41, 0, 0x0b}
	table := func(n int) []byte { return slices.Concat([]byte{funcref, 0}, leb(uint64(n))) }
	passive := slices.Concat([]byte{1, 0, 0})
	for _, tc := range []struct {
		limit string
		make  func(n int) []byte
		most  int
		where string // in the error
	}{
		{"fileSize", func(n int) []byte { return module(custom("", repeat(n-11, 0))) }, 100, ""},
		{"types", func(n int) []byte { return module(vec(typeSec, items(n, typ(nil, nil))...)) }, 5, "type section"},
		{"params", func(n int) []byte { return module(vec(typeSec, typ(nil, repeat(n, i32)))) }, 5, "type 0"},
		{"imports", func(n int) []byte {
			return module(empty, vec(importSec, items(n, slices.Concat(name("m"), name("f"), []byte{0, 0}))...))
		}, 5, "import section"},
		{"exports", func(n int) []byte { return oneFunction(code(), exportsOf(n)) }, 5, "export section"},
		{"functions", noop, 5, "function section"},
		{"bodySize", func(n int) []byte { return oneFunction(code(repeat(n-2, 1)...), exportsOf(1)) }, 100, `function 0 "f0"`},
		{"locals", func(n int) []byte { return oneFunction(locals([][]byte{append(leb(uint64(n)), i64)})) }, 100, "function 0"},
		{"localsTotal", func(n int) []byte {
			return module(empty, vec(funcSec, leb(0), leb(0)), vec(codeSec,
				locals([][]byte{append(leb(50), i64)}), locals([][]byte{append(leb(uint64(n-50)), i64)})))
		}, 100, "function 1"},
		{"nesting", func(n int) []byte { return oneFunction(code(slices.Concat(repeat(n, 2, 0x40), repeat(n, 0x0b))...)) }, 5, "function 0"},
		{"branchTargets", func(n int) []byte { return oneFunction(code(brTable(n)...)) }, 5, "function 0"},
		{"branchTargetsTotal", func(n int) []byte {
			return module(empty, vec(funcSec, leb(0), leb(0)), vec(codeSec, code(brTable(5)...), code(brTable(n-5)...)))
		}, 10, "function 1"},
		{"tables", func(n int) []byte { return module(vec(tableSec, items(n, table(0))...)) }, 3, "table"},
		{"tableElements", func(n int) []byte { return module(vec(tableSec, table(n))) }, 1000, "table 0"},
		{"elementSegments", func(n int) []byte { return module(vec(elemSec, items(n, passive)...)) }, 5, "element"},
		{"elements", func(n int) []byte {
			return oneFunction(code(), vec(elemSec, slices.Concat([]byte{1, 0}, leb(uint64(n)), repeat(n, 0))))
		}, 5, "element segment 0"},
		{"memoryPages", func(n int) []byte { return module(vec(memorySec, append([]byte{0}, leb(uint64(n))...))) }, 5, "memory"},
		{"globals", func(n int) []byte { return module(vec(globalSec, items(n, global)...)) }, 5, "global"},
		{"dataSegments", func(n int) []byte { return module(vec(dataSec, items(n, []byte{1, 0})...)) }, 5, "data section"},
		{"customSections", func(n int) []byte { return module(items(n, custom("c", nil))...) }, 5, ""},
		{"customSize", func(n int) []byte { return module(custom("c", repeat(n, 0))) }, 100, `custom section "c"`},
		{"nameSize", func(n int) []byte { return module(custom(strings.Repeat("x", n), nil)) }, 100, ""},
		{"functionWork", nops, 1000, "function 0"},
		{"work", func(n int) []byte { return nops(n - 10) }, 1000, ""},
		{"compileMemory", func(n int) []byte { return module(custom("", repeat((n-2<<20+2)/3-12, 0))) }, 2<<20 + 3000, ""},
	} {
		t.Run(tc.limit, func(t *testing.T) {
			lim := wasmbin.DefaultLimits()
			require.NoError(t, lim.Set(map[string]int64{strings.ToUpper(tc.limit): int64(tc.most)}))
			_, err := wasmbin.Parse(tc.make(tc.most), lim)
			require.NoError(t, err, "at the limit")
			_, err = wasmbin.Parse(tc.make(tc.most+1), lim)
			var refusal *wasmbin.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, wasmbin.Exceeded, refusal.Reason, err)
			require.Contains(t, refusal.Where, tc.where)
			require.Contains(t, err.Error(), tc.limit)
			require.Contains(t, err.Error(), fmt.Sprint(tc.most))
			_, err = wasmbin.Parse(tc.make(tc.most+1), wasmbin.DefaultLimits())
			require.NoError(t, err, "with the defaults")
		})
	}
	require.Len(t, wasmbin.LimitNames(), 25, "a limit has no case above")
}

func TestSetUnknownLimit(t *testing.T) {
	lim := wasmbin.DefaultLimits()
	err := lim.Set(map[string]int64{"nestng": 1, "types": -1})
	require.ErrorContains(t, err, "did you mean nesting?")
	require.ErrorContains(t, err, "types is -1")
	require.Equal(t, wasmbin.DefaultLimits(), lim)
}

// TestCompileBombs checks that the modules that take a compiler seconds or
// gigabytes, and are small, are refused with the default limits.
func TestCompileBombs(t *testing.T) {
	oneThread(t)
	loops := func(n, used int) []byte {
		var b []byte
		for range n {
			b = append(b, 3, 0x40)
			b = append(b, 0x0b)
		}
		var touch []byte
		for i := range used {
			touch = slices.Concat(touch, []byte{0x42, 1, 0x21}, leb(uint64(i)))
		}
		return oneFunction(locals([][]byte{append(leb(uint64(used)), i64)}, slices.Concat(touch, b)...))
	}
	ifs := func(n, used int) []byte { // each changes a local
		var b []byte
		for i := range n {
			b = slices.Concat(b, []byte{0x41, 0, 4, 0x40, 0x20}, leb(uint64((i+1)%used)), []byte{0x21}, leb(uint64(i%used)), []byte{0x0b})
		}
		return oneFunction(locals([][]byte{append(leb(uint64(used)), i64)}, b...))
	}
	wide := func(n int, each ...byte) []byte { // all with 1,000 values on the stack
		values := repeat(1000, i64)
		body := slices.Concat(repeat(1000, 0x42, 1), repeat(n, each...), repeat(1000, 0x1a))
		return module(vec(typeSec, typ(nil, nil), typ(values, values)), vec(funcSec, leb(0), leb(1)), vec(codeSec,
			code(body...), code(0)))
	}
	growTwice := func() []byte {
		grow := code(slices.Concat([]byte{0x41, 0}, repeat(262_000, 0x40, 0), []byte{0x1a})...)
		return module(vec(typeSec, typ(nil, nil)), vec(funcSec, leb(0), leb(0)), vec(memorySec, []byte{0, 4}), vec(codeSec, grow, grow))
	}
	nests := slices.Concat(repeat(1000, 2, 0x40), repeat(1000, 0x0b))
	for _, tc := range []struct {
		name string
		b    []byte
	}{
		{"120 times 1,000 nested blocks", oneFunction(code(repeat(120, nests...)...))}, // 223 s
		{"5,000 ifs and 2,000 locals", ifs(5000, 2000)},                                // 16 s
		{"50,000 ifs and 100 locals", ifs(50_000, 100)},                                // 75 s
		{"10,000 blocks of 1,000 values", wide(10_000, 2, 1, 0x0b)},                    // 11 s
		{"10,000 calls with 1,000 values", wide(10_000, 0x10, 1)},                      // 17 s, 9 GB
		{"20,000 branches with 1,000 values", wide(1, slices.Concat([]byte{2, 1}, repeat(20_000, 0x41, 0, 0x0d, 0), []byte{0x0b})...)},
		{"20,000 nested blocks", oneFunction(code(slices.Concat(repeat(20_000, 2, 0x40), repeat(20_000, 0x0b))...))},
		{"25,000 returns", oneFunction(code(repeat(25_000, 0x41, 0, 4, 0x40, 0x0f, 0x0b)...))},      // 15 s for 10,000
		{"20,000 table.fill", shapeOf("table.fill", 20_000)},                                        // 18 s
		{"262,000 memory.grow, twice", growTwice()},                                                 // 3.5 GB
		{"104,000 call_indirect", shapeOf("call_indirect", 104_000)},                                // 1.4 GB
		{"150,000 calls with 30 globals", crowd(150_000, 0, 30, 0, i32, nil, []byte{0x10, 1}, nil)}, // 1 GB
		{"170,000 loads", shapeOf("load of what was loaded", 170_000)},                              // 0.8 GB
		{"8,000 types of 2,000 values", typesOf(8000, 1000)},                                        // 18 s, 2 GB
		{"5,000 loops and 2,000 locals", loops(5000, 2000)},
		{"100,000 targets", oneFunction(code(brTable(100_000)...))},
		{"67 million locals", oneFunction(locals([][]byte{append(leb(1<<26), i64)}))},
		{"2^32-1 locals", oneFunction(locals([][]byte{append(leb(1<<32-1), i64)}))},
		{"many groups of locals", oneFunction(locals(items(1<<8, append(leb(1<<25), i64))))},
		{"a table of 2^26", module(vec(tableSec, slices.Concat([]byte{funcref, 0}, leb(1<<26))))},
		{"100,000 functions", module(vec(typeSec, typ(nil, nil)), vec(funcSec, items(100_000, leb(0))...), vec(codeSec, items(100_000, code())...))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := wasmbin.Parse(tc.b, wasmbin.DefaultLimits())
			var refusal *wasmbin.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, wasmbin.Exceeded, refusal.Reason, err)
			t.Log(err)
		})
	}
}

// TestRealModulesKeepLimits checks that the limits leave room for real programs.
func TestRealModulesKeepLimits(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "guests", "memory-*", "*.wasm"))
	require.NoError(t, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		m, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
		require.NoError(t, err, file)
		require.Less(t, m.Score().Work*5, wasmbin.DefaultLimits().Work, file)
		t.Logf("%s: %+v", filepath.Base(file), m.Score())
	}
}

// TestRealSizes has what large programs have, as standard Go writes them.
func TestRealSizes(t *testing.T) {
	for name, b := range map[string][]byte{
		"net/http: 100,000 data segments": module(vec(memorySec, []byte{0, 1}), vec(dataSec, items(100_000, []byte{0, 0x41, 0, 0x0b, 1, 7})...)),
		"go/types: 1,100 blocks nested":   oneFunction(code(slices.Concat(repeat(1_100, 2, 0x40), repeat(1_100, 0x0b))...)),
		"all together: 270,000 targets":   module(vec(typeSec, typ(nil, nil)), vec(funcSec, items(270, leb(0))...), vec(codeSec, items(270, code(brTable(1000)...))...)),
	} {
		_, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
		require.NoError(t, err, name)
	}
}

// TestRefusals checks the words for files that are no modules, and for what no
// guest may do.
func TestRefusals(t *testing.T) {
	fn := oneFunction(code(), exportsOf(1))
	imports := func(kind ...byte) []byte {
		return module(vec(typeSec, typ(nil, nil)), vec(importSec, slices.Concat(name("env"), name("x"), kind)))
	}
	for _, tc := range []struct {
		name   string
		b      []byte
		reason wasmbin.Reason
		text   string
	}{
		{"empty", nil, wasmbin.NotWasm, "empty"},
		{"text", []byte("(module)"), wasmbin.NotWasm, "wat2wasm"},
		{"elf", []byte("\x7fELF\x02\x01\x01"), wasmbin.NotWasm, "native"},
		{"gzip", []byte("\x1f\x8b\x08\x00"), wasmbin.NotWasm, "gzip"},
		{"magic only", []byte("\x00asm"), wasmbin.Malformed, "beginning"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), wasmbin.Component, "wasm-tools component unbundle"},
		{"version 2", []byte("\x00asm\x02\x00\x00\x00"), wasmbin.Unsupported, "version"},
		{"truncated", fn[:len(fn)-1], wasmbin.Malformed, "do not fit"},
		{"unknown section", module(sec(14)), wasmbin.Malformed, "section of kind 14"},
		{"tags", module(sec(13, []byte{0})), wasmbin.Unsupported, "exception handling"},
		{"sections out of order", module(sec(funcSec, []byte{0}), sec(typeSec, []byte{0})), wasmbin.Malformed, "before"},
		{"section twice", module(sec(typeSec, []byte{0}), sec(typeSec, []byte{0})), wasmbin.Malformed, "twice"},
		{"overlong number", module(sec(typeSec, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0})), wasmbin.Malformed, "longer than 32 bits"},
		{"unused bits", module(sec(typeSec, []byte{0x80, 0x80, 0x80, 0x80, 0x10})), wasmbin.Malformed, "longer than 32 bits"},
		{"name not UTF-8", module(sec(0, []byte{1, 0xff})), wasmbin.Malformed, "UTF-8"},
		{"imported memory", imports(2, 0, 1), wasmbin.Forbidden, "imports a memory"},
		{"imported table", imports(1, funcref, 0, 1), wasmbin.Forbidden, "imports a table"},
		{"imported global", imports(3, i32, 0), wasmbin.Forbidden, "imports a global"},
		{"shared memory", module(vec(memorySec, []byte{3, 1, 1})), wasmbin.Unsupported, "threads"},
		{"memory64", module(vec(memorySec, []byte{4, 1})), wasmbin.Unsupported, "64-bit"},
		{"two memories", module(vec(memorySec, []byte{0, 1}, []byte{0, 1})), wasmbin.Unsupported, "several memories"},
		{"struct type", module(vec(typeSec, []byte{0x5f, 0})), wasmbin.Unsupported, "garbage collection"},
		{"typed reference", module(vec(typeSec, typ([]byte{0x64, 0x70}, nil))), wasmbin.Unsupported, "typed function references"},
		{"try", oneFunction(code(6, 0x40, 0x0b)), wasmbin.Unsupported, "exception handling"},
		{"throw_ref", oneFunction(code(0x0a)), wasmbin.Unsupported, "exception handling"},
		{"atomic", oneFunction(code(0xfe, 3, 0)), wasmbin.Unsupported, "threads"},
		{"call_ref", oneFunction(code(0x14, 0)), wasmbin.Unsupported, "typed function references"},
		{"struct.new", oneFunction(code(0xfb, 0, 0)), wasmbin.Unsupported, "garbage collection"},
		{"relaxed swizzle", oneFunction(code(0xfd, 0x80, 2)), wasmbin.Unsupported, "relaxed SIMD"},
		{"unknown instruction", oneFunction(code(0xff)), wasmbin.Malformed, "0xff"},
		{"unknown vector instruction", oneFunction(code(0xfd, 0x9a, 1)), wasmbin.Malformed, "no instruction"},
		{"export twice", oneFunction(code(), vec(exportSec, append(name("f"), 0, 0), append(name("f"), 0, 0))), wasmbin.Malformed, "twice"},
		{"data count differs", module(vec(memorySec, []byte{0, 1}), sec(countSec, leb(2)), vec(dataSec, []byte{1, 0})), wasmbin.Malformed, "data segments"},
		{"code without functions", module(vec(codeSec, code())), wasmbin.Malformed, "declared"},
		{"functions without code", module(vec(typeSec, typ(nil, nil)), vec(funcSec, leb(0))), wasmbin.Malformed, "has code for 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := wasmbin.Parse(tc.b, wasmbin.DefaultLimits())
			var refusal *wasmbin.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, tc.reason, refusal.Reason, err)
			require.Contains(t, err.Error(), tc.text)
		})
	}
}

// TestTruncated cuts a module at every byte: none of the beginnings may be
// accepted unless wazero accepts it too, and none may panic.
func TestTruncated(t *testing.T) {
	oneThread(t)
	ctx := context.Background()
	b, err := os.ReadFile(filepath.Join("testdata", "kernels.wasm"))
	require.NoError(t, err)
	w, err := newWorld(ctx, features, 256, nil)
	require.NoError(t, err)
	defer w.rt.Close(ctx)
	for n := range b {
		_, err := wasmbin.Parse(b[:n], wasmbin.DefaultLimits())
		if err == nil {
			require.NoError(t, w.compile(ctx, b[:n]), n)
			continue
		}
		var refusal *wasmbin.Error
		require.True(t, errors.As(err, &refusal), n)
	}
}
