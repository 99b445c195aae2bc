package wasmbin

// cost is what compiling takes, estimated: nanoseconds on the machine that it
// was measured on, and bytes at the peak.
type cost struct {
	time, memory int64
	kept         int64 // of the memory, what stays until all of the module is compiled
}

// tally collects what a function costs the compiler. It is fed the code that
// Rewrite writes and not what the module has in its place, so that nothing is
// compiled that was not counted.
//
// Every figure is measured with one function of many of the same kind, and most
// with small functions too; cost_test.go prints them anew. Counted are
//
//	one by one  what an instruction is translated to; see price
//	calls       every call loads the mutable globals again, and moves its values
//	forks       control flow joins all locals and globals in use wherever it
//	            meets, and looks among them for each
//	parts       ordering the basic blocks goes by the square of their number
//	loops       finding them goes by the square of theirs
//	memory      memory that is touched for the first time is slow
type tally struct {
	cost
	globals                            int64 // mutable ones, with the counter
	calls, forks, parts, loops, locals int64
}

const (
	functionTime   = 10_000 // ns of an empty function
	functionMemory = 4 << 10
	valueTime      = 100 // ns of a parameter or result
	valueMemory    = 100
	// freshMemory is what a worker of the compiler has from the functions
	// before, and freshTime the nanoseconds for a page beyond it.
	freshMemory = 2 << 20
	freshTime   = 4096 / 300 * 1000
	// workers is how many functions are compiled at a time. It is no number of
	// processors, because each may hold a function of the largest kind.
	workers = 2
)

// add counts an instruction. Of calls, blocks and branches, values is how many
// values it takes and gives, and of a br_table how many that are for all
// targets.
func (t *tally) add(in *instr, values int64) {
	p := price(in.op)
	switch in.op {
	case opBlock:
		t.forks, t.parts = t.forks+1, t.parts+1
	case opIf:
		t.forks, t.parts = t.forks+1, t.parts+2
	case opLoop:
		t.forks, t.parts, t.loops = t.forks+2, t.parts+2, t.loops+1
	case opBr, opBrIf:
		t.forks, t.parts = t.forks+1, t.parts+2
	case opBrTable:
		targets := int64(in.b) + 1
		t.forks, t.parts = t.forks+targets, t.parts+2
		p = cost{time: 7_000 * targets, memory: 3_000 * targets}
	case opUnreachable, opReturn:
		t.parts += 3
	case opTableFill:
		t.parts += 3
	case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect:
		t.calls++
		p.time += 250 * t.globals
		p.memory += 200*t.globals + 330*values
	}
	t.time += p.time + 350*values
	t.memory += p.memory + 80*values
}

// values counts the parameters and results of the function.
func (t *tally) values(n int64) {
	t.time += n * valueTime
	t.memory += n * valueMemory
}

// meter counts the code of a check; see rewriter.check.
func (t *tally) meter() {
	for _, op := range []uint32{opGlobalGet, opI64Const, opI64Sub, opGlobalSet, opGlobalGet, opI64Const, opI64LtS, opIf, opCall, opEnd} {
		t.add(&instr{op: op}, 0)
	}
}

// sum is the cost of the whole function.
func (t *tally) sum() cost {
	values := t.locals + t.globals
	c := cost{
		time: functionTime + t.time + t.forks*values*500 + t.forks*values*values +
			t.loops*t.loops*250 + t.parts*t.parts*8,
		memory: functionMemory + t.memory + t.forks*values*80,
	}
	c.kept = c.memory/32 + 48*t.calls // mostly machine code
	if fresh := c.memory - freshMemory; fresh > 0 {
		c.time += fresh / 4096 * freshTime
	}
	return c
}

