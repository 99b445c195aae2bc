package wasmbin

import (
	"fmt"
	"sort"
	"strings"

	"github.com/wasmstate/wasmstate/internal/text"
)

// Limit is the name of a field of [Limits], as operators write it.
type Limit string

// Limits bounds what a module may be made of. All are inclusive. Zero means
// none allowed, so start from [DefaultLimits].
type Limits struct {
	FileSize           int64 // bytes
	Types              int64
	Params             int64 // of one function type, and as many results
	Imports            int64
	Exports            int64
	Functions          int64 // with imported ones
	BodySize           int64 // bytes of one function
	Locals             int64 // of one function, with parameters
	LocalsTotal        int64
	Nesting            int64 // of blocks
	BranchTargets      int64 // of one br_table
	BranchTargetsTotal int64
	Tables             int64
	TableElements      int64 // declared minimum of one table; also the maximum that Rewrite writes into each
	ElementSegments    int64
	Elements           int64 // in all segments
	MemoryPages        int64 // declared minimum, in 64 KiB
	Globals            int64
	DataSegments       int64
	CustomSections     int64
	CustomSize         int64 // bytes of one custom section that is not a debug section
	NameSize           int64 // bytes of the name of an import, export or custom section
	FunctionWork       int64 // the same as Work of one function, or of all types: what cannot be interrupted
	Work               int64 // estimated effort of compiling, about a microsecond each
	CompileMemory      int64 // estimated bytes that compiling takes at its peak

	// AllowImported lets memories, tables and globals be imported. The runtime
	// offers none, so that an operator cannot set it.
	AllowImported bool

	metered bool // it was rewritten: nothing is added any more
}

// DefaultLimits returns limits that all guests of the usual compilers keep by
// far and that bound compiling to seconds.
func DefaultLimits() Limits {
	return Limits{
		FileSize: 16 << 20, Types: 16 << 10, Params: 1000, Imports: 1 << 10, Exports: 16 << 10,
		Functions: 64 << 10, BodySize: 512 << 10, Locals: 4 << 10, LocalsTotal: 1 << 20, Nesting: 16 << 10,
		BranchTargets: 4 << 10, BranchTargetsTotal: 1 << 20, // standard Go with packages net/http, crypto/tls and html/template has 270,000
		Tables: 4, TableElements: 64 << 10, ElementSegments: 16 << 10, Elements: 256 << 10,
		MemoryPages: 64 << 10, Globals: 4 << 10, DataSegments: 512 << 10, // standard Go with package net/http has 100,000
		CustomSections: 256, CustomSize: 4 << 20, NameSize: 1 << 10,
		FunctionWork: 2_000_000, Work: 24_000_000, CompileMemory: 400 << 20,
	}
}

// field finds the field of a limit.
func (l *Limits) field(name Limit) *int64 {
	switch name {
	case "fileSize":
		return &l.FileSize
	case "types":
		return &l.Types
	case "params":
		return &l.Params
	case "imports":
		return &l.Imports
	case "exports":
		return &l.Exports
	case "functions":
		return &l.Functions
	case "bodySize":
		return &l.BodySize
	case "locals":
		return &l.Locals
	case "localsTotal":
		return &l.LocalsTotal
	case "nesting":
		return &l.Nesting
	case "branchTargets":
		return &l.BranchTargets
	case "branchTargetsTotal":
		return &l.BranchTargetsTotal
	case "tables":
		return &l.Tables
	case "tableElements":
		return &l.TableElements
	case "elementSegments":
		return &l.ElementSegments
	case "elements":
		return &l.Elements
	case "memoryPages":
		return &l.MemoryPages
	case "globals":
		return &l.Globals
	case "dataSegments":
		return &l.DataSegments
	case "customSections":
		return &l.CustomSections
	case "customSize":
		return &l.CustomSize
	case "nameSize":
		return &l.NameSize
	case "functionWork":
		return &l.FunctionWork
	case "compileMemory":
		return &l.CompileMemory
	case "work":
		return &l.Work
	}
	return nil
}

// LimitNames returns the names of all limits that can be set, in the order of
// the fields.
func LimitNames() []Limit {
	return []Limit{"fileSize", "types", "params", "imports", "exports", "functions", "bodySize", "locals", "localsTotal", "nesting",
		"branchTargets", "branchTargetsTotal", "tables", "tableElements", "elementSegments", "elements", "memoryPages", "globals",
		"dataSegments", "customSections", "customSize", "nameSize", "functionWork", "work", "compileMemory"}
}

// Set sets limits by name, without regard to case. The error lists every name
// that is unknown and every value that is not between 0 and 2^32.
func (l *Limits) Set(values map[string]int64) error {
	names := LimitNames()
	var wrong []string
	for given, v := range values {
		var f *int64
		for _, n := range names {
			if strings.EqualFold(string(n), given) {
				f = l.field(n)
			}
		}
		switch {
		case f == nil:
			msg := "there is no limit " + quote(given)
			if n := text.Nearest(given, names); n != "" {
				msg += fmt.Sprintf(" (did you mean %s?)", n)
			}
			wrong = append(wrong, msg)
		case v < 0 || v > 1<<32:
			wrong = append(wrong, fmt.Sprintf("limit %s is %d and must be between 0 and %d", given, v, int64(1)<<32))
		default:
			*f = v
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	sort.Strings(wrong)
	return fmt.Errorf("%s", strings.Join(wrong, "; "))
}
