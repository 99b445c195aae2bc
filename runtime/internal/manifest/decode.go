package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/wasmstate/wasmstate/internal/text"
)

// The identity of component documents.
const (
	apiGroup      = "dapr.io/"
	apiVersion    = "dapr.io/v1alpha1"
	kindComponent = "Component"
)

const maxNameLen = 253 // of a component

// otherKinds are the kinds that Dapr reads from the same folder.
var otherKinds = []string{"Subscription", "Resiliency", "Configuration", "HTTPEndpoint", "MCPServer", "WorkflowAccessPolicy"}

// The fields at each level. Those of objectMetaIgnored are Kubernetes' own.
var (
	topFields         = []string{"apiVersion", "kind", "metadata", "spec", "auth", "scopes"}
	topIgnored        = []string{"status"}
	objectMeta        = []string{"name", "namespace"}
	objectMetaIgnored = []string{
		"labels", "annotations", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers",
		"generateName", "generation", "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid",
	}
	specFields   = []string{"type", "version", "ignoreErrors", "initTimeout", "metadata"}
	authFields   = []string{"secretStore"}
	itemFields   = []string{"name", "value", "secretKeyRef", "envRef"}
	secretFields = []string{"name", "key"}
)

// placeOf tells where a field belongs that is often written elsewhere.
var placeOf = map[string]string{
	"scopes": "at the top level", "auth": "at the top level", "secretstore": "in auth", "type": "in spec", "version": "in spec",
	"ignoreerrors": "in spec", "inittimeout": "in spec", "namespace": "in metadata",
}

// walk calls set for every field of the map at, with its name as in known.
// Names match without regard to case. Unknown names, unless in ignored, and
// names given twice are problems.
func (d *document) walk(at *yaml.Node, what string, known, ignored []string, set func(name string, f field)) {
	seen := map[string]bool{}
	for _, f := range d.fields(at, what) {
		name := fold(known, f.name)
		switch {
		case name == "" && fold(ignored, f.name) != "":
		case name == "":
			if place := placeOf[strings.ToLower(f.name)]; place != "" && text.Nearest(f.name, known) == "" {
				d.problem(f.key, "field %s does not belong in %s but %s", quote(f.name), what, place)
				continue
			}
			d.problem(f.key, "%s", unknown("field in "+what, f.name, known))
		case seen[name]:
			d.problem(f.key, "field %q is given twice in %s", name, what)
		default:
			seen[name] = true
			set(name, f)
		}
	}
}

// fold returns the element of names that equals name without regard to case.
func fold(names []string, name string) string {
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return names[i]
	}
	return ""
}

// parse reads the YAML of one chunk. A nil node with no problem is an empty document.
func (d *document) parse(text []byte) (root *yaml.Node) {
	defer func() {
		if r := recover(); r != nil { // the reader has panicked on malformed text before
			root = nil
			d.problems = append(d.problems, Problem{Pos: Pos{File: d.file, Line: d.line + 1}, Msg: "the document cannot be read as YAML"})
		}
	}()
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		d.problems = append(d.problems, d.yamlError(err, text))
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil
	}
	return doc.Content[0]
}

// decode checks the document root. It returns nil with a note when the
// document is not a component, and nil with problems when it is a broken one.
func (d *document) decode(root *yaml.Node) (c *Component, note string) {
	if root.Kind != yaml.MappingNode {
		d.problem(root, "a component must be a map of names to values, not %s", kindOf(root))
		return nil, ""
	}
	top := map[string]field{}
	before := len(d.problems)
	for _, f := range d.fields(root, "the document") {
		if name := fold(topFields, f.name); name != "" {
			top[name] = f
		}
	}
	d.problems = d.problems[:before] // found again below, if it is a component
	if note, ok := d.identify(root, top); !ok {
		return nil, note
	}
	c = &Component{Pos: d.pos(root)}
	if m, ok := top["metadata"]; ok {
		d.objectMeta(m.value, c)
	} else {
		d.problem(root, "metadata is missing: a component needs metadata.name")
	}
	var items []Item
	d.walk(root, "the document", topFields, topIgnored, func(name string, f field) {
		switch name {
		case "spec":
			items = d.spec(f.value, c)
		case "auth":
			if n := d.visit(f.value); n == nil || isNull(n) {
				return
			}
			d.walk(f.value, "auth", authFields, nil, func(_ string, f field) {
				c.SecretStore, _ = d.text(f.value, "auth.secretStore")
			})
		case "scopes":
			c.Scopes = d.scopes(f.value)
		}
	})
	if _, ok := top["spec"]; !ok {
		d.problem(root, "spec is missing: a component needs spec.type")
	}
	if note := notOurs(c); note != "" {
		d.problems = d.problems[:before] // whoever it is for judges it
		d.component = ""
		return nil, note
	}
	for i := range items {
		if items[i].Secret != nil && c.SecretStore == "" {
			d.problems = append(d.problems, Problem{Pos: items[i].Pos, Component: c.Name, Msg: fmt.Sprintf(
				"%s comes from a secret but the component names no secret store; add auth: {secretStore: NAME} at the top level", quote(items[i].Name))})
		}
	}
	d.splitRuntime(c, items)
	if len(d.problems) > before {
		return nil, ""
	}
	c.Digest = digest(c)
	return c, ""
}

