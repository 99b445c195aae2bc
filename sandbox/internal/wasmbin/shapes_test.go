package wasmbin_test

import "slices"

// shape is a way to make a module as large, or as slow to compile, as wanted.
type shape struct {
	name string
	n    int // how many take about half a second in one function
	make func(n int) []byte
}

// crowd is a module with n times the code in one function, between before and
// after, with so many locals of one type. It has a table, a memory, a mutable
// global and more if asked, and segments. Function 0 takes and gives k i64.
func crowd(n, k, globals, used int, local byte, before, each, after []byte) []byte {
	values := repeat(k, i64)
	global := []byte{i64, 1, 0x42, 0, 0x0b}
	return module(
		vec(typeSec, typ(nil, nil), typ(values, values)), vec(funcSec, leb(1), leb(0)),
		vec(tableSec, []byte{funcref, 0, 4}), vec(memorySec, []byte{0, 1}),
		vec(globalSec, items(globals+1, global)...),
		vec(elemSec, []byte{1, 0, 0}), sec(countSec, leb(1)),
		vec(codeSec, code(0), locals([][]byte{append(leb(uint64(used)), local)}, slices.Concat(before, repeat(n, each...), after)...)),
		vec(dataSec, []byte{1, 1, 0}))
}

// shapes are modules of every class of instruction that costs the compiler in
// its own way.
func shapes() []shape {
	const f64 = 0x7c
	plain := func(name string, n int, each ...byte) shape {
		return shape{name, n, func(n int) []byte { return crowd(n, 0, 0, 1, i32, nil, each, nil) }}
	}
	// chain applies code to a value again and again and stores it.
	chain := func(name string, n int, local byte, each ...byte) shape {
		store := map[byte][]byte{i32: {0x36, 2, 0}, i64: {0x37, 2, 0}, f64: {0x39, 2, 0}, v128: {0xfd, 11, 0, 0}}[local]
		return shape{name, n, func(n int) []byte { return crowd(n, 0, 0, 1, local, []byte{0x41, 0, 0x20, 0}, each, store) }}
	}
	wide := func(name string, n, k int, each ...byte) shape {
		return shape{name, n, func(n int) []byte {
			return crowd(n, k, 0, 1, i32, repeat(k, 0x42, 1), each, repeat(k, 0x1a))
		}}
	}
	globals := func(name string, n, k int, each ...byte) shape {
		return shape{name, n, func(n int) []byte { return crowd(n, 0, k, 1, i32, nil, each, nil) }}
	}
	nest := func(name string, n int, open, end []byte) shape {
		return shape{name, n, func(n int) []byte { return crowd(1, 0, 0, 1, i32, repeat(n, open...), nil, repeat(n, end...)) }}
	}
	return []shape{
		plain("memory.fill", 30_000, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0b, 0),
		plain("memory.copy", 30_000, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0a, 0, 0),
		plain("memory.init", 5_000, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x08, 0, 0),
		plain("memory.grow", 60_000, 0x41, 0, 0x40, 0, 0x1a),
		plain("table.fill", 2_000, 0x41, 0, 0xd0, funcref, 0x41, 0, 0xfc, 0x11, 0),
		plain("table.copy", 5_000, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0e, 0, 0),
		plain("table.init", 5_000, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0c, 0, 0),
		plain("table.grow", 20_000, 0xd0, funcref, 0x41, 0, 0xfc, 0x0f, 0, 0x1a),
		plain("table.get", 20_000, 0x41, 0, 0x25, 0, 0x1a),
		plain("table.set", 20_000, 0x41, 0, 0xd0, funcref, 0x26, 0),
		plain("call", 80_000, 0x10, 1),
		plain("call_indirect", 8_000, 0x41, 0, 0x11, 0, 0),
		globals("call with 100 globals", 8_000, 100, 0x10, 1),
		globals("memory.grow with 30 globals", 25_000, 30, 0x41, 0, 0x40, 0, 0x1a),
		globals("if with 300 globals", 1_500, 300, 0x23, 1, 0xa7, 4, 0x40, 0x23, 2, 0x24, 3, 0x0b),
		wide("call with 200 values", 800, 200, 0x10, 0),
		wide("block with 200 values", 1_500, 200, 2, 1, 0x0b),
		plain("load", 25_000, 0x41, 0, 0x28, 2, 0, 0x1a),
		chain("load of what was loaded", 25_000, i32, 0x28, 2, 0),
		plain("store", 90_000, 0x20, 0, 0x20, 0, 0x36, 2, 0),
		plain("v128.load", 25_000, 0x41, 0, 0xfd, 0, 0, 0, 0x1a),
		chain("trunc_sat", 20_000, i64, 0xb9, 0xfc, 6),
		chain("trunc", 20_000, i64, 0xb9, 0xb0),
		chain("div", 25_000, i32, 0x20, 0, 0x6d),
		chain("add", 150_000, i32, 0x20, 0, 0x6a),
		chain("eqz", 150_000, i32, 0x45),
		chain("f64.min", 40_000, f64, 0x20, 0, 0xa4),
		chain("f64.nearest", 40_000, f64, 0x9e),
		chain("select", 80_000, i32, 0x20, 0, 0x20, 0, 0x1b),
		chain("i8x16.shl", 40_000, v128, 0x41, 1, 0xfd, 0x6b),
		chain("i32x4.trunc_sat_f32x4_u", 40_000, v128, 0xfd, 0xf9, 1),
		chain("i64x2.mul", 40_000, v128, 0x20, 0, 0xfd, 0xd5, 1),
		chain("i8x16.shuffle", 30_000, v128, slices.Concat([]byte{0x20, 0, 0xfd, 13}, repeat(16, 3))...),
		plain("global.set", 100_000, 0x42, 0, 0x24, 0),
		plain("loop", 1_300, 3, 0x40, 0x0b),
		plain("if", 4_500, 0x41, 0, 4, 0x40, 0x0b),
		plain("if else", 4_000, 0x20, 0, 4, 0x40, 0x41, 1, 0x21, 0, 5, 0x41, 2, 0x21, 0, 0x0b),
		plain("return", 2_000, 0x41, 0, 4, 0x40, 0x0f, 0x0b),
		plain("unreachable", 2_000, 0x41, 0, 4, 0x40, 0, 0x0b),
		plain("block", 7_000, 2, 0x40, 0x0b),
		nest("nested block", 7_000, []byte{2, 0x40}, []byte{0x0b}),
		nest("nested if", 4_000, []byte{0x41, 0, 4, 0x40}, []byte{0x0b}),
		nest("nested loop", 1_300, []byte{3, 0x40}, []byte{0x0b}),
		nest("br_if out of nested blocks", 3_000, []byte{2, 0x40}, []byte{0x41, 0, 0x0d, 0, 0x0b}),
		{"br_if", 4_500, func(n int) []byte {
			return crowd(n, 0, 0, 1, i32, []byte{2, 0x40}, []byte{0x41, 0, 0x0d, 0}, []byte{0x0b})
		}},
		{"br_table of 1,000", 40, func(n int) []byte {
			return crowd(n, 0, 0, 1, i32, nil, slices.Concat([]byte{2, 0x40}, brTable(1000), []byte{0x0b}), nil)
		}},
		{"if that sets one of 300 locals", 1_200, func(n int) []byte {
			var b []byte
			for i := range n {
				b = slices.Concat(b, []byte{0x41, 0, 4, 0x40, 0x20}, leb(uint64((i+1)%300)), []byte{0x21}, leb(uint64(i%300)), []byte{0x0b})
			}
			return crowd(1, 0, 0, 300, i64, nil, b, nil)
		}},
		{"types of 2,000 values", 150, func(n int) []byte { return typesOf(n, 1000) }},
		{"types of 20 values", 15_000, func(n int) []byte { return typesOf(n, 10) }},
		{"functions", 50_000, func(n int) []byte {
			return module(vec(typeSec, typ(nil, nil)), vec(funcSec, items(n, leb(0))...), vec(codeSec, items(n, code(1))...))
		}},
		{"functions of 2,000 values", 500, func(n int) []byte {
			values := repeat(1000, i64)
			return module(vec(typeSec, typ(values, values)), vec(funcSec, items(n, leb(0))...), vec(codeSec, items(n, code(0))...))
		}},
	}
}

// typesOf is a module with n different types of k parameters and k results.
func typesOf(n, k int) []byte {
	list := [][]byte{typ(nil, nil)}
	for i := range n {
		params := repeat(k, v128)
		for j := range min(k, 16) {
			params[j] = i32 - byte(i>>j&1)
		}
		list = append(list, typ(params, repeat(k, v128)))
	}
	return module(vec(typeSec, list...), vec(funcSec, leb(0)), vec(codeSec, code()))
}

// shapeOf makes the shape of a name.
func shapeOf(name string, n int) []byte {
	all := shapes()
	return all[slices.IndexFunc(all, func(s shape) bool { return s.name == name })].make(n)
}
