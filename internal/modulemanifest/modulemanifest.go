// Package modulemanifest turns a module's manifest as people write it, YAML,
// into the JSON that is packed into the module. JSON is YAML, so that it may be
// either.
package modulemanifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/wasmstate/wasmstate/abi"
)

// JSON converts one YAML document. At most abi.MaxManifestSize bytes are read.
func JSON(text []byte) ([]byte, error) {
	v, err := read[any](text)
	if err != nil {
		return nil, err
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, errors.New("it is not a map of fields")
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("it cannot be written as JSON: %w", err)
	}
	return out, nil
}

// InPlace is JSON in which every name and value stands at the line, and as far
// as there is room at the column, where text has it: errors about it are at the
// author's place. Only for what [JSON] converts.
func InPlace(text []byte) ([]byte, error) {
	root, err := read[yaml.Node](text)
	if err != nil || len(root.Content) == 0 {
		return nil, err
	}
	w := writer{line: 1, column: 1}
	w.node(root.Content[0], 0)
	return []byte(w.b.String()), w.err
}

func read[T any](text []byte) (v T, err error) {
	if len(text) > abi.MaxManifestSize {
		return v, fmt.Errorf("it is larger than %d bytes", abi.MaxManifestSize)
	}
	if err := yaml.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("it is not valid YAML: %w", err)
	}
	return v, nil
}

// writer writes JSON and knows where it is.
type writer struct {
	b            strings.Builder
	line, column int
	err          error
}

func (w *writer) text(s string) {
	w.b.WriteString(s)
	w.column += len([]rune(s))
}

// to moves to where a node stands, unless that lies behind.
func (w *writer) to(n *yaml.Node) {
	for ; w.line < n.Line; w.line++ {
		w.b.WriteByte('\n')
		w.column = 1
	}
	if w.line == n.Line && w.column < n.Column {
		w.text(strings.Repeat(" ", n.Column-w.column))
	}
}

// maxDepth is beyond what a manifest can be.
const maxDepth = 64

func (w *writer) node(n *yaml.Node, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if depth > maxDepth || w.b.Len() > 4*abi.MaxManifestSize {
		w.err = errors.New("it is nested too deeply, or repeats itself too often")
		return
	}
	w.to(n)
	switch n.Kind {
	case yaml.MappingNode:
		w.text("{")
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				w.text(",")
			}
			w.to(n.Content[i])
			w.value(n.Content[i].Value)
			w.text(":")
			w.node(n.Content[i+1], depth+1)
		}
		w.text("}")
	case yaml.SequenceNode:
		w.text("[")
		for i, c := range n.Content {
			if i > 0 {
				w.text(",")
			}
			w.node(c, depth+1)
		}
		w.text("]")
	default:
		var v any
		if err := n.Decode(&v); err != nil {
			v = n.Value
		}
		w.value(v)
	}
}

func (w *writer) value(v any) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.err = err
		return
	}
	w.text(strings.TrimSuffix(b.String(), "\n"))
}
