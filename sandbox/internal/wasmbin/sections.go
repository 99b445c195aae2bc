package wasmbin

import (
	"fmt"
	"strings"
)

// section reads a section that is not custom.
func (m *Module) section(id byte, r *reader) {
	switch id {
	case secType:
		m.typeSection(r)
	case secImport:
		m.importSection(r)
	case secFunction:
		m.functionSection(r)
	case secTable:
		for range m.many(r, "tables", "tables", int64(len(m.tables)), m.lim.Tables) {
			m.table(r, false)
		}
	case secMemory:
		m.memorySection(r)
	case secGlobal:
		for range m.many(r, "globals", "globals", int64(m.globals), m.lim.Globals) {
			r.where = fmt.Sprintf("global %d", m.globals)
			m.globalType(r)
			m.constant(r, m.globals)
			m.globals++
			if r.err != nil {
				return
			}
		}
	case secExport:
		m.exportSection(r)
	case secStart:
		m.function(r)
	case secElement:
		m.elementSection(r)
	case secCode:
		m.codeSection(r)
	case secData:
		m.dataSection(r)
	case secDataCount:
		m.dataCount = int(r.u32())
		if int64(m.dataCount) > m.lim.DataSegments && r.err == nil {
			r.err = exceeded(r.pos, r.where, "dataSegments", "data segments", uint64(m.dataCount), m.lim.DataSegments)
		}
	}
}

