package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	maxSchemaSize     = 64 << 10
	maxSchemaProblems = 50
)

// Schema is the compiled JSON Schema of a module's metadata. Immutable and
// safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
	secret   map[string]bool // properties with "secret": true, by exact name
}

// Secrets are the values of the items whose property has "secret": true.
func (s *Schema) Secrets(items []Item) (values []string) {
	for i := range items {
		if s.secret[items[i].Name] {
			values = append(values, items[i].Text)
		}
	}
	return values
}

// CompileSchema reads the JSON Schema of a module's metadata: an object schema
// of at most 64 KiB that describes one property per metadata item. A property
// with "secret": true is never shown in messages.
//
// The schema comes from a module and is not trusted. Nothing is ever fetched: a
// $ref leads to a place inside of the schema, and not to itself. A schema that is
// huge once its references are followed, numbers with large exponents and large
// regular expressions are refused.
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
	if msg := checkSchema(doc); msg != "" {
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

// CheckSchema is CompileSchema and Check; a schema that does not compile is
// one problem without a place.
func CheckSchema(schema []byte, items []Item) []Problem {
	s, err := CompileSchema(schema)
	if err != nil {
		return []Problem{{Msg: err.Error()}}
	}
	return s.Check(items)
}
