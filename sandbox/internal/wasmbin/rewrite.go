package wasmbin

import "fmt"

// Options configures [Module.Rewrite].
type Options struct {
	// Slice is the first value of the counter: the units of fuel, about one
	// per instruction, until the module calls refill for the first time. At
	// least 1.
	Slice int64
	// MaxTable is the maximum that each table gets that has none or a larger
	// one; 0 leaves them alone. A table whose minimum is larger keeps it.
	MaxTable uint32
}

// Rewrite returns the module with the meter: the exported counter [FuelGlobal]
// and the imported function [RefillModule] [RefillName], () -> (), which is
// called when the counter is below zero and must set it or panic. Debugging
// data is left out, because it speaks of other places in the code.
func (m *Module) Rewrite(opts Options) ([]byte, error) {
	if opts.Slice < 1 {
		return nil, fmt.Errorf("slice is %d and must be at least 1", opts.Slice)
	}
	w := &rewriter{m: m, opts: opts, refill: uint32(m.imported), fuel: uint32(m.globals), refillType: uint32(len(m.types))}
	w.plan()
	return w.module(), nil
}

// rewriter writes a module anew.
type rewriter struct {
	m    *Module
	opts Options
	out  []byte

	refill, fuel uint32 // index of the function and the global
	refillType   uint32 // of () -> ()

	paid  bool   // instructions pay by length, so that helpers are added
	first uint32 // index of the first of them
	inits []largeData
	large map[uint32]int // by data segment: its place in inits
	refs  []ref          // those not yet written
	edits []edit
	heads []int32 // by open block: the loop's edit, or -1
}

// largeData is a data segment that memory.init copies in pieces.
type largeData struct {
	index uint32
	size  int // bytes
}

// plan decides which functions are added.
func (w *rewriter) plan() {
	w.refs = w.m.refs
	w.paid = w.m.paid
	w.first = uint32(len(w.m.funcs) + 1)
	w.large = map[uint32]int{}
	for _, d := range w.m.largeData {
		if w.m.inits[d.index] {
			w.large[d.index] = len(w.inits)
			w.inits = append(w.inits, d)
		}
	}
}

// function is the new index of a function.
func (w *rewriter) function(index uint32) uint32 {
	if index >= w.refill {
		return index + 1
	}
	return index
}

// module writes all sections. Those that it adds to, and that are not there,
// come where they belong.
func (w *rewriter) module() []byte {
	b := w.m.b
	w.out = append(make([]byte, 0, len(b)+len(b)/4+512), b[:8]...)
	missing := []byte{secType, secImport, secFunction, secGlobal, secExport, secCode}
	for i := range w.m.sections {
		s := &w.m.sections[i]
		if s.id == secCustom {
			w.custom(s, i)
			continue
		}
		for len(missing) > 0 && rank(missing[0]) < rank(s.id) {
			w.section(&section{id: missing[0]})
			missing = missing[1:]
		}
		if len(missing) > 0 && missing[0] == s.id {
			missing = missing[1:]
		}
		w.section(s)
	}
	for _, id := range missing {
		w.section(&section{id: id})
	}
	return w.out
}

func (w *rewriter) custom(s *section, i int) {
	switch {
	case isDebug(s.name):
	case s.name != nameSection:
		w.out = append(w.out, w.m.b[s.header:s.end]...)
	case w.m.names.ok && w.m.names.section == i+1:
		var added []funcName
		for i := range w.helpers() {
			added = append(added, funcName{w.first + uint32(i), RefillModule + "." + helperNames[min(i, helpInit)]})
		}
		w.out = w.m.appendNames(w.out, added)
	}
}

// section writes a section; one without content is added.
func (w *rewriter) section(s *section) {
	content := w.m.b[s.start:s.end]
	var more []byte
	count := 1
	switch s.id {
	case secType:
		more = append(more, 0x60, 0, 0)
		if w.paid {
			more = append(more, 0x60, 1, typeI64, 0, 0x60, 1, typeI32, 1, typeI32, 0x60, 3, typeI32, typeI32, typeI32, 0)
			count += typeBulk
		}
	case secImport:
		more = appendName(appendName(more, RefillModule), RefillName)
		more = appendU32(append(more, byte(KindFunction)), w.refillType)
	case secFunction:
		count = w.helpers()
		for i := range count {
			more = appendU32(more, w.refillType+helperTypes[min(i, helpInit)])
		}
	case secGlobal:
		more = append(appendS64(append(more, typeI64, 1, opI64Const), w.opts.Slice), opEnd)
	case secExport:
		more = appendU32(append(appendName(more, FuelGlobal), byte(KindGlobal)), w.fuel)
	case secCode:
		w.code(s)
		return
	case secTable:
		w.tables(s)
		return
	case secStart, secElement:
		w.out = appendSection(w.out, s.id, w.shifted(nil, s.start, s.end))
		return
	default:
		w.out = append(w.out, w.m.b[s.header:s.end]...)
		return
	}
	had := uint32(0)
	items := s.start
	if len(content) > 0 {
		r := reader{b: w.m.b[:s.end], pos: s.start}
		had = r.u32()
		items = r.pos
	} else if count == 0 {
		return
	}
	body := appendU32(make([]byte, 0, len(content)+len(more)+8), had+uint32(count))
	body = w.shifted(body, items, s.end)
	w.out = appendSection(w.out, s.id, append(body, more...))
}

// shifted appends a part of the original file with its mentions of functions
// shifted.
func (w *rewriter) shifted(out []byte, from, to int) []byte {
	for len(w.refs) > 0 && w.refs[0].at < to {
		f := w.refs[0]
		w.refs = w.refs[1:]
		out = appendU32(append(out, w.m.b[from:f.at]...), w.function(f.index))
		from = f.end
	}
	return append(out, w.m.b[from:to]...)
}

// tables writes the table section with maxima.
func (w *rewriter) tables(s *section) {
	var body []byte
	from := s.start
	for _, t := range w.m.tables {
		if t.imported || w.opts.MaxTable == 0 || (t.hasMax && t.max <= w.opts.MaxTable) {
			continue
		}
		body = append(append(body, w.m.b[from:t.at]...), 1)
		body = appendU32(appendU32(body, t.min), max(t.min, w.opts.MaxTable))
		from = t.end
	}
	w.out = appendSection(w.out, s.id, append(body, w.m.b[from:s.end]...))
}
