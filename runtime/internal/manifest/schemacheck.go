package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/wasmstate/wasmstate/abi"
)

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
				c.problem(it.Pos, "%s", unknownItem(it.Name, names))
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
				c.problem(it.Pos, "%s", unknownItem(it.Name, names))
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
	if msg := checkValue(v, 0); msg != "" {
		return nil, "the value " + msg
	}
	return v, ""
}

// wantedTypes collects the types that s accepts, as far as it says.
func wantedTypes(s *jsonschema.Schema, types map[string]bool, depth int) {
	if s == nil || depth > maxSchemaDepth {
		return
	}
	wantedTypes(s.Ref, types, depth+1)
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
