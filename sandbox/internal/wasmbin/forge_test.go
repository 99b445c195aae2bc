package wasmbin_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// TestForgedIndexes takes a module in which everything that Rewrite adds would
// be the next index, and mentions that index and a few more. All of these
// modules are invalid as they are, and would be valid with the additions: they
// could set the counter or call the functions of the meter.
func TestForgedIndexes(t *testing.T) {
	// 1 type (2 with the parameter), 1 import, 2 functions with it, 1 mutable
	// global, 1 table, 1 memory, 1 local, and memory.fill, so that Rewrite adds
	// everything it ever adds.
	build := func(body []byte, start, elem, export, exportGlobal, funcType, importType uint64, init []byte) []byte {
		return module(
			vec(typeSec, typ(nil, nil)),
			vec(importSec, slices.Concat(name("m"), name("f"), []byte{0}, leb(importType))),
			vec(funcSec, leb(funcType)),
			vec(tableSec, []byte{funcref, 0, 4}),
			vec(memorySec, []byte{0, 1}),
			vec(globalSec, slices.Concat([]byte{i64, 1}, init, []byte{0x0b})),
			vec(exportSec, slices.Concat(name("f"), []byte{0}, leb(export)), slices.Concat(name("g"), []byte{3}, leb(exportGlobal))),
			sec(startSec, leb(start)),
			vec(elemSec, slices.Concat([]byte{0, 0x41, 0, 0x0b}, leb(1), leb(elem))),
			vec(codeSec, locals([][]byte{append(leb(1), i32)}, slices.Concat([]byte{0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0b, 0}, body)...)),
		)
	}
	zero := []byte{0x42, 0}
	at := func(op []byte, after ...byte) func(i uint64) []byte {
		return func(i uint64) []byte { return build(slices.Concat(op, leb(i), after), 1, 1, 1, 0, 0, 0, zero) }
	}
	ctx := context.Background()
	plain, err := newWorld(ctx, features, 256, nil)
	require.NoError(t, err)
	defer plain.rt.Close(ctx)
	require.NoError(t, plain.compile(ctx, build(nil, 1, 1, 1, 0, 0, 0, zero)), "the module itself is valid")
	rewritten, err := newWorld(ctx, features, 256, &fuel{slice: 100, limits: wasmbin.DefaultLimits()})
	require.NoError(t, err)
	defer rewritten.rt.Close(ctx)
	require.NoError(t, rewritten.compile(ctx, build(nil, 1, 1, 1, 0, 0, 0, zero)), "and so it is rewritten")

	for _, tc := range []struct {
		name string
		next uint64
		make func(i uint64) []byte
	}{
		{"call", 2, at([]byte{0x10})},
		{"return_call", 2, at([]byte{0x12})},
		{"ref.func", 2, at([]byte{0xd2}, 0x1a)},
		{"call_indirect type", 1, at([]byte{0x41, 0, 0x11}, 0)},
		{"return_call_indirect type", 1, at([]byte{0x41, 0, 0x13}, 0)},
		{"call_indirect table", 1, at([]byte{0x41, 0, 0x11, 0})},
		{"block type", 1, func(i uint64) []byte {
			return build(slices.Concat([]byte{2}, leb(i), []byte{0x0b}), 1, 1, 1, 0, 0, 0, zero)
		}},
		{"global.get", 1, at([]byte{0x23}, 0x1a)},
		{"global.set", 1, at([]byte{0x42, 0, 0x24})},
		{"local.get", 1, at([]byte{0x20}, 0x1a)},
		{"local.set", 1, at([]byte{0x41, 0, 0x21})},
		{"local.tee", 1, at([]byte{0x41, 0, 0x22}, 0x1a)},
		{"table.get", 1, at([]byte{0x41, 0, 0x25}, 0x1a)},
		{"elem.drop", 1, at([]byte{0xfc, 0x0d})},
		{"data.drop", 0, at([]byte{0xfc, 0x09})},
		{"br", 1, at([]byte{0x0c})},
		{"br_table", 1, at([]byte{0x41, 0, 0x0e, 0})},
		{"start", 2, func(i uint64) []byte { return build(nil, i, 1, 1, 0, 0, 0, zero) }},
		{"element", 2, func(i uint64) []byte { return build(nil, 1, i, 1, 0, 0, 0, zero) }},
		{"export of a function", 2, func(i uint64) []byte { return build(nil, 1, 1, i, 0, 0, 0, zero) }},
		{"export of a global", 1, func(i uint64) []byte { return build(nil, 1, 1, 1, i, 0, 0, zero) }},
		{"type of a function", 1, func(i uint64) []byte { return build(nil, 1, 1, 1, 0, i, 0, zero) }},
		{"type of an import", 1, func(i uint64) []byte { return build(nil, 1, 1, 1, 0, 0, i, zero) }},
		{"global in an initial value", 0, func(i uint64) []byte { return build(nil, 1, 1, 1, 0, 0, 0, append([]byte{0x23}, leb(i)...)) }},
		{"function in an initial value", 2, func(i uint64) []byte { return build(nil, 1, 1, 1, 0, 0, 0, append([]byte{0xd2}, leb(i)...)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i := tc.next; i < tc.next+8; i++ {
				b := tc.make(i)
				require.Error(t, plain.compile(ctx, b), i)
				_, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
				var refusal *wasmbin.Error
				require.ErrorAs(t, err, &refusal, i)
				require.Equal(t, wasmbin.Malformed, refusal.Reason)
			}
		})
	}
}

// TestReservedNames checks that a module can neither offer nor want what
// belongs to the meter.
func TestReservedNames(t *testing.T) {
	for _, b := range [][]byte{
		oneFunction(code(), vec(exportSec, append(name(wasmbin.FuelGlobal), 0, 0))),
		oneFunction(code(), vec(exportSec, append(name("wasmstate.fuel"), 0, 0))),
		module(vec(typeSec, typ(nil, nil)), vec(importSec, slices.Concat(name(wasmbin.RefillModule), name(wasmbin.RefillName), []byte{0, 0}))),
		module(vec(typeSec, typ(nil, nil)), vec(importSec, slices.Concat(name("wasmstate.meter/9"), name("x"), []byte{0, 0}))),
	} {
		_, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
		var refusal *wasmbin.Error
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, wasmbin.Forbidden, refusal.Reason)
	}
}

