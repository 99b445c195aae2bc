package wasmbin

import (
	"strings"
	"unicode/utf8"
)

const nameSection = "name"

// The subsections of the name section that hold function indexes.
const (
	namesModule    = 0
	namesFunctions = 1
	namesLocals    = 2
	namesLabels    = 3
)

// funcNames is the name section of a module. It says nothing about whether the
// module is valid, so that what is not well-formed counts as not there.
type funcNames struct {
	section int // 1 + the position of the section; 0 = none
	ok      bool
	module  string
	funcs   []funcName // in ascending order
}

type funcName struct {
	index uint32
	name  string
}

// readNames reads the module's and the functions' names. Names of locals and
// others are left out: nothing shows them.
func readNames(b []byte, at, functions int, lim *Limits) funcNames {
	var n funcNames
	r := reader{b: b, pos: at}
	last := -1
	for r.left() > 0 && r.err == nil {
		id := int(r.byte())
		size := r.count("bytes")
		if r.err != nil || id <= last {
			return funcNames{}
		}
		last = id
		part := r.sub(size, "")
		switch id {
		case namesModule:
			n.module = part.label(lim)
			part.end()
		case namesFunctions:
			k := part.count("names")
			previous := int64(-1)
			n.funcs = make([]funcName, 0, min(k, functions))
			for range k {
				f := funcName{index: part.u32(), name: part.label(lim)}
				if part.err != nil || int64(f.index) <= previous || int(f.index) >= functions {
					return funcNames{}
				}
				previous = int64(f.index)
				n.funcs = append(n.funcs, f)
			}
			part.end()
		}
		if part.err != nil {
			return funcNames{}
		}
	}
	n.ok = r.err == nil
	if !n.ok {
		return funcNames{}
	}
	return n
}

// label reads a name of the name section. One that is longer than the limit is
// cut: compilers write long ones for generic functions.
func (r *reader) label(lim *Limits) string {
	n := r.count("bytes of a name")
	if r.err != nil {
		return ""
	}
	s := r.b[r.pos : r.pos+n]
	r.pos += n
	if !utf8.Valid(s) {
		r.fail(r.pos-n, "a name is not valid UTF-8")
		return ""
	}
	if int64(n) > lim.NameSize {
		return strings.ToValidUTF8(string(s[:lim.NameSize]), "")
	}
	return string(s)
}

// appendNames appends the name section with every function index from imported
// on shifted by one, and one more name for each added function.
func (m *Module) appendNames(out []byte, added []funcName) []byte {
	var body, part []byte
	body = appendName(body, nameSection)
	if m.names.module != "" {
		part = appendName(part, m.names.module)
		body = appendSection(body, namesModule, part)
	}
	imports := []funcName{{index: uint32(m.imported), name: RefillModule + "." + RefillName}}
	part = appendU32(part[:0], uint32(len(m.names.funcs)+len(imports)+len(added)))
	for _, f := range m.names.funcs {
		if int(f.index) >= m.imported {
			for _, a := range imports {
				part = appendName(appendU32(part, a.index), a.name)
			}
			imports = nil
			f.index++
		}
		part = appendName(appendU32(part, f.index), f.name)
	}
	for _, a := range append(imports, added...) {
		part = appendName(appendU32(part, a.index), a.name)
	}
	body = appendSection(body, namesFunctions, part)
	return appendSection(out, secCustom, body)
}
