package wasmbin

// piece is how much one memory.fill, memory.copy or memory.init does at most,
// in bytes.
const piece = 256 << 10

// The functions of the meter, in the order in which they are added. Those from
// helpBytes on are there only if there is a memory, and those from helpFill on
// only if one of these instructions is: a runtime may know none of them.
const (
	helpCharge = iota // (i64): pays units
	helpItems         // (i32) -> (i32): pays a unit for each and returns them
	helpBytes         // (i32) -> (i32): the same by bytes
	helpGrow          // memory.grow
	helpFill          // memory.fill
	helpCopy          // memory.copy
	helpInit          // memory.init, one for each data segment of more than a piece that is used so
)

// helperNames are for stack traces.
var helperNames = [...]string{"charge", "items", "bytes", "memory.grow", "memory.fill", "memory.copy", "memory.init"}

// The types that are added for them, behind () -> ().
const (
	typeCharge = iota + 1 // (i64) -> ()
	typePay               // (i32) -> (i32)
	typeBulk              // (i32, i32, i32) -> ()
)

var helperTypes = [...]uint32{typeCharge, typePay, typePay, typePay, typeBulk, typeBulk, typeBulk}

// helpers is the number of functions that are added behind the others.
func (w *rewriter) helpers() int {
	switch {
	case !w.paid:
		return 0
	case !w.m.hasMem:
		return helpBytes
	case !w.m.pieces:
		return helpFill
	}
	return helpInit + len(w.inits)
}

// helper appends the body of the i-th added function without its size.
func (w *rewriter) helper(out []byte, i int) []byte {
	switch i {
	case helpCharge:
		return w.chargeBody(out)
	case helpItems:
		return w.payBody(out)
	case helpBytes:
		return w.payBody(out, opI64Const, byteShift, opI64ShrU)
	case helpGrow:
		return append(w.paid1(append(out, 0), opI64Const, pageShift, opI64Shl), opLocalGet, 0, opMemoryGrow, 0, opEnd)
	case helpFill:
		return w.fillBody(out)
	case helpCopy:
		return w.copyBody(out)
	}
	return w.initBody(out, w.inits[i-helpInit])
}

// chargeBody is (units i64): pay them.
func (w *rewriter) chargeBody(out []byte) []byte {
	out = appendU32(append(out, 0, opGlobalGet), w.fuel)
	out = append(out, opLocalGet, 0, opI64Sub)
	return append(w.settle(out), opEnd)
}

// payBody is (n i32): pay by n, and return it.
func (w *rewriter) payBody(out []byte, price ...byte) []byte {
	return append(w.paid1(append(out, 0), price...), opLocalGet, 0, opEnd)
}

// paid1 pays by the only parameter: price makes units of it.
func (w *rewriter) paid1(out []byte, price ...byte) []byte {
	out = append(append(out, opLocalGet, 0, opI64ExtendI32U), price...)
	return appendU32(append(out, opCall), w.first+helpCharge)
}

// The parameters of the next ones, and their local.
const (
	argTo    = 0 // address
	argFrom  = 1 // address, or value to fill with
	argLen   = 2
	argPiece = 3
)

// fillBody is memory.fill in pieces. The whole is done at once if it is short,
// and tried at once if it does not fit into the memory, because then nothing
// must be written.
func (w *rewriter) fillBody(out []byte) []byte {
	fill := func(out []byte, n byte) []byte {
		return append(out, opLocalGet, argTo, opLocalGet, argFrom, opLocalGet, n, 0xfc, 0x0b, 0)
	}
	out = whole(small(append(out, 1, 1, typeI32)), fill)
	out = whole(outside(out, argTo), fill)
	out = fill(w.nextPiece(append(out, opLoop, 0x40)), argPiece)
	out = advance(out, argTo, opI32Add)
	out = advance(out, argLen, opI32Sub)
	return append(out, opLocalGet, argLen, opBrIf, 0, opEnd, opEnd)
}

