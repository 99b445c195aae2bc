package wasmbin

import (
	"fmt"
	"strings"
)

// function reads the index of a function outside of code and remembers where it
// stands.
func (m *Module) function(r *reader) uint32 {
	at := r.pos
	f := r.u32()
	if r.err != nil {
		return 0
	}
	if uint64(f) >= uint64(len(m.funcs)) {
		r.fail(at, "there is no function %d: the module has %d functions", f, len(m.funcs))
		return 0
	}
	m.refs = append(m.refs, ref{at: at, end: r.pos, index: f})
	m.taken[int(f)] = true
	return f
}

// constant reads a constant expression that may refer to the first globals
// only.
func (m *Module) constant(r *reader, globals int) {
	var in instr
	for r.err == nil {
		at := r.pos
		r.next(&in)
		if r.err != nil {
			return
		}
		switch in.op {
		case opEnd:
			return
		case opI32Const, opI64Const, 0x43, 0x44, opV128Const, opRefNull,
			opI32Add, opI32Sub, 0x6c, opI64Add, opI64Sub, 0x7e:
		case opRefFunc:
			r.pos = in.imm
			m.function(r)
		case opGlobalGet:
			if uint64(in.a) >= uint64(globals) {
				r.fail(at, "there is no global %d: %d globals come before", in.a, globals)
			}
		default:
			r.fail(at, "the instruction %#x cannot be used in a constant expression", in.op)
		}
	}
}

func (m *Module) exportSection(r *reader) {
	n := m.many(r, "exports", "exports", 0, m.lim.Exports)
	seen := make(map[string]bool, n)
	for i := 0; i < n && r.err == nil; i++ {
		r.where = fmt.Sprintf("export %d", i)
		at := r.pos
		e := Export{Name: r.name(&m.lim)}
		r.where = "export " + quote(e.Name)
		kind := r.byte()
		if r.err != nil {
			return
		}
		if seen[e.Name] {
			r.fail(at, "the name is there twice")
		}
		seen[e.Name] = true
		if strings.HasPrefix(e.Name, reservedExport) && !m.lim.metered {
			r.refuse(Forbidden, at, "names that begin with "+reservedExport+" are reserved for the host")
		}
		e.Kind = Kind(kind)
		var have int
		switch {
		case kind == 4:
			r.unsupported(at, "exception handling")
		case kind > 4:
			r.fail(at, "there is no export of kind %d", kind)
		case e.Kind == KindFunction:
			e.index = m.function(r)
			if r.err == nil {
				e.Type = m.types[m.funcs[e.index]]
			}
			m.exports = append(m.exports, e)
			continue
		case e.Kind == KindTable:
			have = len(m.tables)
		case e.Kind == KindMemory:
			have = m.memories()
		case e.Kind == KindGlobal:
			have = m.globals
		}
		if e.index = r.u32(); r.err == nil && uint64(e.index) >= uint64(have) {
			r.fail(at, "there is no %v %d: the module has %d", e.Kind, e.index, have)
		}
		m.exports = append(m.exports, e)
	}
}

func (m *Module) memories() int {
	if m.hasMem {
		return 1
	}
	return 0
}

// elementSection reads segments. Their flags are: 1 passive or declared, 2 with
// a table or declared, 4 with expressions.
func (m *Module) elementSection(r *reader) {
	n := m.many(r, "element segments", "elementSegments", 0, m.lim.ElementSegments)
	for ; m.elems < n && r.err == nil; m.elems++ {
		r.where = fmt.Sprintf("element segment %d", m.elems)
		at := r.pos
		flags := r.u32()
		if flags > 7 {
			r.fail(at, "there is no kind %d of element segment", flags)
		}
		if flags&1 == 0 {
			m.elementTarget(r, flags)
		}
		if flags&3 != 0 {
			at = r.pos
			if flags&4 != 0 {
				r.refType()
			} else if c := r.byte(); c != 0 {
				r.fail(at, "there is no kind %#x of element", c)
			}
		}
		k := m.many(r, "elements", "elements", m.elements, m.lim.Elements)
		m.elements += int64(k)
		for i := 0; i < k && r.err == nil; i++ {
			if flags&4 != 0 {
				m.constant(r, m.globals)
			} else {
				m.function(r)
			}
		}
	}
}

// elementTarget reads the table and offset of an active segment.
func (m *Module) elementTarget(r *reader, flags uint32) {
	at := r.pos
	t := uint32(0)
	if flags&2 != 0 {
		t = r.u32()
	}
	if r.err == nil && uint64(t) >= uint64(len(m.tables)) {
		r.fail(at, "there is no table %d: the module has %d tables", t, len(m.tables))
	}
	m.constant(r, m.globals)
}

func (m *Module) dataSection(r *reader) {
	n := m.many(r, "data segments", "dataSegments", 0, m.lim.DataSegments)
	for ; m.data < n && r.err == nil; m.data++ {
		r.where = fmt.Sprintf("data segment %d", m.data)
		at := r.pos
		flags := r.u32()
		if r.err == nil && flags > 2 {
			r.fail(at, "there is no kind %d of data segment", flags)
		}
		if flags == 2 {
			if i := r.u32(); i != 0 && r.err == nil { // unlike in code, a number of any length
				r.unsupported(at, "several memories")
			}
		}
		if flags != 1 {
			if r.err == nil && !m.hasMem {
				r.fail(at, "there is no memory to write to")
			}
			m.constant(r, m.globals)
		}
		size := r.count("bytes of data")
		if size > piece {
			m.largeData = append(m.largeData, largeData{uint32(m.data), size})
		}
		r.skip(size)
	}
}

// complete checks what can only be checked at the end.
func (m *Module) complete() error {
	wrong := func(format string, args ...any) error {
		return &Error{Reason: Malformed, Offset: -1, Msg: fmt.Sprintf(format, args...)}
	}
	defined := len(m.funcs) - m.imported
	switch {
	case len(m.bodies) != defined:
		return wrong("it declares %d functions and has code for %d", defined, len(m.bodies))
	case m.dataCount >= 0 && m.dataCount != m.data:
		return wrong("it declares %d data segments and has %d", m.dataCount, m.data)
	}
	for i, s := range m.sections {
		if s.id == secCustom && s.name == nameSection && m.names.section == 0 {
			m.names = readNames(m.b[:s.end], s.start, len(m.funcs), &m.lim)
			m.names.section = i + 1
		}
	}
	for _, e := range m.exports {
		if e.Kind == KindMemory {
			m.memExport = true
		}
	}
	if n := m.work(); n > m.lim.Work {
		return exceeded(-1, "", "work", "units of work for the compiler", uint64(n), m.lim.Work)
	}
	if n := m.peak(); n > m.lim.CompileMemory {
		return exceeded(-1, "", "compileMemory", "bytes of memory for the compiler", uint64(n), m.lim.CompileMemory)
	}
	return nil
}