// served are the categories of components that this runtime has.
var served = []string{"state", "secretstores"}

// notOurs says why a component is left to others, or "". A folder may be shared
// with programs that serve more categories, and nothing in their documents is
// wrong for us.
func notOurs(c *Component) string {
	category := c.Category()
	// Without a dot it is the beginning of a type, as a half-written file has it.
	if !strings.Contains(c.Type, ".") || slices.Contains(served, category) {
		return ""
	}
	note := fmt.Sprintf("passed over: type %s is not served: this runtime has state and secretstores components only", quote(c.Type))
	if near := text.Nearest(category, served); near != "" {
		note += fmt.Sprintf("; did you mean %s.…?", near)
	}
	return note
}

// identify reports whether the document is a component; if not, note says what
// it is, or a problem was recorded because it looks like a broken one.
func (d *document) identify(root *yaml.Node, top map[string]field) (note string, ok bool) {
	id := func(name string) string {
		f, has := top[name]
		if !has {
			return ""
		}
		n := d.visit(f.value)
		if n == nil || n.Kind != yaml.ScalarNode {
			return ""
		}
		return n.Value
	}
	api, kind := id("apiVersion"), id("kind")
	if m, has := top["metadata"]; has && m.value.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(m.value.Content); i += 2 {
			if n := m.value.Content[i+1]; strings.EqualFold(m.value.Content[i].Value, "name") && n.Kind == yaml.ScalarNode {
				d.component = n.Value
			}
		}
	}
	switch {
	case api == apiVersion && kind == kindComponent:
		return "", true
	case len(top) == 0:
		return "passed over: the document has neither apiVersion nor kind", false
	case api == "":
		d.problem(root, "apiVersion is missing: a component starts with apiVersion: %s", apiVersion)
	case kind == "":
		d.problem(root, "kind is missing: a component has kind: %s", kindComponent)
	// Beginnings of the right words are what a half-written file has.
	case kind == kindComponent && (strings.HasPrefix(api, apiGroup) || strings.HasPrefix(apiVersion, api)):
		d.problem(top["apiVersion"].value, "unknown apiVersion %s, expected %s", quote(api), apiVersion)
	case api == apiVersion && fold(otherKinds, kind) == "" &&
		(strings.HasPrefix(kindComponent, kind) || text.Nearest(kind, append([]string{kindComponent}, otherKinds...)) == kindComponent):
		d.problem(top["kind"].value, "unknown kind %s, did you mean %q?", quote(kind), kindComponent)
	case text.Nearest(api, []string{apiVersion}) != "" && kind == kindComponent:
		d.problem(top["apiVersion"].value, "unknown apiVersion %s, did you mean %q?", quote(api), apiVersion)
	default:
		d.component = ""
		return fmt.Sprintf("passed over: kind %s of %s is not served", quote(kind), quote(api)), false
	}
	return "", false
}

// yamlError splits the reader's complaint into a message and a place, as well
// as it tells.
func (d *document) yamlError(err error, text []byte) Problem {
	p := Problem{Pos: Pos{File: d.file, Line: d.line + 1}}
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if number, rest, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				p.Pos.Line, msg = d.line+n, rest
			}
			if strings.HasPrefix(msg, "did not find expected") { // counted from 0 by the reader
				p.Pos.Line++
			}
		}
	}
	if line, column, ok := tabIndent(text); ok && strings.Contains(msg, "cannot start any token") {
		p.Pos.Line, p.Pos.Column, msg = d.line+line, column, "a tab is used for indentation; use spaces"
	}
	if len(msg) > 200 {
		msg = strings.ToValidUTF8(msg[:200], "") + "…"
	}
	p.Msg = "the document is not valid YAML: " + msg
	return p
}
