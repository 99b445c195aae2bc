package wasmbin

import (
	"fmt"
	"slices"
	"strings"
)

// SetCustom returns a copy of the module b in which data is the content of the
// only custom section called name, at the end. b must be a module; what is in
// its sections is not looked at.
func SetCustom(b []byte, name string, data []byte) ([]byte, error) {
	out, err := RemoveCustom(b, name)
	if err != nil {
		return nil, err
	}
	return appendSection(out, secCustom, append(appendName(nil, name), data...)), nil
}

// RemoveCustom returns a copy of the module b without the custom sections of
// the given names.
func RemoveCustom(b []byte, names ...string) ([]byte, error) {
	return filterCustom(b, func(name string) bool { return !slices.Contains(names, name) })
}

// StripDebug returns a copy of the module b without debugging data: DWARF,
// source maps and what linkers left. The names of functions stay.
func StripDebug(b []byte) ([]byte, error) {
	return filterCustom(b, func(name string) bool { return !isDebug(name) })
}

func isDebug(name string) bool {
	return strings.HasPrefix(name, ".debug_") || strings.HasPrefix(name, "reloc.") ||
		name == "linking" || name == "sourceMappingURL" || name == "external_debug_info"
}

// filterCustom copies a module but for some custom sections.
func filterCustom(b []byte, keep func(name string) bool) ([]byte, error) {
	lim := Limits{FileSize: 1<<62 - 1, NameSize: 1 << 30}
	if err := (&Module{b: b, lim: lim}).header(); err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(b)+1024), b[:8]...)
	r := reader{b: b, pos: 8}
	for r.left() > 0 {
		at := r.pos
		id := r.byte()
		r.where = fmt.Sprintf("section of kind %d", id)
		size := r.count("bytes")
		if r.err != nil {
			return nil, r.err
		}
		part := r.sub(size, r.where)
		kept := true
		if id == secCustom {
			kept = keep(part.name(&lim))
		}
		if part.err != nil {
			return nil, part.err
		}
		if kept {
			out = append(out, b[at:r.pos]...)
		}
	}
	return out, nil
}
