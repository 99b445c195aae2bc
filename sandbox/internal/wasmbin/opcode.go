package wasmbin

// Opcodes that this package handles one by one. Two-byte opcodes have their
// prefix in the higher byte.
const (
	opUnreachable        = 0x00
	opBlock              = 0x02
	opLoop               = 0x03
	opIf                 = 0x04
	opElse               = 0x05
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opReturn             = 0x0f
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opSelect             = 0x1b
	opSelectTyped        = 0x1c
	opLocalGet           = 0x20
	opLocalSet           = 0x21
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opTableGet           = 0x25
	opTableSet           = 0x26
	opMemorySize         = 0x3f
	opMemoryGrow         = 0x40
	opI32Const           = 0x41
	opI64Const           = 0x42
	opI32LtU             = 0x49
	opI32LeU             = 0x4d
	opI64LtS             = 0x53
	opI64GtU             = 0x56
	opI32Add             = 0x6a
	opI32Sub             = 0x6b
	opI32Or              = 0x72
	opI64Add             = 0x7c
	opI64Sub             = 0x7d
	opI64Shl             = 0x86
	opI64ShrU            = 0x88
	opI64ExtendI32U      = 0xad
	opRefNull            = 0xd0
	opRefFunc            = 0xd2

	opMemoryInit = 0xfc08
	opDataDrop   = 0xfc09
	opMemoryCopy = 0xfc0a
	opMemoryFill = 0xfc0b
	opTableInit  = 0xfc0c
	opElemDrop   = 0xfc0d
	opTableCopy  = 0xfc0e
	opTableGrow  = 0xfc0f
	opTableSize  = 0xfc10
	opTableFill  = 0xfc11
	opV128Const  = 0xfd0c
)

// immediate says what follows an opcode.
type immediate uint8

const (
	immUnknown immediate = iota // no instruction of the offered features
	immNone
	immBlock    // block type
	immLabel    // label
	immLabels   // labels of a br_table
	immFunc     // function
	immIndirect // type, table
	immLocal
	immGlobal
	immTable
	immTables   // table, table
	immElem     // element segment
	immElemInto // element segment, table
	immData     // data segment
	immDataInto // data segment, memory
	immMemory   // memory
	immMemories // memory, memory
	immAccess   // alignment, offset
	immAccessLane
	immLane
	immI32
	immI64
	immF32
	immF64
	immV128
	immShuffle // 16 lanes
	immSelect  // types
	immRef     // reference type
)

// plain are the one-byte opcodes.
var plain = func() (t [256]immediate) {
	set := func(imm immediate, from, to int) {
		for i := from; i <= to; i++ {
			t[i] = imm
		}
	}
	set(immNone, 0x00, 0x01) // unreachable, nop
	set(immBlock, opBlock, opIf)
	set(immNone, opElse, opElse)
	set(immNone, opEnd, opEnd)
	set(immLabel, opBr, opBrIf)
	set(immLabels, opBrTable, opBrTable)
	set(immNone, 0x0f, 0x0f) // return
	set(immFunc, opCall, opCall)
	set(immIndirect, opCallIndirect, opCallIndirect)
	set(immFunc, opReturnCall, opReturnCall)
	set(immIndirect, opReturnCallIndirect, opReturnCallIndirect)
	set(immNone, 0x1a, 0x1b) // drop, select
	set(immSelect, 0x1c, 0x1c)
	set(immLocal, opLocalGet, opLocalTee)
	set(immGlobal, opGlobalGet, opGlobalSet)
	set(immTable, 0x25, 0x26)  // table.get, table.set
	set(immAccess, 0x28, 0x3e) // loads and stores
	set(immMemory, opMemorySize, opMemoryGrow)
	set(immI32, opI32Const, opI32Const)
	set(immI64, opI64Const, opI64Const)
	set(immF32, 0x43, 0x43)
	set(immF64, 0x44, 0x44)
	set(immNone, 0x45, 0xc4) // numbers, with sign extension
	set(immRef, opRefNull, opRefNull)
	set(immNone, 0xd1, 0xd1) // ref.is_null
	set(immFunc, opRefFunc, opRefFunc)
	return t
}()

// bulk are the opcodes with prefix 0xfc.
var bulk = [...]immediate{
	0: immNone, 1: immNone, 2: immNone, 3: immNone, 4: immNone, 5: immNone, 6: immNone, 7: immNone, // saturating conversions
	8: immDataInto, 9: immData, 10: immMemories, 11: immMemory,
	12: immElemInto, 13: immElem, 14: immTables, 15: immTable, 16: immTable, 17: immTable,
}

// vector are the opcodes with prefix 0xfd.
var vector = func() (t [256]immediate) {
	set := func(imm immediate, from, to int) {
		for i := from; i <= to; i++ {
			t[i] = imm
		}
	}
	set(immAccess, 0, 11)
	set(immV128, 12, 12)
	set(immShuffle, 13, 13)
	set(immNone, 14, 20)
	set(immLane, 21, 34)
	set(immNone, 35, 83)
	set(immAccessLane, 84, 91)
	set(immAccess, 92, 93)
	set(immNone, 94, 255)
	for _, hole := range []int{154, 162, 165, 166, 175, 176, 178, 179, 180, 187, 194, 197, 198, 207, 208, 210, 211, 212, 226, 238} {
		t[hole] = immUnknown
	}
	return t
}()

// feature names the proposal that an opcode with no known immediate belongs
// to; empty for none.
func feature(op uint32) string {
	switch op {
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		return "exception handling"
	case 0x14, 0x15, 0xd3, 0xd4, 0xd5, 0xd6:
		return "typed function references"
	}
	switch op >> 8 {
	case 0xfb:
		return "garbage collection"
	case 0xfe:
		return "threads"
	}
	if op >= 0xfd100 && op <= 0xfd1ff {
		return "relaxed SIMD"
	}
	if op >= 0xfc13 && op <= 0xfc16 {
		return "wide arithmetic"
	}
	return ""
}
