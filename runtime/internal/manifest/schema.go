package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/wasmstate/wasmstate/abi"
)

const (
	maxSchemaSize     = 64 << 10
	maxSchemaDepth    = 32
	maxSchemaProblems = 50
)

// Schema is the compiled JSON Schema of a module's metadata. Immutable and
// safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
	secret   map[string]bool // properties with "secret": true, by exact name
}

// CompileSchema reads the JSON Schema of a module's metadata: an object schema
// of at most 64 KiB that describes one property per metadata item. A property
// with "secret": true is never shown in messages. The schema comes from a
// module and is not trusted: references ($ref), which could make checking cost
// more than the schema's size, numbers with large exponents and large regular
// expressions are refused, and nothing is ever fetched.
//
// Patterns are those of Go's package regexp: no look-ahead, no back references.
func CompileSchema(text []byte) (s *Schema, err error) {
	defer func() {
		if r := recover(); r != nil { // whatever the library makes of hostile input
			s, err = nil, errors.New("the metadata schema cannot be compiled")
		}
	}()
	if len(text) > maxSchemaSize {
		return nil, fmt.Errorf("the metadata schema is larger than %d bytes", maxSchemaSize)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the metadata schema is not JSON: %w", err)
	}
	root, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("the metadata schema is not a JSON object")
	}
	if msg := checkJSON(doc, 0, true); msg != "" {
		return nil, errors.New("the metadata schema " + msg)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(refuseLoader{})
	c.UseRegexpEngine(new(patterns).compile)
	c.AssertFormat()
	const name = "mem:///metadata"
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("the metadata schema: %w", err)
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("the metadata schema: %w", err)
	}
	s = &Schema{compiled: compiled, secret: map[string]bool{}}
	props, _ := root["properties"].(map[string]any)
	for name, p := range props {
		if p, ok := p.(map[string]any); ok && p["secret"] == true {
			s.secret[name] = true
		}
	}
	return s, nil
}

// maxPatternCost bounds the regular expressions of one schema together, in
// units of about one character of expanded text.
const maxPatternCost = 20_000

// patterns compiles the regular expressions of one schema.
type patterns struct{ cost int }

func (p *patterns) compile(text string) (jsonschema.Regexp, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if p.cost += patternCost(parsed); p.cost > maxPatternCost {
		return nil, errors.New("the regular expressions of the schema are too large")
	}
	return regexp.Compile(text)
}

// patternCost is about the size of the compiled expression: repetitions are
// compiled as often as they repeat.
func patternCost(re *syntax.Regexp) int {
	cost := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		cost = min(cost+patternCost(sub), maxPatternCost+1)
	}
	if re.Op == syntax.OpRepeat {
		cost *= max(re.Min, re.Max, 1)
	}
	return min(cost, maxPatternCost+1)
}

// refuseLoader keeps schemas from reading files or the network.
type refuseLoader struct{}

func (refuseLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, and nothing outside of the schema is read", quote(url))
}

// checkJSON returns what is too costly in v, or "".
func checkJSON(v any, depth int, schema bool) string {
	if depth > maxSchemaDepth {
		return fmt.Sprintf("is nested more than %d levels deep", maxSchemaDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if schema && (name == "$ref" || name == "$dynamicRef" || name == "$recursiveRef") {
				return "uses " + name + ", which is not supported; write the referenced schema in its place"
			}
			if msg := checkJSON(v[name], depth+1, schema); msg != "" {
				return msg
			}
		}
	case []any:
		for _, e := range v {
			if msg := checkJSON(e, depth+1, schema); msg != "" {
				return msg
			}
		}
	case json.Number:
		if !modestNumber(v.String()) {
			return "has the number " + quote(v.String()) + ", which is out of range"
		}
	}
	return ""
}

// modestNumber reports whether exact arithmetic on the number is cheap.
func modestNumber(s string) bool {
	if len(s) > 400 {
		return false
	}
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return true
	}
	exp, err := strconv.Atoi(s[i+1:])
	return err == nil && exp > -400 && exp < 400
}

// CheckSchema is CompileSchema and Check; a schema that does not compile is
// one problem without a place.
func CheckSchema(schema []byte, items []Item) []Problem {
	s, err := CompileSchema(schema)
	if err != nil {
		return []Problem{{Msg: err.Error()}}
	}
	return s.Check(items)
}

// Check compares items with the schema. Names match without regard to case;
// unknown names are problems unless the schema says additionalProperties or
// patternProperties. Values arrive as text and are read as the type that the
// schema wants; an empty value counts as absent. Values from secrets and the
// environment are checked after Resolve only and never shown.
func (s *Schema) Check(items []Item) (problems []Problem) {
	defer func() {
		if recover() != nil { // whatever the library makes of hostile input
			problems = []Problem{{Msg: "the metadata cannot be checked against the module's schema"}}
		}
	}()
	c := schemaCheck{schema: s, instance: map[string]any{}, items: map[string]*Item{}}
	names := slices.Sorted(maps.Keys(s.compiled.Properties))
	for i := range items {
		it := &items[i]
		name := fold(names, it.Name)
		if name == "" {
			if s.compiled.AdditionalProperties == nil && len(s.compiled.PatternProperties) == 0 {
				c.problem(it.Pos, "%s", unknown("metadata item", it.Name, names))
				continue
			}
			name = it.Name
		}
		if it.Text == "" && !it.pending() {
			continue
		}
		c.items[name] = it
		if it.pending() {
			c.pending++
			c.instance[name] = ""
			continue
		}
		value, msg := coerce(it, s.compiled.Properties[name])
		if msg != "" {
			c.problem(it.Pos, "%s: %s", it.Name, msg)
			c.pending++ // its value says nothing
			c.instance[name] = ""
			c.items[name] = &Item{Env: "?"}
			continue
		}
		c.instance[name] = value
	}
	c.validate()
	sortProblems(c.problems)
	return c.problems
}

