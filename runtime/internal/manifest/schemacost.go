package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	maxSchemaDepth = 32
	// maxSchemaCost bounds the sub-schemas and values of a schema with every
	// reference replaced by what it refers to.
	maxSchemaCost = 20_000
)

// schemaCost tells before compiling whether checking against a schema is cheap.
// References may lead to the same place many times, so a small schema can be
// huge once they are followed.
type schemaCost struct {
	root any
	seen map[string]int // cost by reference; -1 while it is being followed
}

// checkSchema returns what is too costly or not supported in a schema, or "".
func checkSchema(root any) string {
	c := schemaCost{root: root, seen: map[string]int{}}
	if m, ok := root.(map[string]any); ok {
		if dialect, ok := m["$schema"].(string); ok && (strings.Contains(dialect, "draft-03") || strings.Contains(dialect, "draft-04")) {
			return "is of a dialect that is too old; use https://json-schema.org/draft/2020-12/schema"
		}
	}
	cost, msg := c.of(root, 0)
	if msg == "" && cost > maxSchemaCost {
		msg = "is too large with its references followed"
	}
	return msg
}

func (c *schemaCost) of(v any, depth int) (cost int, msg string) {
	if depth > maxSchemaDepth {
		return 0, fmt.Sprintf("is nested more than %d levels deep", maxSchemaDepth)
	}
	cost = 1
	add := func(n int, m string) bool {
		cost, msg = min(cost+n, maxSchemaCost+1), m
		return m == ""
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			text, isText := v[name].(string)
			switch {
			case name == "$dynamicRef" || name == "$recursiveRef", name == "$id" && depth > 0 && isText:
				return 0, "uses " + name + ", which is not supported"
			case name == "$ref" && isText:
				if !add(c.reference(text, depth)) {
					return 0, msg
				}
			case !add(c.of(v[name], depth+1)):
				return 0, msg
			}
		}
	case []any:
		for _, e := range v {
			if !add(c.of(e, depth+1)) {
				return 0, msg
			}
		}
	case json.Number:
		if !modestNumber(v.String()) {
			return 0, "has the number " + quote(v.String()) + ", which is out of range"
		}
	}
	return cost, ""
}

// reference is the cost of what a $ref leads to: a JSON pointer inside of the schema.
func (c *schemaCost) reference(ref string, depth int) (int, string) {
	if cost, ok := c.seen[ref]; ok {
		if cost < 0 {
			return 0, "has the $ref " + quote(ref) + ", which leads to itself"
		}
		return cost, ""
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok || strings.Contains(ref, "%") {
		return 0, "has the $ref " + quote(ref) + `; only "#/…" inside of the schema is supported`
	}
	target := c.root
	for step := range strings.SplitSeq(pointer, "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		var next any
		switch t := target.(type) {
		case map[string]any:
			next = t[step]
		case []any:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(t) {
				next = t[i]
			}
		}
		if next == nil {
			return 0, "has the $ref " + quote(ref) + ", which leads nowhere"
		}
		target = next
	}
	c.seen[ref] = -1
	cost, msg := c.of(target, depth+1)
	c.seen[ref] = cost
	return cost, msg
}

// checkValue returns what is too costly in a value from a component file, or "".
func checkValue(v any, depth int) string {
	if depth > maxSchemaDepth {
		return fmt.Sprintf("is nested more than %d levels deep", maxSchemaDepth)
	}
	var parts []any
	switch v := v.(type) {
	case map[string]any:
		parts = slices.Collect(maps.Values(v))
	case []any:
		parts = v
	case json.Number:
		if !modestNumber(v.String()) {
			return "has the number " + quote(v.String()) + ", which is out of range"
		}
	}
	for _, p := range parts {
		if msg := checkValue(p, depth+1); msg != "" {
			return msg
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