// bulkModule exports fill, copy (to, from or value, length) and grow (pages),
// with a memory of 20 pages.
func bulkModule() []byte {
	args := []byte{0x20, 0, 0x20, 1, 0x20, 2}
	return module(
		vec(typeSec, typ([]byte{i32, i32, i32}, nil), typ([]byte{i32}, []byte{i32})),
		vec(funcSec, leb(0), leb(0), leb(1)),
		vec(memorySec, []byte{1, 20, 30}),
		vec(exportSec, append(name("fill"), 0, 0), append(name("copy"), 0, 1), append(name("grow"), 0, 2), append(name("memory"), 2, 0)),
		vec(codeSec,
			code(slices.Concat(args, []byte{0xfc, 0x0b, 0})...),
			code(slices.Concat(args, []byte{0xfc, 0x0a, 0, 0})...),
			code(0x20, 0, 0x40, 0)),
	)
}

// TestLongFillAndCopy compares memory.fill and memory.copy, which are done in
// pieces when they are long, with the plain ones: short, long, overlapping, at
// and beyond the end.
func TestLongFillAndCopy(t *testing.T) {
	oneThread(t)
	ctx := context.Background()
	var mem [2][]byte
	var worlds [2]*world
	for i, f := range []*fuel{nil, {slice: 10, limits: wasmbin.DefaultLimits()}} {
		w, err := newWorld(ctx, features, 256, f)
		require.NoError(t, err)
		defer w.rt.Close(ctx)
		w.last, err = w.load(ctx, bulkModule(), "")
		require.NoError(t, err)
		worlds[i] = w
		mem[i], _ = w.last.Memory().Read(0, w.last.Memory().Size())
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range mem[0] {
		mem[0][i] = byte(rnd.Uint32())
	}
	copy(mem[1], mem[0])
	size := uint32(len(mem[0]))
	lengths := []uint32{0, 1, 1023, 1024, 1025, 256<<10 - 1, 256 << 10, 256<<10 + 1, 700_000, size - 1, size, size + 1, 1 << 31, 1<<32 - 1}
	offsets := []uint32{0, 1, 5, 1024, 256 << 10, 300_001, size - 1025, size - 1, size, size + 1, 1 << 31, 1<<32 - 1}
	for range 1500 {
		n := lengths[rnd.IntN(len(lengths))]
		to, from := offsets[rnd.IntN(len(offsets))], offsets[rnd.IntN(len(offsets))]
		if rnd.IntN(3) == 0 && n < size {
			to, from = rnd.Uint32N(size-n+1), rnd.Uint32N(size-n+1)
		}
		op := []string{"fill", "copy"}[rnd.IntN(2)]
		var causes [2]string
		for i, w := range worlds {
			_, err := w.last.ExportedFunction(op).Call(ctx, uint64(to), uint64(from), uint64(n))
			causes[i] = cause(err)
		}
		require.Equal(t, causes[0], causes[1], "%s(%d, %d, %d)", op, to, from, n)
		if !slices.Equal(mem[0], mem[1]) {
			t.Fatalf("%s(%d, %d, %d) left another memory", op, to, from, n)
		}
	}
}

// TestLongInit compares memory.init of a segment that is copied in pieces with
// the plain one: short, long, at and beyond the ends, and when it was dropped.
func TestLongInit(t *testing.T) {
	oneThread(t)
	const size = 900_000
	data := make([]byte, size)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	b := module(
		vec(typeSec, typ([]byte{i32, i32, i32}, nil), typ(nil, nil)), vec(funcSec, leb(0), leb(0), leb(1)), vec(memorySec, []byte{1, 20, 30}),
		vec(exportSec, append(name("small"), 0, 0), append(name("large"), 0, 1), append(name("drop"), 0, 2), append(name("memory"), 2, 0)),
		sec(countSec, leb(2)),
		vec(codeSec,
			code(0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 0x08, 0, 0), code(0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 0x08, 1, 0), code(0xfc, 0x09, 1)),
		vec(dataSec, slices.Concat([]byte{1}, leb(1000), data[:1000]), slices.Concat([]byte{1}, leb(size), data)))
	ctx := context.Background()
	var mem [2][]byte
	var worlds [2]*world
	for i, f := range []*fuel{nil, {slice: 10, limits: wasmbin.DefaultLimits()}} {
		w, err := newWorld(ctx, features, 256, f)
		require.NoError(t, err)
		defer w.rt.Close(ctx)
		w.last, err = w.load(ctx, b, "")
		require.NoError(t, err)
		worlds[i] = w
		mem[i], _ = w.last.Memory().Read(0, w.last.Memory().Size())
	}
	pages := uint32(len(mem[0]))
	numbers := []uint32{0, 1, 999, 1000, 1001, 1024, 1025, 256 << 10, 256<<10 + 1, 600_000, size - 1, size, size + 1, pages - size, pages - 1, pages, pages + 1, 1<<32 - 1}
	for step := range 800 {
		if step == 700 {
			for _, w := range worlds {
				call(t, ctx, w.last, "drop")
			}
		}
		pick := func() uint64 { return uint64(numbers[rnd.IntN(len(numbers))]) }
		op, to, from, n := []string{"small", "large"}[rnd.IntN(2)], pick(), pick(), pick()
		var causes [2]string
		worlds[1].refills = 0
		for i, w := range worlds {
			_, err := w.last.ExportedFunction(op).Call(ctx, to, from, n)
			causes[i] = cause(err)
		}
		require.Equal(t, causes[0], causes[1], "%s(%d, %d, %d)", op, to, from, n)
		if causes[0] == "" && n > 600_000 {
			require.GreaterOrEqual(t, worlds[1].refills, 3, "each piece pays")
		}
		if !slices.Equal(mem[0], mem[1]) {
			t.Fatalf("%s(%d, %d, %d) left another memory", op, to, from, n)
		}
	}
}

// TestBulkIsCharged checks that what works on much memory pays by length.
func TestBulkIsCharged(t *testing.T) {
	ctx := context.Background()
	w, err := newWorld(ctx, features, 256, &fuel{slice: 100, limits: wasmbin.DefaultLimits()})
	require.NoError(t, err)
	defer w.rt.Close(ctx)
	m, err := w.load(ctx, bulkModule(), "")
	require.NoError(t, err)
	for _, tc := range []struct {
		name  string
		args  []uint64
		least int
	}{
		{"fill", []uint64{0, 1, 1 << 20}, 4},
		{"copy", []uint64{0, 1, 1 << 20}, 4},
		{"grow", []uint64{10}, 1},
	} {
		w.refills = 0
		call(t, ctx, m, tc.name, tc.args...)
		require.GreaterOrEqual(t, w.refills, tc.least, tc.name)
	}
}

// TestRunaways checks that nothing that goes on for ever escapes the meter.
func TestRunaways(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		name string
		body []byte
	}{
		{"loop", []byte{3, 0x40, 0x0c, 0, 0x0b}},
		{"loop by br_table", []byte{3, 0x40, 0x41, 0, 0x0e, 1, 0, 0, 0x0b}},
		{"loop in a block", []byte{2, 0x40, 3, 0x40, 0x0c, 0, 0x0b, 0x0b}},
		{"outer loop with an inner one that ends", []byte{3, 0x40, 3, 0x40, 0x0c, 1, 0x0b, 0x0b}},
		{"tail call", []byte{0x12, 0}},
		{"tail call through the table", []byte{0x41, 0, 0x13, 0, 0}},
		{"loop that calls a leaf", []byte{3, 0x40, 0x10, 1, 0x0c, 0, 0x0b}},
		{"two calls of itself", []byte{0x10, 0, 0x10, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := module(
				vec(typeSec, typ(nil, nil)), vec(funcSec, leb(0), leb(0)), vec(tableSec, []byte{funcref, 0, 1}),
				vec(exportSec, append(name("run"), 0, 0)), vec(elemSec, []byte{0, 0x41, 0, 0x0b, 1, 0}),
				vec(codeSec, locals([][]byte{append(leb(1), i32)}, tc.body...), code(1, 1, 1)))
			w, err := newWorld(ctx, features, 256, &fuel{slice: 1000, most: 1000, limits: wasmbin.DefaultLimits()})
			require.NoError(t, err)
			defer w.rt.Close(ctx)
			m, err := w.load(ctx, b, "")
			require.NoError(t, err)
			_, err = m.ExportedFunction("run").Call(ctx)
			require.ErrorIs(t, err, errFuel)
		})
	}
}

