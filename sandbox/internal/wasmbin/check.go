package wasmbin

// below checks an index.
func (c *checker) below(in *instr, what string, index uint32, have int) {
	if uint64(index) >= uint64(have) {
		c.reader.fail(in.at, "there is no %s %d: there are %d", what, index, have)
	}
}

// check checks the indexes of an instruction that is not about labels and
// locals.
func (c *checker) check(in *instr) {
	m := c.m
	switch op := in.op; {
	case op == opCall || op == opReturnCall || op == opRefFunc:
		c.below(in, "function", in.a, len(m.funcs))
	case op == opCallIndirect || op == opReturnCallIndirect:
		c.below(in, "type", in.a, len(m.types))
		c.below(in, "table", in.b, len(m.tables))
	case op == opGlobalGet || op == opGlobalSet:
		c.below(in, "global", in.a, m.globals)
	case op == 0x25 || op == 0x26 || (op >= opTableGrow && op <= opTableFill):
		c.below(in, "table", in.a, len(m.tables))
	case op == opTableCopy:
		c.below(in, "table", max(in.a, in.b), len(m.tables))
	case op == opTableInit:
		c.below(in, "element segment", in.a, m.elems)
		c.below(in, "table", in.b, len(m.tables))
	case op == opElemDrop:
		c.below(in, "element segment", in.a, m.elems)
	case op == opMemoryInit || op == opDataDrop:
		if m.dataCount < 0 {
			c.reader.fail(in.at, "it uses data segments without a data count section")
		}
		c.below(in, "data segment", in.a, m.dataCount)
		if op == opMemoryInit {
			c.memory(in)
		}
	case (op >= 0x28 && op <= opMemoryGrow) || op == opMemoryCopy || op == opMemoryFill || accesses(op):
		c.memory(in)
	}
}

// accesses reports whether a vector instruction is one on memory.
func accesses(op uint32) bool {
	if op>>8 != 0xfd {
		return false
	}
	imm := vector[op&0xff]
	return imm == immAccess || imm == immAccessLane
}

func (c *checker) memory(in *instr) {
	if !c.m.hasMem {
		c.reader.fail(in.at, "it uses a memory and has none")
	}
}