// many reads the number of things in a section, of which there are had already,
// and checks it against a limit. It returns a number to range over.
func (m *Module) many(r *reader, what string, limit Limit, had, most int64) int {
	at := r.pos
	n := r.u32()
	if r.err == nil && int64(n)+had > most {
		r.err = exceeded(at, r.where, limit, what, uint64(int64(n)+had), most)
	}
	if r.err == nil && int64(n) > int64(r.left()) {
		r.fail(at, "%d %s do not fit into the %d bytes that are left", n, what, r.left())
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (m *Module) typeSection(r *reader) {
	n := m.many(r, "types", "types", 0, m.lim.Types)
	m.types = make([]FuncType, 0, n)
	var total cost
	for i := 0; i < n && r.err == nil; i++ {
		r.where = fmt.Sprintf("type %d", i)
		at := r.pos
		switch c := r.byte(); {
		case r.err != nil:
		case c == 0x60:
		case c == 0x5f || c == 0x5e || c == 0x50 || c == 0x4f || c == 0x4e:
			r.unsupported(at, "garbage collection")
		default:
			r.fail(at, "it is not the type of a function")
		}
		params := m.valueTypes(r, "parameters")
		t := FuncType{Params: params, Results: m.valueTypes(r, "results")}
		m.types = append(m.types, t)
		c := typeCost(&t)
		total = cost{time: total.time + c.time, memory: total.memory + c.memory}
		if took := total.time / 1000; took > m.lim.FunctionWork && r.err == nil {
			r.where = "type section"
			r.err = exceeded(at, r.where, "functionWork", "units of work for the compiler in the types up to here", uint64(took), m.lim.FunctionWork)
		}
	}
	m.time += total.time
	m.kept += total.memory
}

func (m *Module) valueTypes(r *reader, what string) []ValueType {
	n := m.many(r, what, "params", 0, m.lim.Params)
	if n == 0 {
		return nil
	}
	list := make([]ValueType, n)
	for i := range list {
		list[i] = ValueType(r.valueType())
	}
	return list
}

func (m *Module) importSection(r *reader) {
	n := m.many(r, "imports", "imports", 0, m.lim.Imports)
	for i := 0; i < n && r.err == nil; i++ {
		r.where = fmt.Sprintf("import %d", i)
		at := r.pos
		im := Import{Module: r.name(&m.lim), Name: r.name(&m.lim)}
		r.where = "import " + quote(im.Module) + " " + quote(im.Name)
		kind := r.byte()
		if r.err != nil {
			return
		}
		im.Kind = Kind(kind)
		if strings.HasPrefix(im.Module, reservedImport) && !m.lim.metered {
			r.refuse(Forbidden, at, "modules that begin with "+reservedImport+" are reserved for the host")
		}
		if kind >= byte(KindTable) && kind <= byte(KindGlobal) && !m.lim.AllowImported {
			r.refuse(Forbidden, at, fmt.Sprintf("it imports a %v, and only functions can be imported: define the %v in the module", im.Kind, im.Kind))
		}
		switch {
		case kind > 4:
			r.fail(at, "there is no import of kind %d", kind)
		case kind == 4:
			r.unsupported(at, "exception handling")
		case im.Kind == KindFunction:
			m.functionType(r)
			if r.err == nil {
				im.Type = m.types[m.funcs[len(m.funcs)-1]]
			}
			m.imported++
		case im.Kind == KindTable:
			m.table(r, true)
		case im.Kind == KindMemory:
			m.memory(r)
		case im.Kind == KindGlobal:
			m.globalType(r)
			m.globals++
			m.inGlobals++
		}
		m.imports = append(m.imports, im)
	}
}

// functionType reads the type of one more function.
func (m *Module) functionType(r *reader) {
	at := r.pos
	t := r.u32()
	if r.err == nil && uint64(t) >= uint64(len(m.types)) {
		r.fail(at, "there is no type %d: the module has %d types", t, len(m.types))
	}
	m.funcs = append(m.funcs, t)
}

func (m *Module) functionSection(r *reader) {
	n := m.many(r, "functions", "functions", int64(m.imported), m.lim.Functions)
	m.funcs = append(make([]uint32, 0, m.imported+n), m.funcs...)
	for i := 0; i < n && r.err == nil; i++ {
		m.functionType(r)
	}
}

// limits reads the size of a table or memory, which can be most at most.
func (r *reader) limits(most uint64) limit {
	l := limit{at: r.pos}
	flags := r.byte()
	switch {
	case r.err != nil:
		return l
	case flags >= 4 && flags < 8:
		r.unsupported(l.at, "64-bit memories and tables")
	case flags >= 2 && flags < 4:
		r.unsupported(l.at, "threads (a shared memory)")
	case flags > 1:
		r.fail(l.at, "there is no kind %#x of size", flags)
	}
	l.min = r.u32()
	if l.hasMax = flags == 1; l.hasMax {
		l.max = r.u32()
	}
	l.end = r.pos
	switch {
	case r.err != nil:
	case uint64(l.min) > most || uint64(l.max) > most:
		r.fail(l.at, "its size is more than %d", most)
	case l.hasMax && l.min > l.max:
		r.fail(l.at, "its minimum %d is more than its maximum %d", l.min, l.max)
	}
	return l
}

func (m *Module) table(r *reader, imported bool) {
	if r.err != nil {
		return
	}
	r.where = fmt.Sprintf("table %d", len(m.tables))
	at := r.pos
	if int64(len(m.tables)) >= m.lim.Tables {
		r.err = exceeded(at, "", "tables", "tables", uint64(len(m.tables)+1), m.lim.Tables)
		return
	}
	if r.left() > 0 && r.b[r.pos] == 0x40 {
		r.unsupported(at, "typed function references (a table with an initial value)")
	}
	r.refType()
	l := r.limits(1<<32 - 1)
	if r.err == nil && int64(l.min) > m.lim.TableElements {
		r.err = exceeded(at, r.where, "tableElements", "elements", uint64(l.min), m.lim.TableElements)
	}
	m.tables = append(m.tables, table{limit: l, imported: imported})
}

func (m *Module) memorySection(r *reader) {
	n := m.many(r, "memories", "memories", 0, 1<<32)
	for i := 0; i < n && r.err == nil; i++ {
		m.memory(r)
	}
}

func (m *Module) memory(r *reader) {
	at := r.pos
	if r.err == nil && m.hasMem {
		r.unsupported(at, "several memories")
	}
	r.where = "memory"
	m.hasMem = true
	m.mem = r.limits(1 << 16)
	if r.err == nil && int64(m.mem.min) > m.lim.MemoryPages {
		r.err = exceeded(at, r.where, "memoryPages", "pages of 64 KiB", uint64(m.mem.min), m.lim.MemoryPages)
	}
}

func (m *Module) globalType(r *reader) {
	at := r.pos
	if r.err == nil && int64(m.globals) >= m.lim.Globals {
		r.err = exceeded(at, "", "globals", "globals", uint64(m.globals+1), m.lim.Globals)
	}
	r.valueType()
	at = r.pos
	switch c := r.byte(); {
	case r.err != nil || c == 0:
	case c == 1:
		m.mutable++
	case c < 4:
		r.unsupported(at, "threads (a shared global)")
	default:
		r.fail(at, "a global is neither constant nor mutable")
	}
}