// TestTableMaximum checks that every table gets a maximum.
func TestTableMaximum(t *testing.T) {
	ctx := context.Background()
	b := module(
		vec(typeSec, typ([]byte{i32}, []byte{i32})), vec(funcSec, leb(0), leb(0)),
		vec(tableSec, []byte{funcref, 0, 1}, []byte{funcref, 1, 1, 5}), vec(exportSec, append(name("open"), 0, 0), append(name("closed"), 0, 1)),
		vec(codeSec, code(0xd0, funcref, 0x20, 0, 0xfc, 0x0f, 0), code(0xd0, funcref, 0x20, 0, 0xfc, 0x0f, 1)))
	w, err := newWorld(ctx, features, 256, &fuel{slice: 1000, limits: wasmbin.DefaultLimits(), options: wasmbin.Options{MaxTable: 100}})
	require.NoError(t, err)
	defer w.rt.Close(ctx)
	m, err := w.load(ctx, b, "")
	require.NoError(t, err)
	const no = 1<<32 - 1
	require.EqualValues(t, no, call(t, ctx, m, "open", 100)[0])
	require.EqualValues(t, 1, call(t, ctx, m, "open", 99)[0])
	require.EqualValues(t, no, call(t, ctx, m, "closed", 5)[0])
	require.EqualValues(t, 1, call(t, ctx, m, "closed", 4)[0])
}
