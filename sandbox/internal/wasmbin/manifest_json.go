package wasmbin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmstate/wasmstate/internal/text"
)

// node is a JSON value with its place.
type node struct {
	kind       byte // { [ " 0 t f n
	text       string
	start, end int
	items      []*node
	fields     []field
}

type field struct {
	name  string
	value *node
}

// parseTree reads one JSON value. Names that are there twice are errors.
func parseTree(b []byte) (*node, error) {
	switch {
	case len(b) > manifestSize:
		return nil, fmt.Errorf("it has %d bytes, and at most %d are allowed", len(b), manifestSize)
	case !utf8.Valid(b):
		return nil, errors.New("it is not valid UTF-8")
	}
	p := &treeParser{src: b, dec: json.NewDecoder(bytes.NewReader(b))}
	p.dec.UseNumber()
	root, err := p.value(0)
	if err != nil {
		return nil, p.explain(err)
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: something follows the object", place(b, int(p.dec.InputOffset())))
	}
	return root, nil
}

type treeParser struct {
	src []byte
	dec *json.Decoder
}

func (p *treeParser) explain(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: %w", place(p.src, int(syntax.Offset)-1), err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early")
	}
	return err
}

// next reads a token and tells where it begins.
func (p *treeParser) next() (json.Token, int, error) {
	from := int(p.dec.InputOffset())
	t, err := p.dec.Token()
	for from < len(p.src) && strings.IndexByte(" \t\r\n,:", p.src[from]) >= 0 {
		from++
	}
	return t, from, err
}

func (p *treeParser) value(depth int) (*node, error) {
	t, at, err := p.next()
	if err != nil {
		return nil, err
	}
	n := &node{start: at}
	switch v := t.(type) {
	case json.Delim:
		if depth == manifestDepth {
			return nil, fmt.Errorf("%s: it is more than %d levels deep", place(p.src, at), manifestDepth)
		}
		n.kind = byte(v)
		err = p.content(n, depth+1)
	case string:
		n.kind, n.text = '"', v
	case json.Number:
		n.kind, n.text = '0', v.String()
	case bool:
		n.kind = 'f'
		if v {
			n.kind = 't'
		}
	default:
		n.kind = 'n'
	}
	n.end = int(p.dec.InputOffset())
	return n, err
}

// content reads what is in an object or array, with its end.
func (p *treeParser) content(n *node, depth int) error {
	seen := map[string]bool{}
	for p.dec.More() {
		if n.kind == '[' {
			v, err := p.value(depth)
			if err != nil {
				return err
			}
			n.items = append(n.items, v)
			continue
		}
		t, at, err := p.next()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return fmt.Errorf("%s: %s is there twice", place(p.src, at), quote(name))
		}
		seen[name] = true
		v, err := p.value(depth)
		if err != nil {
			return err
		}
		n.fields = append(n.fields, field{name, v})
	}
	_, _, err := p.next()
	return err
}

// place is "line 3, column 7".
func place(src []byte, at int) string {
	at = min(max(at, 0), len(src))
	line := bytes.Count(src[:at], []byte("\n"))
	column := utf8.RuneCount(src[bytes.LastIndexByte(src[:at], '\n')+1 : at])
	return fmt.Sprintf("line %d, column %d", line+1, column+1)
}

// decoder takes values out of nodes and collects what is wrong.
type decoder struct {
	src      []byte
	problems []string
}

const maxProblems = 10

func (d *decoder) wrong(n *node, format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, place(d.src, n.start)+": "+fmt.Sprintf(format, args...))
	}
}

func (d *decoder) unknown(n *node, what, name string, known []string) {
	if near := text.Nearest(name, known); near != "" {
		d.wrong(n, "there is no %s %s, did you mean %q?", what, quote(name), near)
		return
	}
	d.wrong(n, "there is no %s %s, only %s", what, quote(name), strings.Join(known, ", "))
}

func (d *decoder) object(n *node, what string, fields map[string]func(n *node)) {
	if n.kind != '{' {
		d.wrong(n, "%s must be an object", what)
		return
	}
	for _, f := range n.fields {
		set, ok := fields[f.name]
		if !ok {
			known := make([]string, 0, len(fields))
			for k := range fields {
				known = append(known, k)
			}
			sort.Strings(known)
			d.unknown(f.value, "field", f.name, known)
			continue
		}
		set(f.value)
	}
}

func (d *decoder) array(n *node, what string, most int) []*node {
	switch {
	case n.kind != '[':
		d.wrong(n, "%s must be a list", what)
	case len(n.items) > most:
		d.wrong(n, "%s has %d items, and at most %d are allowed", what, len(n.items), most)
	default:
		return n.items
	}
	return nil
}

func (d *decoder) text(to *string) func(n *node) {
	return func(n *node) {
		switch {
		case n.kind != '"':
			d.wrong(n, "it must be a text")
		case len(n.text) > manifestText:
			d.wrong(n, "it has %d bytes, and at most %d are allowed", len(n.text), manifestText)
		default:
			*to = n.text
		}
	}
}

func (d *decoder) oneOf(to *string, known ...string) func(n *node) {
	return func(n *node) {
		for _, k := range known {
			if n.kind == '"' && n.text == k {
				*to = k
				return
			}
		}
		if n.kind != '"' {
			d.wrong(n, "it must be one of %s", strings.Join(known, ", "))
			return
		}
		d.unknown(n, "choice", n.text, known)
	}
}

func (d *decoder) number(to *int, most int64) func(n *node) {
	return func(n *node) {
		v, err := strconv.ParseInt(n.text, 10, 64)
		if n.kind != '0' || err != nil || v < 0 || v > most {
			d.wrong(n, "it must be a whole number from 0 to %d", most)
			return
		}
		*to = int(v)
	}
}

// size reads a number of bytes, or a text with a unit such as "16MiB".
func (d *decoder) size(n *node, to *int64) {
	v, ok := text.ParseSize(n.text)
	if (n.kind != '0' && n.kind != '"') || !ok || v > 4<<30 {
		d.wrong(n, `memory must be a size up to 4GiB, such as "16MiB"`)
		return
	}
	*to = v
}
