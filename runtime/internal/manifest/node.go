package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds on what a document may expand to. Visiting a node, aliases followed
// each time, costs nodeCost plus its text; a document may spend expandBase plus
// expandFactor times its size, so that a file costs at most time proportional
// to its size, whatever is in it.
const (
	expandBase   = 8 << 10
	expandFactor = 16
	nodeCost     = 8
	maxDepth     = 64
)

// document is one parsed YAML document and collects the problems in it.
type document struct {
	file      string
	line      int    // lines of the file before the document
	component string // once known
	problems  []Problem
	budget    int // what may still be spent on visiting nodes
	spent     bool
}

func (d *document) pos(n *yaml.Node) Pos {
	return Pos{File: d.file, Line: d.line + n.Line, Column: n.Column}
}

// problem records a problem at n. Once the budget is spent, nothing that is
// found missing means anything.
func (d *document) problem(n *yaml.Node, format string, args ...any) {
	if d.spent {
		return
	}
	d.problems = append(d.problems, Problem{Pos: d.pos(n), Component: d.component, Msg: fmt.Sprintf(format, args...)})
}

// visit follows an alias and charges the budget. It returns nil, with one
// problem per document, when the document expands to too much.
func (d *document) visit(n *yaml.Node) *yaml.Node {
	if d.budget < 0 {
		return nil
	}
	target := n
	if n.Kind == yaml.AliasNode {
		target = n.Alias
	}
	if d.budget -= nodeCost + len(target.Value); d.budget < 0 {
		d.problem(n, "the document is too large with its aliases expanded")
		d.spent = true
		return nil
	}
	return target
}

// field is one entry of a map. name is the key's text.
type field struct {
	name       string
	key, value *yaml.Node
}

// fields lists the entries of the map n in order, merge keys (<<) applied. It
// reports anything but a map, keys that are not text and duplicate keys. what
// names n in messages.
func (d *document) fields(n *yaml.Node, what string) []field {
	return d.mergedFields(n, what, 0)
}

// mergedFields is fields at the given depth of merge keys and nesting.
func (d *document) mergedFields(at *yaml.Node, what string, depth int) []field {
	n := d.visit(at)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.problem(at, "%s must be a map of names to values, not %s", what, kindOf(n))
		return nil
	}
	if depth > maxDepth {
		d.problem(at, "%s merges maps more than %d levels deep", what, maxDepth)
		return nil
	}
	var own, merged []field
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := d.visit(n.Content[i]), n.Content[i+1]
		switch {
		case key == nil:
			return nil
		case key.Kind != yaml.ScalarNode:
			d.problem(n.Content[i], "a name in %s must be text, not %s", what, kindOf(key))
		case key.Tag == "!!merge":
			merged = append(merged, d.mergeSources(value, what, depth+1)...)
		case seen[key.Value] != nil:
			d.problem(n.Content[i], "duplicate key %s in %s; the first is on line %d", quote(key.Value), what, d.line+seen[key.Value].Line)
		default:
			seen[key.Value] = n.Content[i]
			own = append(own, field{key.Value, n.Content[i], value})
		}
	}
	for _, f := range merged {
		if seen[f.name] == nil {
			seen[f.name] = f.key
			own = append(own, f)
		}
	}
	return own
}

// mergeSources are the entries that a merge key brings: of one map or of a list of maps.
func (d *document) mergeSources(at *yaml.Node, what string, depth int) []field {
	n := d.visit(at)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return d.mergedFields(at, what, depth)
	}
	var all []field
	for _, m := range n.Content {
		all = append(all, d.mergedFields(m, what, depth)...)
	}
	return all
}

// items lists the elements of the list n.
func (d *document) items(at *yaml.Node, what string) []*yaml.Node {
	n := d.visit(at)
	if n == nil {
		return nil
	}
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		d.problem(at, "%s must be a list, not %s", what, kindOf(n))
		return nil
	}
	return n.Content
}

// text returns the source text of a scalar; false, with a problem, for
// anything else. Null is the empty text.
func (d *document) text(at *yaml.Node, what string) (string, bool) {
	n := d.visit(at)
	if n == nil {
		return "", false
	}
	if n.Kind != yaml.ScalarNode {
		d.problem(at, "%s must be text, not %s", what, kindOf(n))
		return "", false
	}
	if isNull(n) {
		return "", true
	}
	return n.Value, d.plainTag(at, n)
}

// plainTag refuses explicit tags that change what a value means.
func (d *document) plainTag(at, n *yaml.Node) bool {
	switch n.Tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge", "!!map", "!!seq", "!", "":
		return true
	}
	d.problem(at, "the YAML tag %s is not supported; write plain text", quote(n.Tag))
	return false
}

// value returns a scalar as Dapr passes it on: booleans, those of YAML 1.1
// included, as true or false, null as empty text, everything else, numbers
// above all, as written.
func (d *document) value(at, n *yaml.Node) (string, bool) {
	if isNull(n) {
		return "", true
	}
	if b, ok := boolOf(n); ok {
		return strconv.FormatBool(b), true
	}
	return n.Value, d.plainTag(at, n)
}

// appendJSON appends n as JSON text. Entries keep their order and numbers
// their digits.
func (d *document) appendJSON(dst []byte, at *yaml.Node, depth int) ([]byte, bool) {
	n := d.visit(at)
	if n == nil {
		return dst, false
	}
	if depth > maxDepth {
		d.problem(at, "the value is nested more than %d levels deep", maxDepth)
		return dst, false
	}
	if !d.plainTag(at, n) {
		return dst, false
	}
	var ok bool
	switch n.Kind {
	case yaml.MappingNode:
		before := len(d.problems)
		dst = append(dst, '{')
		for i, f := range d.mergedFields(at, "the value", depth) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, f.name), ':')
			if dst, ok = d.appendJSON(dst, f.value, depth+1); !ok {
				return dst, false
			}
		}
		return append(dst, '}'), len(d.problems) == before
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, c := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, ok = d.appendJSON(dst, c, depth+1); !ok {
				return dst, false
			}
		}
		return append(dst, ']'), true
	}
	return appendScalar(dst, n), true
}

func appendScalar(dst []byte, n *yaml.Node) []byte {
	if isNull(n) {
		return append(dst, "null"...)
	}
	if b, ok := boolOf(n); ok {
		return strconv.AppendBool(dst, b)
	}
	if n.Tag == "!!int" || n.Tag == "!!float" {
		if json.Valid([]byte(n.Value)) && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
			return append(dst, n.Value...)
		}
		plain := strings.ReplaceAll(n.Value, "_", "")
		if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
			return strconv.AppendInt(dst, i, 10)
		}
		if f, err := strconv.ParseFloat(plain, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return strconv.AppendFloat(dst, f, 'g', -1, 64)
		}
	}
	return appendString(dst, n.Value)
}

func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // cannot fail for a string
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// boolOf reads the booleans of YAML 1.1, as Dapr's reader does.
func boolOf(n *yaml.Node) (value, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!str" && n.Style != 0 || n.Tag != "!!str" && n.Tag != "!!bool" {
		return false, false
	}
	switch n.Value {
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y":
		return true, true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N":
		return false, true
	}
	return false, false
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return "text"
}
