package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
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
