package wasmbin

import "fmt"

// leafWeight is the largest weight of a function that its callers pay for.
const leafWeight = 32

// codeSection reads the code of all functions.
func (m *Module) codeSection(r *reader) {
	n := int(r.u32())
	if defined := len(m.funcs) - m.imported; r.err == nil && n != defined {
		r.fail(r.pos, "it has code for %d functions and %d are declared", n, defined)
	}
	if r.err != nil {
		return
	}
	m.bodies = make([]body, 0, n)
	c := checker{m: m}
	for i := 0; i < n && r.err == nil; i++ {
		at := r.pos
		size := r.count("bytes of code")
		if r.err != nil {
			return
		}
		if int64(size) > m.lim.BodySize {
			r.err = exceeded(at, m.whereFunc(i), "bodySize", "bytes of code", uint64(size), m.lim.BodySize)
			return
		}
		c.reader = r.sub(size, "")
		m.bodies = append(m.bodies, c.body(i))
		if r.err = c.reader.err; r.err != nil {
			r.err.Where = m.whereFunc(i)
		}
	}
}

// whereFunc names a defined function in a message. Its name is known only if
// it is exported: the name section comes later.
func (m *Module) whereFunc(i int) string {
	index := i + m.imported
	for _, e := range m.exports {
		if e.Kind == KindFunction && int(e.index) == index {
			return fmt.Sprintf("function %d %s", index, quote(e.Name))
		}
	}
	return fmt.Sprintf("function %d", index)
}

// checker checks the code of one function after the other.
type checker struct {
	m      *Module
	reader reader
	blocks []uint32 // the opcodes of the blocks that are open
	widths []int64  // by open block: values that a branch to it carries
	used   []uint32 // by local: the function (from 1) that used it last
}

func (c *checker) body(i int) body {
	m, r := c.m, &c.reader
	b := body{start: r.pos, end: len(r.b)}
	typ := &m.types[m.funcs[m.imported+i]]
	b.locals = c.locals(len(typ.Params))
	b.code = r.pos
	if grow := b.locals - len(c.used); grow > 0 && r.err == nil {
		c.used = append(c.used, make([]uint32, grow)...)
	}
	c.blocks = append(c.blocks[:0], opBlock)
	c.widths = append(c.widths[:0], int64(len(typ.Results)))
	b.leaf = true
	t := tally{globals: int64(m.mutable)}
	t.values(int64(len(typ.Params) + len(typ.Results)))
	if !m.lim.metered {
		t.globals++
	}
	var in instr
	var count int64
	for len(c.blocks) > 0 && r.err == nil {
		r.next(&in)
		if r.err != nil {
			break
		}
		count++
		values := int64(0)
		switch in.op {
		case opBlock, opLoop, opIf:
			values = c.open(&in)
			if in.op == opLoop {
				b.leaf = false
				if !m.lim.metered {
					t.meter()
				}
			}
		case opElse:
			if c.blocks[len(c.blocks)-1] != opIf {
				r.fail(in.at, "an else has no if")
			}
			c.blocks[len(c.blocks)-1] = opElse
		case opEnd:
			c.blocks = c.blocks[:len(c.blocks)-1]
			c.widths = c.widths[:len(c.widths)-1]
		case opBr, opBrIf:
			values = c.branch(&in)
		case opBrTable:
			values = c.branch(&in) * (int64(in.b) + 1) // all labels carry as many
			c.branches(&in)
		case opLocalGet, opLocalSet, opLocalTee:
			c.below(&in, "local", in.a, b.locals)
			if r.err == nil && c.used[in.a] != uint32(i+1) {
				c.used[in.a] = uint32(i + 1)
				t.locals++
			}
		case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect:
			b.leaf = false
			c.check(&in)
			values = c.signature(&in)
		case opMemoryGrow, opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableGrow, opTableFill:
			b.leaf = false
			c.check(&in)
			values = c.bulk(&in, &t)
		default:
			if in.op >= opGlobalGet {
				c.check(&in)
			}
		}
		t.add(&in, values)
	}
	r.end()
	b.weight = int32(count)
	b.leaf = b.leaf && count <= leafWeight && !m.taken[m.imported+i]
	if !b.leaf && !m.lim.metered {
		t.meter()
	}
	b.cost = t.sum()
	if took := b.cost.time / 1000; r.err == nil && took > m.lim.FunctionWork {
		r.err = exceeded(b.start, "", "functionWork", "units of work for the compiler", uint64(took), m.lim.FunctionWork)
	}
	m.spend(b.cost)
	return b
}