// price is the cost of one instruction in a function without locals.
func price(op uint32) cost {
	switch op {
	case opBlock:
		return cost{time: 1_000, memory: 2_500}
	case opIf:
		return cost{time: 2_000, memory: 8_000}
	case opLoop:
		return cost{time: 2_000, memory: 4_000}
	case opBr, opBrIf:
		return cost{time: 2_000, memory: 5_500}
	case opUnreachable, opReturn:
		return cost{time: 1_000, memory: 1_500}
	case opCall, opReturnCall:
		return cost{time: 2_300, memory: 1_700}
	case opCallIndirect, opReturnCallIndirect:
		return cost{time: 20_000, memory: 14_000}
	case opTableGrow:
		return cost{time: 6_000, memory: 4_000}
	case opTableInit, opTableCopy, opMemoryInit, opMemoryCopy:
		return cost{time: 46_000, memory: 25_000}
	case opTableFill, opMemoryFill:
		return cost{time: 80_000, memory: 36_000}
	case opMemoryGrow:
		return cost{time: 5_000, memory: 2_000}
	case opSelect, opSelectTyped:
		return cost{time: 2_500, memory: 1_500}
	case opTableGet, opTableSet:
		return cost{time: 5_000, memory: 5_500}
	}
	switch {
	case op>>8 == 0xfd && accesses(op):
		return cost{time: 8_000, memory: 8_000}
	case op>>8 == 0xfd:
		return cost{time: 3_500, memory: 3_000}
	case op < 0xff && plain[op] == immAccess:
		return cost{time: 6_000, memory: 5_000}
	case op >= 0x6d && op <= 0x70, op >= 0x7f && op <= 0x82: // division
		return cost{time: 5_000, memory: 5_500}
	case op >= 0xa8 && op <= 0xab, op >= 0xae && op <= 0xb1, op >= 0xfc00 && op <= 0xfc07: // float to integer
		return cost{time: 6_000, memory: 8_500}
	case op >= 0x8b && op <= 0xa6, op >= 0xb2 && op <= 0xbf: // floats
		return cost{time: 3_500, memory: 3_000}
	case op >= 0x45 && op <= 0xc4: // integers
		return cost{time: 1_000, memory: 1_000}
	case op == opGlobalSet:
		return cost{time: 500, memory: 800}
	}
	return cost{time: 200, memory: 150}
}

// typeCost is the cost of a function type: the compiler writes an entry for
// each, in one go.
func typeCost(t *FuncType) cost {
	n := int64(len(t.Params) + len(t.Results))
	return cost{time: 10_000 + 650*n + 2*n*n, memory: 1_500 + 120*n}
}

// The memory of the other parts, each with what this package, wazero and the
// instance keep of it.
const (
	fileMemory    = 3 // times its bytes: as it is, rewritten, read
	nameMemory    = 6 // times the bytes of the name section, on top of that
	bodyMemory    = 300
	exportMemory  = 500
	importMemory  = 500
	globalMemory  = 400
	segmentMemory = 600
	elementMemory = 150
	dataMemory    = 100
	baseMemory    = 2 << 20
)

// spend adds the cost of a function to that of the module.
func (m *Module) spend(c cost) {
	m.time += c.time
	m.kept += c.kept
	for i := range m.largest { // descending
		if c.memory > m.largest[i] {
			m.largest[i], c.memory = c.memory, m.largest[i]
		}
	}
}

// WorkerMemory is what one more worker of the compiler than the two that
// Score.Memory counts needs, in bytes.
func (m *Module) WorkerMemory() int64 { return m.largest[workers-1] }

// work is the estimated time of compiling all of the module, in microseconds.
func (m *Module) work() int64 { return m.time / 1000 }

// peak is the estimated memory of compiling the module, in bytes.
func (m *Module) peak() int64 {
	n := baseMemory + m.kept + int64(len(m.b))*fileMemory + int64(len(m.funcs))*bodyMemory +
		int64(len(m.exports))*exportMemory + int64(len(m.imports))*importMemory + int64(m.globals)*globalMemory +
		int64(m.elems)*segmentMemory + m.elements*elementMemory + int64(m.data)*dataMemory
	for _, b := range m.largest {
		n += b
	}
	if i := m.names.section; i > 0 && m.names.ok {
		n += nameMemory * int64(m.sections[i-1].end-m.sections[i-1].start)
	}
	return n
}