// copyBody is memory.copy in pieces, from the end if the target lies behind the
// source, because they may overlap.
func (w *rewriter) copyBody(out []byte) []byte {
	cp := func(out []byte, n byte) []byte {
		return append(out, opLocalGet, argTo, opLocalGet, argFrom, opLocalGet, n, 0xfc, 0x0a, 0, 0)
	}
	out = whole(small(append(out, 1, 1, typeI32)), cp)
	out = whole(append(outside(outside(out, argTo), argFrom), opI32Or), cp)

	out = append(out, opLocalGet, argTo, opLocalGet, argFrom, opI32LeU, opIf, 0x40, opLoop, 0x40)
	out = cp(w.nextPiece(out), argPiece)
	out = advance(out, argTo, opI32Add)
	out = advance(out, argFrom, opI32Add)
	out = advance(out, argLen, opI32Sub)
	out = append(out, opLocalGet, argLen, opBrIf, 0, opEnd, opElse)

	out = advanceBy(out, argTo, argLen, opI32Add) // to the ends
	out = advanceBy(out, argFrom, argLen, opI32Add)
	out = w.nextPiece(append(out, opLoop, 0x40))
	out = advance(out, argTo, opI32Sub)
	out = advance(out, argFrom, opI32Sub)
	out = cp(out, argPiece)
	out = advance(out, argLen, opI32Sub)
	return append(out, opLocalGet, argLen, opBrIf, 0, opEnd, opEnd, opEnd)
}

// initBody is memory.init of a segment in pieces. A segment that was dropped
// ends it at the first.
func (w *rewriter) initBody(out []byte, s largeData) []byte {
	init := func(out []byte, n byte) []byte {
		out = append(out, opLocalGet, argTo, opLocalGet, argFrom, opLocalGet, n, 0xfc, 0x08)
		return append(appendU32(out, s.index), 0)
	}
	out = whole(small(append(out, 1, 1, typeI32)), init)
	out = append(outside(out, argTo), opLocalGet, argFrom, opI64ExtendI32U, opLocalGet, argLen, opI64ExtendI32U, opI64Add, opI64Const)
	out = whole(append(appendS64(out, int64(s.size)), opI64GtU, opI32Or), init)
	out = init(w.nextPiece(append(out, opLoop, 0x40)), argPiece)
	out = advance(out, argTo, opI32Add)
	out = advance(out, argFrom, opI32Add)
	out = advance(out, argLen, opI32Sub)
	return append(out, opLocalGet, argLen, opBrIf, 0, opEnd, opEnd)
}

// whole does all of it and returns if the condition on the stack holds.
func whole(out []byte, do func(out []byte, n byte) []byte) []byte {
	return append(do(append(out, opIf, 0x40), argLen), opReturn, opEnd)
}

// small leaves on the stack whether the fixed price covers the length.
func small(out []byte) []byte {
	return append(appendS64(append(out, opLocalGet, argLen, opI32Const), smallCopy), opI32LeU)
}

// outside leaves on the stack whether the argument and the length go beyond the
// memory.
func outside(out []byte, arg byte) []byte {
	return append(out,
		opLocalGet, arg, opI64ExtendI32U, opLocalGet, argLen, opI64ExtendI32U, opI64Add,
		opMemorySize, 0, opI64ExtendI32U, opI64Const, 16, opI64Shl, opI64GtU)
}

// nextPiece sets the piece to what is left, but not too much, and pays for it.
func (w *rewriter) nextPiece(out []byte) []byte {
	out = appendS64(append(out, opLocalGet, argLen, opI32Const), piece)
	out = appendS64(append(out, opLocalGet, argLen, opI32Const), piece)
	out = append(out, opI32LtU, 0x1b /* select */, opLocalTee, argPiece)
	out = append(out, opI64ExtendI32U, opI64Const, byteShift, opI64ShrU)
	return appendU32(append(out, opCall), w.first+helpCharge)
}

// advance moves an argument by the piece.
func advance(out []byte, arg, op byte) []byte { return advanceBy(out, arg, argPiece, op) }

func advanceBy(out []byte, arg, by, op byte) []byte {
	return append(out, opLocalGet, arg, opLocalGet, by, op, opLocalSet, arg)
}
