package wasmbin

import (
	"encoding/hex"
	"strings"
)

// Digest is "sha256:" and the hash of the bytes that were parsed.
func (m *Module) Digest() string { return "sha256:" + hex.EncodeToString(m.digest[:]) }

// Imports returns what the module wants, in its order. The caller must not
// change it.
func (m *Module) Imports() []Import { return m.imports }

// Exports returns what the module offers, in its order. The caller must not
// change it.
func (m *Module) Exports() []Export { return m.exports }

// Export finds an export by name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// Memory returns the declared size of the memory in pages of 64 KiB; ok is
// false if there is none.
func (m *Module) Memory() (minPages, maxPages uint32, hasMax, ok bool) {
	return m.mem.min, m.mem.max, m.mem.hasMax, m.hasMem
}

// Custom returns the content of the first custom section called name. It is
// part of the parsed bytes.
func (m *Module) Custom(name string) ([]byte, bool) {
	for _, s := range m.sections {
		if s.id == secCustom && s.name == name {
			return m.b[s.start:s.end:s.end], true
		}
	}
	return nil, false
}

// FunctionName returns the name of a function from the name section, or "".
func (m *Module) FunctionName(index uint32) string {
	for _, f := range m.names.funcs {
		if f.index == index {
			return f.name
		}
	}
	return ""
}

// Score is how large a module is in the measures that cost most.
type Score struct {
	Functions, Imports, Exports  int
	Code                         int   // bytes of code
	Types, Tables, Globals, Data int   // numbers of them
	Locals                       int64 // of all functions
	Work                         int64 // estimated effort of compiling; see Limits.Work
	Memory                       int64 // estimated bytes for compiling; see Limits.CompileMemory
}

// Score measures the module.
func (m *Module) Score() Score {
	s := Score{
		Functions: len(m.funcs), Imports: len(m.imports), Exports: len(m.exports), Types: len(m.types),
		Tables: len(m.tables), Globals: m.globals, Data: m.data, Locals: m.locals, Work: m.work(), Memory: m.peak(),
	}
	for _, b := range m.bodies {
		s.Code += b.end - b.start
	}
	return s
}

// String writes the type as "(i32, i32) -> (i64)".
func (t FuncType) String() string {
	list := func(types []ValueType) string {
		names := make([]string, len(types))
		for i, v := range types {
			names[i] = v.String()
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return list(t.Params) + " -> " + list(t.Results)
}

// Equal reports whether two types are the same.
func (t FuncType) Equal(o FuncType) bool { return t.String() == o.String() }