type schemaCheck struct {
	schema   *Schema
	instance map[string]any
	items    map[string]*Item // by the schema's name
	pending  int              // values that are only stand-ins
	problems []Problem
}

func (c *schemaCheck) problem(at Pos, format string, args ...any) {
	if len(c.problems) < maxSchemaProblems {
		c.problems = append(c.problems, Problem{Pos: at, Msg: fmt.Sprintf(format, args...)})
	}
}

func (c *schemaCheck) validate() {
	err := c.schema.compiled.Validate(c.instance)
	var v *jsonschema.ValidationError
	if err == nil {
		return
	}
	if !errors.As(err, &v) {
		c.problem(Pos{}, "the metadata cannot be checked against the module's schema")
		return
	}
	c.report(v)
}

// report turns the innermost errors into problems.
func (c *schemaCheck) report(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains: // their parts are alternatives, not faults
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				c.report(cause)
			}
			return
		}
	}
	if len(e.InstanceLocation) > 0 {
		name := e.InstanceLocation[0]
		it := c.items[name]
		switch {
		case it == nil || it.pending():
		case c.schema.secret[name] || it.sensitive():
			c.problem(it.Pos, "%s: the value does not fit the module's schema (%s)", it.Name, keyword(e))
		default:
			where := strings.Join(append([]string{it.Name}, e.InstanceLocation[1:]...), ".")
			c.problem(it.Pos, "%s: %s", where, message(e))
		}
		return
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			c.problem(Pos{}, "the metadata item %s is missing%s", name, c.describe(name))
		}
	case *kind.AdditionalProperties:
		names := slices.Sorted(maps.Keys(c.schema.compiled.Properties))
		for _, name := range k.Properties {
			if it := c.items[name]; it != nil {
				c.problem(it.Pos, "%s", unknown("metadata item", it.Name, names))
			}
		}
	default:
		// With stand-ins for pending values it may be no fault at all. The library's
		// own text could show a value.
		if c.pending == 0 {
			c.problem(Pos{}, "the metadata does not fit the module's schema (%s)", keyword(e))
		}
	}
}

func (c *schemaCheck) describe(name string) string {
	if p := c.schema.compiled.Properties[name]; p != nil {
		return doc(p.Description)
	}
	return ""
}

// keyword names the part of the schema that was violated.
func keyword(e *jsonschema.ValidationError) string {
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		return path[0]
	}
	return "schema"
}

// message is the library's text for e without what caused it, bounded.
func message(e *jsonschema.ValidationError) string {
	const most = 200
	switch e.ErrorKind.(type) {
	case *kind.AnyOf:
		return "the value fits none of the alternatives in the module's schema"
	case *kind.OneOf:
		return "the value does not fit exactly one of the alternatives in the module's schema"
	}
	leaf := jsonschema.ValidationError{SchemaURL: e.SchemaURL, InstanceLocation: e.InstanceLocation, ErrorKind: e.ErrorKind}
	msg := leaf.BasicOutput().Error.String()
	if len(msg) > most {
		msg = strings.ToValidUTF8(msg[:most], "") + "…"
	}
	return msg
}

// coerce reads the item's text as the type that the property's schema wants.
// Where several types are possible, the first that fits the schema wins, text
// before others.
func coerce(it *Item, property *jsonschema.Schema) (value any, msg string) {
	types := map[string]bool{}
	wantedTypes(property, types, 0)
	structured := types["object"] || types["array"]
	if it.JSON != nil && (len(types) == 0 || structured) {
		return decodeJSON(it.Text)
	}
	text := strings.TrimSpace(it.Text)
	var candidates []any
	if len(types) == 0 || types["string"] {
		candidates = append(candidates, it.Text)
	}
	if types["integer"] || types["number"] {
		if json.Valid([]byte(text)) && strings.Trim(text, "+-.0123456789eE") == "" && modestNumber(text) {
			candidates = append(candidates, json.Number(text))
		}
	}
	if types["boolean"] {
		if b, ok := abi.ParseBool(text); ok {
			candidates = append(candidates, b)
		}
	}
	if structured {
		v, msg := decodeJSON(it.Text)
		if msg != "" && len(candidates) == 0 {
			return nil, msg
		}
		if msg == "" {
			candidates = append(candidates, v)
		}
	}
	if len(candidates) == 0 {
		return it.Text, "" // the schema's own message says what it wanted
	}
	if len(candidates) > 1 {
		for _, c := range candidates {
			if property.Validate(c) == nil {
				return c, ""
			}
		}
	}
	return candidates[0], ""
}

func decodeJSON(text string) (any, string) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, "the value is not JSON"
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, "the value has text after its JSON"
	}
	if msg := checkJSON(v, 0, false); msg != "" {
		return nil, "the value " + msg
	}
	return v, ""
}

// wantedTypes collects the types that s accepts, as far as it says.
func wantedTypes(s *jsonschema.Schema, types map[string]bool, depth int) {
	if s == nil || depth > maxSchemaDepth {
		return
	}
	if s.Types != nil {
		for _, t := range s.Types.ToStrings() {
			types[t] = true
		}
		return
	}
	var values []any
	if s.Const != nil {
		values = append(values, *s.Const)
	}
	if s.Enum != nil {
		values = append(values, s.Enum.Values...)
	}
	for _, v := range values {
		switch v.(type) {
		case string:
			types["string"] = true
		case bool:
			types["boolean"] = true
		case json.Number:
			types["number"] = true
		}
	}
	for _, group := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, sub := range group {
			wantedTypes(sub, types, depth+1)
		}
	}
}
