package wasmbin_test

import "slices"

// The tests build modules by hand from parts of the binary format.

const header = "\x00asm\x01\x00\x00\x00"

// Value types and section numbers of the binary format.
const (
	i32, i64, f64, v128, funcref = 0x7f, 0x7e, 0x7c, 0x7b, 0x70

	typeSec, importSec, funcSec, tableSec, memorySec, globalSec = 1, 2, 3, 4, 5, 6
	exportSec, startSec, elemSec, codeSec, dataSec, countSec    = 7, 8, 9, 10, 11, 12
)

// leb is an unsigned number.
func leb(v uint64) []byte {
	var b []byte
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// sec is a section with the given parts as its content.
func sec(id byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return slices.Concat([]byte{id}, leb(uint64(len(body))), body)
}

// vec is a section that holds a vector of items.
func vec(id byte, items ...[]byte) []byte {
	return sec(id, leb(uint64(len(items))), slices.Concat(items...))
}

// name is a text with its length.
func name(s string) []byte { return append(leb(uint64(len(s))), s...) }

// custom is a custom section.
func custom(title string, data []byte) []byte { return sec(0, name(title), data) }

// module is a module of sections.
func module(sections ...[]byte) []byte {
	return slices.Concat([]byte(header), slices.Concat(sections...))
}

// typ is a function type.
func typ(params, results []byte) []byte {
	return slices.Concat([]byte{0x60}, leb(uint64(len(params))), params, leb(uint64(len(results))), results)
}

// code is a body with no locals; end is added.
func code(instructions ...byte) []byte { return locals(nil, instructions...) }

// locals is a body with the given groups of locals, as in the format.
func locals(groups [][]byte, instructions ...byte) []byte {
	body := slices.Concat(leb(uint64(len(groups))), slices.Concat(groups...), instructions, []byte{0x0b})
	return append(leb(uint64(len(body))), body...)
}

// oneFunction is a module with an exported function "f" of type () -> () and
// whatever comes between the function and the code section.
func oneFunction(body []byte, between ...[]byte) []byte {
	return module(vec(typeSec, typ(nil, nil)), vec(funcSec, leb(0)), slices.Concat(between...), vec(codeSec, body))
}
