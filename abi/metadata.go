package abi

import (
	"sort"
	"strconv"
	"strings"
	"time"
)

// Metadata is what Init gets from a component file: its name and the
// properties of spec.metadata with secrets, environment and templates already
// resolved. The items that the runtime consumes itself (keyPrefix,
// actorStateStore, sandbox, …) are not in it.
//
// The accessors look names up without regard to case. An empty value counts as
// absent, so that `value: ""` means the default.
type Metadata struct {
	Name       string            // component name
	Properties map[string]string // must not be changed by the store
}

// Lookup returns the value of the first of names that is present and not empty.
func (m Metadata) Lookup(names ...string) (string, bool) {
	for _, name := range names {
		if v, ok := m.Properties[name]; ok && v != "" {
			return v, true
		}
		for k, v := range m.Properties {
			if v != "" && strings.EqualFold(k, name) {
				return v, true
			}
		}
	}
	return "", false
}

// String returns the value of the first present name, or def.
func (m Metadata) String(def string, names ...string) string {
	if v, ok := m.Lookup(names...); ok {
		return v
	}
	return def
}

// Int returns a decimal integer, or def when absent. The error names the property.
func (m Metadata) Int(def int, names ...string) (int, error) {
	v, ok := m.Lookup(names...)
	if !ok {
		return def, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil {
		return 0, badProperty(names[0], v, "a whole number")
	}
	return n, nil
}

// Bool returns a truth value (y, yes, t, true, on, 1 and their opposites, any case), or def when absent.
func (m Metadata) Bool(def bool, names ...string) (bool, error) {
	v, ok := m.Lookup(names...)
	if !ok {
		return def, nil
	}
	b, ok := ParseBool(v)
	if !ok {
		return false, badProperty(names[0], v, "true or false")
	}
	return b, nil
}

// Duration returns a Go duration such as 500ms; a bare number means seconds. def when absent.
func (m Metadata) Duration(def time.Duration, names ...string) (time.Duration, error) {
	v, ok := m.Lookup(names...)
	if !ok {
		return def, nil
	}
	d, ok := ParseDuration(v)
	if !ok {
		return 0, badProperty(names[0], v, `a duration such as "500ms" or "2s"`)
	}
	return d, nil
}

// ParseBool understands the truth values of component files: y, yes, t, true,
// on, 1 and n, no, f, false, off, 0 in any case.
func ParseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "y", "yes", "t", "true", "on", "1":
		return true, true
	case "n", "no", "f", "false", "off", "0":
		return false, true
	}
	return false, false
}

// ParseDuration understands Go durations and bare numbers of seconds.
func ParseDuration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		const most = int64(1<<63-1) / int64(time.Second)
		if n > most || n < -most {
			return 0, false
		}
		return time.Duration(n) * time.Second, true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

func badProperty(name, value, want string) error {
	if len(value) > 40 {
		value = value[:40] + "…"
	}
	return NewError(CodeInvalidArgument, name+": "+strconv.Quote(value)+" is not "+want)
}

// PropertyType is how the value of a property is read.
type PropertyType string

// The property types.
const (
	TypeString   PropertyType = "string"
	TypeInt      PropertyType = "int"
	TypeBool     PropertyType = "bool"
	TypeDuration PropertyType = "duration" // Go duration or seconds
	TypeJSON     PropertyType = "json"
)

// Property describes one metadata property of a store; see
// [Registration.Properties].
type Property struct {
	Name     string
	Aliases  []string // other accepted names
	Type     PropertyType
	Default  string   // as text, for people; empty = none
	Required bool     // it, or one of its aliases, must be present and not empty
	Secret   bool     // never shown in errors, logs or metadata
	Values   []string // the allowed values, any case; nil = any
	Doc      string   // one sentence
}

// Check returns what is wrong with value, or "" if it fits the property. The
// text does not contain the value of a secret.
func (p *Property) Check(value string) string {
	if value == "" {
		return ""
	}
	ok, want := true, ""
	switch p.Type {
	case TypeInt:
		_, err := strconv.Atoi(strings.TrimSpace(value))
		ok, want = err == nil, "a whole number"
	case TypeBool:
		_, ok = ParseBool(value)
		want = "true or false"
	case TypeDuration:
		_, ok = ParseDuration(value)
		want = `a duration such as "500ms" or "2s"`
	}
	if ok && len(p.Values) > 0 {
		ok = false
		for _, v := range p.Values {
			ok = ok || strings.EqualFold(v, value)
		}
		want = "one of " + strings.Join(p.Values, ", ")
	}
	if ok {
		return ""
	}
	if p.Secret {
		return "the value is not " + want
	}
	return strings.TrimPrefix(badProperty("", value, want).Error(), ": ")
}

// SortPairs sorts pairs by name, so that encodings are deterministic.
func SortPairs(pairs []Pair) {
	sort.SliceStable(pairs, func(i, j int) bool { return pairs[i].Name < pairs[j].Name })
}