// bulk notes an instruction that pays by length and counts what Rewrite writes
// for it: a call that takes its place or comes before it. It returns the values
// of that call if it takes the place, and makes the instruction one.
func (c *checker) bulk(in *instr, t *tally) (values int64) {
	m := c.m
	m.paid = true
	m.pieces = m.pieces || in.op >= opMemoryInit && in.op <= opMemoryFill
	if in.op == opMemoryInit && c.reader.err == nil {
		m.inits[in.a] = true
	}
	if m.lim.metered {
		return 0
	}
	switch in.op {
	case opMemoryCopy, opMemoryFill:
		in.op = opCall
		return 3
	case opMemoryGrow:
		in.op = opCall
		return 2
	}
	t.add(&instr{op: opCall}, 2)
	return 0
}

// locals reads the declarations of locals and returns their number, with the
// parameters.
func (c *checker) locals(params int) int {
	r, lim := &c.reader, &c.m.lim
	total := uint64(params)
	for range r.count("groups of locals") {
		at := r.pos
		total += uint64(r.u32())
		r.valueType()
		if r.err != nil {
			return 0
		}
		if total > uint64(lim.Locals) {
			r.err = exceeded(at, "", "locals", "locals", total, lim.Locals)
			return 0
		}
	}
	if c.m.locals += int64(total); r.err == nil && c.m.locals > lim.LocalsTotal {
		r.err = exceeded(r.pos, "", "localsTotal", "locals in the functions up to here", uint64(c.m.locals), lim.LocalsTotal)
	}
	return int(total)
}

// open notes a block and returns how many values go in and out of it.
func (c *checker) open(in *instr) (values int64) {
	c.blocks = append(c.blocks, in.op)
	params, results := int64(0), int64(0)
	switch {
	case in.block == blockEmpty:
	case in.block < 0:
		results = 1
	case in.block < int64(len(c.m.types)):
		t := &c.m.types[in.block]
		params, results = int64(len(t.Params)), int64(len(t.Results))
	default:
		c.below(in, "type", uint32(in.block), len(c.m.types))
	}
	if in.op == opLoop {
		c.widths = append(c.widths, params)
	} else {
		c.widths = append(c.widths, results)
	}
	if depth := int64(len(c.blocks) - 1); depth > c.m.lim.Nesting && c.reader.err == nil {
		c.reader.err = exceeded(in.at, "", "nesting", "blocks inside of each other", uint64(depth), c.m.lim.Nesting)
	}
	return params + results
}

// branch checks a label and returns how many values a branch to it carries.
func (c *checker) branch(in *instr) int64 {
	c.below(in, "label", in.a, len(c.blocks))
	if c.reader.err != nil {
		return 0
	}
	return c.widths[len(c.widths)-1-int(in.a)]
}

// signature returns how many values a call takes and gives.
func (c *checker) signature(in *instr) int64 {
	if c.reader.err != nil {
		return 0
	}
	index := in.a // of a type
	if in.op == opCall || in.op == opReturnCall {
		index = c.m.funcs[in.a]
	}
	t := &c.m.types[index]
	return int64(len(t.Params) + len(t.Results))
}

func (c *checker) branches(in *instr) {
	r, lim := &c.reader, &c.m.lim
	c.m.targets += int64(in.b)
	switch {
	case r.err != nil:
	case int64(in.b) > lim.BranchTargets:
		r.err = exceeded(in.at, "", "branchTargets", "targets of a br_table", uint64(in.b), lim.BranchTargets)
	case c.m.targets > lim.BranchTargetsTotal:
		r.err = exceeded(in.at, "", "branchTargetsTotal", "targets of br_tables up to here", uint64(c.m.targets), lim.BranchTargetsTotal)
	}
}
