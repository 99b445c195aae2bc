package wasmbin

import (
	"crypto/sha256"
	"encoding/binary"
)

// Kind is the kind of an import or export.
type Kind byte

// The kinds.
const (
	KindFunction Kind = iota
	KindTable
	KindMemory
	KindGlobal
)

func (k Kind) String() string { return [...]string{"function", "table", "memory", "global"}[k&3] }

// Names that Rewrite adds to a module; no module may use them. The number is
// the version of the rewriting, so that compiled code is not mixed up.
const (
	FuelGlobal   = "wasmstate.fuel/1"  // the exported counter
	RefillModule = "wasmstate.meter/1" // the imported function
	RefillName   = "refill"

	reservedExport = "wasmstate.fuel"
	reservedImport = "wasmstate.meter"
)

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// Import is something that a module wants.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         FuncType // of a function
}

// Export is something that a module offers.
type Export struct {
	Name string
	Kind Kind
	Type FuncType // of a function

	index uint32
}

// Module is a module that Parse accepted. It is not changed afterwards; see the
// package about the bytes.
type Module struct {
	b      []byte
	lim    Limits
	digest [sha256.Size]byte

	sections []section
	types    []FuncType
	imports  []Import
	exports  []Export

	funcs     []uint32 // type of each function, imported ones first
	imported  int      // imported functions
	bodies    []body
	tables    []table
	hasMem    bool
	mem       limit
	memExport bool // imported or not, it is offered
	globals   int
	mutable   int // globals that can change
	inGlobals int // imported globals
	elems     int
	paid      bool            // there are instructions that pay by length
	pieces    bool            // memory.fill, memory.copy or memory.init is there
	inits     map[uint32]bool // data segments that memory.init mentions
	largeData []largeData     // data segments of more than a piece
	data      int
	dataCount int // declared; -1 = not

	refs  []ref        // functions mentioned outside of code, in the order of the file
	taken map[int]bool // these functions
	names funcNames

	locals, targets, elements int64          // totals so far
	time, kept                int64          // of compiling what was read so far: nanoseconds, and bytes that stay to the end
	largest                   [workers]int64 // bytes of the functions that need most, descending
}

// section is a section of the file.
type section struct {
	id         byte
	name       string // of a custom section
	start, end int    // of its content; for a custom section, behind the name
	header     int    // where the section begins
}

// ref is a function index in the file, outside of code.
type ref struct {
	at, end int
	index   uint32
}

// body is the code of a function.
type body struct {
	start, end int // of the body, without its size
	code       int // where the instructions begin
	locals     int // with parameters
	weight     int32
	leaf       bool // small and without loops, calls and bulk instructions
	cost       cost
}

type limit struct {
	at, end  int // in the file
	min, max uint32
	hasMax   bool
}

type table struct {
	limit
	imported bool
}

const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
)

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"}

// rank is the position of a section among the others.
func rank(id byte) int {
	if id == secDataCount {
		return 2*secElement + 1
	}
	return 2 * int(id)
}

// Parse checks a module. The error is an *Error. b is kept and must not be
// changed. No input makes it panic, and its time is linear in the size of b.
func Parse(b []byte, lim Limits) (*Module, error) {
	m := &Module{b: b, lim: lim, dataCount: -1, taken: map[int]bool{}, inits: map[uint32]bool{}}
	if err := m.header(); err != nil {
		return nil, err
	}
	r := reader{b: b, pos: 8}
	last := -1
	customs := int64(0)
	for r.left() > 0 {
		at := r.pos
		id := r.byte()
		if id == 13 {
			r.unsupported(at, "exception handling")
		} else if id > secDataCount {
			r.fail(at, "there is no section of kind %d", id)
		}
		if r.err != nil {
			return nil, r.err
		}
		r.where = sectionNames[id] + " section"
		size := r.count("bytes")
		if r.err != nil {
			return nil, r.err
		}
		s := section{id: id, header: at, start: r.pos, end: r.pos + size}
		part := r.sub(size, r.where)
		r.where = ""
		if id == secCustom {
			if customs++; customs > lim.CustomSections {
				return nil, exceeded(at, "", "customSections", "custom sections", uint64(customs), lim.CustomSections)
			}
			s.name = part.name(&m.lim)
			s.start = part.pos
			if n := int64(s.end - s.start); part.err == nil && !isDebug(s.name) && s.name != nameSection && n > lim.CustomSize {
				return nil, exceeded(at, "custom section "+quote(s.name), "customSize", "bytes", uint64(n), lim.CustomSize)
			}
		} else {
			if rank(id) <= last {
				part.fail(at, "the section is there twice or after one that it belongs before")
			}
			last = rank(id)
			m.section(id, &part)
			part.end()
		}
		if part.err != nil {
			return nil, part.err
		}
		m.sections = append(m.sections, s)
	}
	if err := m.complete(); err != nil {
		return nil, err
	}
	m.digest = sha256.Sum256(b)
	return m, nil
}

func (m *Module) header() error {
	b := m.b
	refuse := func(reason Reason, msg string) error { return &Error{Reason: reason, Offset: -1, Msg: msg} }
	switch {
	case len(b) < 4 || string(b[:4]) != "\x00asm":
		return refuse(NotWasm, "it is not a WebAssembly module"+kindOfFile(b))
	case len(b) < 8:
		return refuse(Malformed, "it is only the beginning of a WebAssembly module")
	case int64(len(b)) > m.lim.FileSize:
		return exceeded(-1, "", "fileSize", "bytes", uint64(len(b)), m.lim.FileSize)
	}
	switch v := binary.LittleEndian.Uint32(b[4:]); v {
	case 1:
		return nil
	case 0x0001_000d:
		return refuse(Component, "it is a component and not a core module: build it for wasm32-unknown-unknown or wasm32-wasip1, or take the core module out with `wasm-tools component unbundle`")
	default:
		return refuse(Unsupported, "its version of WebAssembly is unknown: only version 1 is offered")
	}
}

// kindOfFile adds what the file seems to be.
func kindOfFile(b []byte) string {
	switch {
	case len(b) == 0:
		return ": it is empty"
	case b[0] == '(' || (len(b) > 1 && string(b[:2]) == ";;"):
		return " but its text form: assemble it with wat2wasm"
	case len(b) > 4 && string(b[:4]) == "\x7fELF":
		return " but a native library or program: compile it for a wasm32 target"
	case len(b) > 1 && b[0] == 0x1f && b[1] == 0x8b:
		return " but a gzip file: unpack it first"
	}
	return ""
}
