package wasmbin

import "fmt"

// instr is one instruction.
type instr struct {
	op       uint32 // with its prefix in the higher bytes
	at       int    // offset of the opcode
	imm      int    // offset of what follows the opcode
	a, b     uint32 // its indexes in the order of the binary; of a br_table: highest label, number of labels
	block    int64  // block type: an index if >= 0, else none or a value type
	constant int64  // of i32.const and i64.const
}

// blockEmpty is the block type of a block without parameters and results.
const blockEmpty = -64

// next reads an instruction. In the unusual case that it is none of the offered
// features, the error of r names the feature that it belongs to.
func (r *reader) next(in *instr) {
	in.at = r.pos
	c := r.byte()
	in.op = uint32(c)
	kind := plain[c]
	if kind == immUnknown {
		kind = r.prefixed(in, c)
	}
	in.imm = r.pos
	if kind == immNone {
		return
	}
	if r.err != nil {
		return
	}
	r.operands(in, kind)
}

// prefixed reads the rest of an opcode that begins with c.
func (r *reader) prefixed(in *instr, c byte) immediate {
	if r.err != nil {
		return immUnknown
	}
	kind := immUnknown
	if c >= 0xfb && c <= 0xfe {
		n := r.u32()
		if r.err != nil {
			return immUnknown
		}
		in.op = uint32(c)<<8 | n
		if n > 0xff {
			in.op = uint32(c)<<12 | min(n, 0xfff)
		}
		switch {
		case c == 0xfc && n < uint32(len(bulk)):
			kind = bulk[n]
		case c == 0xfd && n < uint32(len(vector)):
			kind = vector[n]
		}
	}
	if kind == immUnknown {
		if f := feature(in.op); f != "" {
			r.unsupported(in.at, f)
		} else {
			r.fail(in.at, "there is no instruction %#x", in.op)
		}
	}
	return kind
}

// operands reads what follows an opcode.
func (r *reader) operands(in *instr, kind immediate) {
	switch kind {
	case immLabel, immFunc, immLocal, immGlobal, immTable, immElem, immData:
		in.a = r.u32()
	case immIndirect, immTables, immElemInto:
		in.a, in.b = r.u32(), r.u32()
	case immDataInto:
		in.a = r.u32()
		r.memory()
	case immMemory:
		r.memory()
	case immMemories:
		r.memory()
		r.memory()
	case immBlock:
		in.block = r.blockType()
	case immLabels:
		r.labels(in)
	case immAccess, immAccessLane:
		r.access()
		if kind == immAccessLane {
			r.byte()
		}
	case immLane:
		r.byte()
	case immI32:
		in.constant = r.signed(32)
	case immI64:
		in.constant = r.signed(64)
	case immF32:
		r.skip(4)
	case immF64:
		r.skip(8)
	case immV128, immShuffle:
		r.skip(16)
	case immSelect:
		at := r.pos
		if n := r.u32(); n != 1 && r.err == nil {
			r.fail(at, "a select has %d types and must have one", n)
		}
		r.valueType()
	case immRef:
		r.refType()
	}
}

// memory reads the index of the only memory.
func (r *reader) memory() {
	at := r.pos
	if c := r.byte(); c != 0 && r.err == nil {
		r.unsupported(at, "several memories")
	}
}

// access reads alignment and offset.
func (r *reader) access() {
	at := r.pos
	align := r.u32()
	if align >= 32 && r.err == nil {
		if align&0x40 != 0 && align < 0x80 {
			r.unsupported(at, "several memories")
		} else {
			r.fail(at, "an alignment of 2^%d bytes is larger than any access", align)
		}
	}
	r.u32()
}

func (r *reader) blockType() int64 {
	at := r.pos
	v := r.signed(33)
	if v >= 0 || r.err != nil {
		return v
	}
	if v != blockEmpty {
		if v < -64 {
			r.fail(at, "there is no block type %d", v)
		} else {
			r.checkType(at, byte(v&0x7f))
		}
	}
	return v
}

func (r *reader) labels(in *instr) {
	n := r.count("branch targets")
	in.a, in.b = 0, uint32(n)
	for i := 0; i <= n && r.err == nil; i++ {
		in.a = max(in.a, r.u32())
	}
}

// The value types.
const (
	typeI32       = 0x7f
	typeI64       = 0x7e
	typeF32       = 0x7d
	typeF64       = 0x7c
	typeV128      = 0x7b
	typeFuncref   = 0x70
	typeExternref = 0x6f
)

func (r *reader) valueType() byte {
	at := r.pos
	c := r.byte()
	r.checkType(at, c)
	return c
}

func (r *reader) checkType(at int, c byte) {
	if r.err != nil {
		return
	}
	switch c {
	case typeI32, typeI64, typeF32, typeF64, typeV128, typeFuncref, typeExternref:
	case 0x63, 0x64:
		r.unsupported(at, "typed function references")
	case 0x69, 0x74:
		r.unsupported(at, "exception handling")
	case 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73:
		r.unsupported(at, "garbage collection")
	default:
		r.fail(at, "there is no value type %#x", c)
	}
}

func (r *reader) refType() byte {
	at := r.pos
	c := r.valueType()
	if r.err == nil && c != typeFuncref && c != typeExternref {
		r.fail(at, "%s is not a reference type", ValueType(c))
	}
	return c
}

// ValueType is the type of a value, as in the binary format.
type ValueType byte

func (t ValueType) String() string {
	switch t {
	case typeI32:
		return "i32"
	case typeI64:
		return "i64"
	case typeF32:
		return "f32"
	case typeF64:
		return "f64"
	case typeV128:
		return "v128"
	case typeFuncref:
		return "funcref"
	case typeExternref:
		return "externref"
	}
	return fmt.Sprintf("%#x", byte(t))
}
