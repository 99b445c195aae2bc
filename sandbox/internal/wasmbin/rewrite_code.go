package wasmbin

// edit is a place in the code where something is written anew.
type edit struct {
	at, end int // what is left out
	kind    editKind
	index   uint32 // function to mention or call, as it is numbered afterwards
	weight  int64  // of a check
}

type editKind uint8

const (
	editCheck    editKind = iota
	editFunction          // mention a function
	editCall              // call a function of the meter
)

// smallCopy is the length in bytes up to which memory.fill and memory.copy
// are paid by a fixed price.
const smallCopy = 1 << 10

// Prices in units of fuel: bytes are shifted right, pages and elements left or
// not at all.
const (
	byteShift  = 3 // memory that is touched for the first time is slow
	pageShift  = 4
	smallPrice = 16
	growPrice  = 256 // growing leaves the guest, even by nothing
)

// bulkPrice is the fixed price of an instruction that also pays by length, and
// 0 for others.
func bulkPrice(op uint32) int64 {
	switch op {
	case opMemoryCopy, opMemoryFill:
		return smallPrice
	case opMemoryGrow, opTableGrow:
		return growPrice
	case opMemoryInit, opTableInit, opTableCopy, opTableFill:
		return 1
	}
	return 0
}

// code writes the code section.
func (w *rewriter) code(s *section) {
	n := len(w.m.bodies) + w.helpers()
	if n == 0 && s.header == 0 {
		return
	}
	body := make([]byte, 0, (s.end-s.start)*5/4+256)
	body = appendU32(body, uint32(n))
	var scratch []byte
	for i := range w.m.bodies {
		scratch = w.body(scratch[:0], &w.m.bodies[i])
		body = append(appendU32(body, uint32(len(scratch))), scratch...)
	}
	for i := range w.helpers() {
		scratch = w.helper(scratch[:0], i)
		body = append(appendU32(body, uint32(len(scratch))), scratch...)
	}
	w.out = appendSection(w.out, secCode, body)
}

// body appends one function without its size.
func (w *rewriter) body(out []byte, b *body) []byte {
	src := w.m.b[:b.end]
	w.collect(b)
	out = append(out, src[b.start:b.code]...)
	from := b.code
	for i := range w.edits {
		e := &w.edits[i]
		out = append(out, src[from:e.at]...)
		from = e.end
		switch e.kind {
		case editCheck:
			out = w.check(out, e.weight)
		case editFunction:
			out = appendU32(out, w.function(e.index))
		case editCall:
			out = appendU32(append(out, opCall), e.index)
		}
	}
	return append(out, src[from:]...)
}

// collect finds the places to edit and what each check covers: the function
// outside of its loops, and each loop outside of its inner loops.
func (w *rewriter) collect(b *body) {
	r := reader{b: w.m.b[:b.end], pos: b.code}
	w.edits, w.heads = w.edits[:0], append(w.heads[:0], 0)
	w.edits = append(w.edits, edit{at: b.code, end: b.code})
	head := int32(0) // the check that pays for the instruction
	var in instr
	for len(w.heads) > 0 {
		r.next(&in)
		price := int64(1)
		switch in.op {
		case opBlock, opIf:
			w.heads = append(w.heads, head)
		case opLoop:
			w.heads = append(w.heads, head)
			head = int32(len(w.edits))
			w.edits = append(w.edits, edit{at: r.pos, end: r.pos})
		case opEnd:
			w.edits[head].weight++
			price = 0
			head = w.heads[len(w.heads)-1]
			w.heads = w.heads[:len(w.heads)-1]
		case opCall, opReturnCall, opRefFunc:
			if in.a >= w.refill {
				w.edits = append(w.edits, edit{at: in.imm, end: r.pos, kind: editFunction, index: in.a})
				if callee := &w.m.bodies[int(in.a)-w.m.imported]; callee.leaf && in.op != opRefFunc {
					price += int64(callee.weight)
				}
			}
		default:
			if p := bulkPrice(in.op); p > 0 {
				price = p
				w.edits = append(w.edits, w.bulk(&in, r.pos))
			}
		}
		w.edits[head].weight += price
	}
	if b.leaf { // its callers pay
		w.edits = w.edits[1:]
	}
}

// check appends the payment of a fixed weight: it leaves the stack as it is.
func (w *rewriter) check(out []byte, weight int64) []byte {
	out = appendU32(append(out, opGlobalGet), w.fuel)
	out = append(appendS64(append(out, opI64Const), weight), opI64Sub)
	return w.settle(out)
}

// settle appends the rest of a payment: the new count is on the stack.
func (w *rewriter) settle(out []byte) []byte {
	out = appendU32(append(out, opGlobalSet), w.fuel)
	out = appendU32(append(out, opGlobalGet), w.fuel)
	out = append(out, opI64Const, 0, opI64LtS, opIf, 0x40)
	out = appendU32(append(out, opCall), w.refill)
	return append(out, opEnd)
}

// bulk is the edit of an instruction that pays by length. All of it happens in
// a function of the meter where it can, and else a call before it takes the
// length off the stack and puts it back: what is written in place is compiled
// as often as it is there, and a branch costs the compiler most.
func (w *rewriter) bulk(in *instr, end int) edit {
	e := edit{at: in.at, end: end, kind: editCall}
	switch in.op {
	case opMemoryFill:
		e.index = w.first + helpFill
	case opMemoryCopy:
		e.index = w.first + helpCopy
	case opMemoryGrow:
		e.index = w.first + helpGrow
	case opMemoryInit:
		if i, ok := w.large[in.a]; ok {
			e.index = w.first + helpInit + uint32(i)
			return e
		}
		e.index, e.end = w.first+helpBytes, in.at
	default:
		e.index, e.end = w.first+helpItems, in.at
	}
	return e
}
