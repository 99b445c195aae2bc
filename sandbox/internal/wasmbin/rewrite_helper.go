package wasmbin

// piece is how much one memory.fill or memory.copy does at most, in bytes.
const piece = 256 << 10

// helper appends the body of the i-th added function without its size.
func (w *rewriter) helper(out []byte, i int) []byte {
	switch i {
	case 0:
		return w.chargeBody(out)
	case 1:
		return w.fillBody(out)
	}
	return w.copyBody(out)
}

// chargeBody is (units i64): pay them.
func (w *rewriter) chargeBody(out []byte) []byte {
	out = appendU32(append(out, 0, opGlobalGet), w.fuel)
	out = append(out, opLocalGet, 0, opI64Sub)
	return append(w.settle(out), opEnd)
}

// The parameters of the next two, and their local.
const (
	argTo    = 0 // address
	argFrom  = 1 // address, or value to fill with
	argLen   = 2
	argPiece = 3
)

// fillBody is memory.fill in pieces. The whole is tried at once if it does not
// fit into the memory, because then nothing must be written.
func (w *rewriter) fillBody(out []byte) []byte {
	fill := []byte{opLocalGet, argTo, opLocalGet, argFrom, opLocalGet, argPiece, 0xfc, 0x0b, 0}
	out = append(out, 1, 1, typeI32)
	out = outside(out, argTo)
	out = append(out, opIf, 0x40, opLocalGet, argTo, opLocalGet, argFrom, opLocalGet, argLen, 0xfc, 0x0b, 0, 0x0f, opEnd)
	out = append(out, opLoop, 0x40)
	out = w.nextPiece(out)
	out = append(out, fill...)
	out = advance(out, argTo, opI32Add)
	out = advance(out, argLen, opI32Sub)
	return append(out, opLocalGet, argLen, opBrIf, 0, opEnd, opEnd)
}

// copyBody is memory.copy in pieces, from the end if the target lies behind the
// source, because they may overlap.
func (w *rewriter) copyBody(out []byte) []byte {
	cp := []byte{opLocalGet, argTo, opLocalGet, argFrom, opLocalGet, argPiece, 0xfc, 0x0a, 0, 0}
	whole := []byte{opLocalGet, argTo, opLocalGet, argFrom, opLocalGet, argLen, 0xfc, 0x0a, 0, 0, 0x0f}
	out = append(out, 1, 1, typeI32)
	out = outside(outside(out, argTo), argFrom)
	out = append(append(append(out, opI32Or, opIf, 0x40), whole...), opEnd)

	out = append(out, opLocalGet, argTo, opLocalGet, argFrom, 0x4d /* i32.le_u */, opIf, 0x40, opLoop, 0x40)
	out = append(w.nextPiece(out), cp...)
	out = advance(out, argTo, opI32Add)
	out = advance(out, argFrom, opI32Add)
	out = advance(out, argLen, opI32Sub)
	out = append(out, opLocalGet, argLen, opBrIf, 0, opEnd, opElse)

	out = advanceBy(out, argTo, argLen, opI32Add) // to the ends
	out = advanceBy(out, argFrom, argLen, opI32Add)
	out = w.nextPiece(append(out, opLoop, 0x40))
	out = advance(out, argTo, opI32Sub)
	out = advance(out, argFrom, opI32Sub)
	out = append(out, cp...)
	out = advance(out, argLen, opI32Sub)
	return append(out, opLocalGet, argLen, opBrIf, 0, opEnd, opEnd, opEnd)
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
	return appendU32(append(out, opCall), w.charge)
}

// advance moves an argument by the piece.
func advance(out []byte, arg, op byte) []byte { return advanceBy(out, arg, argPiece, op) }

func advanceBy(out []byte, arg, by, op byte) []byte {
	return append(out, opLocalGet, arg, opLocalGet, by, op, opLocalSet, arg)
}
