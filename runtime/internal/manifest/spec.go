package manifest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/wasmstate/wasmstate/abi"
)

// objectMeta reads metadata.
func (d *document) objectMeta(at *yaml.Node, c *Component) {
	named, before := false, len(d.problems)
	d.walk(at, "metadata", objectMeta, objectMetaIgnored, func(name string, f field) {
		text, ok := d.text(f.value, "metadata."+name)
		if name == "namespace" {
			c.Namespace = text
			return
		}
		c.Name, c.Pos, named = text, d.pos(f.value), true
		d.component = text
		if msg := checkName(text); ok && msg != "" {
			d.problem(f.value, "metadata.name %s %s", quote(text), msg)
		}
	})
	if !named && len(d.problems) == before {
		d.problem(at, "metadata.name is missing")
	}
}

// checkName returns what is wrong with a component's name, or "".
func checkName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case name == "." || name == "..":
		return "is not a name"
	case len(name) > maxNameLen:
		return fmt.Sprintf("is longer than %d bytes", maxNameLen)
	case strings.ContainsAny(name, "/%"):
		return "must contain neither / nor %"
	case strings.Contains(name, "||"):
		return "must not contain ||, which separates key prefixes"
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return "must not begin or end with a space or contain control characters"
	}
	return ""
}

// spec reads spec but for its items, which it returns.
func (d *document) spec(at *yaml.Node, c *Component) (items []Item) {
	typed, before := false, len(d.problems)
	d.walk(at, "spec", specFields, nil, func(name string, f field) {
		if name == "metadata" {
			items = d.itemList(f.value)
			return
		}
		text, ok := d.text(f.value, "spec."+name)
		if !ok {
			return
		}
		switch name {
		case "type":
			c.Type, typed = text, true
			if msg := checkType(text); msg != "" {
				d.problem(f.value, "spec.type %s %s", quote(text), msg)
			}
		case "version":
			c.Version = text
		case "ignoreErrors":
			if c.IgnoreErrors, ok = abi.ParseBool(text); !ok && text != "" {
				d.problem(f.value, "spec.ignoreErrors %s is not true or false", quote(text))
			}
		case "initTimeout":
			if text == "" {
				return
			}
			var err error
			if c.InitTimeout, err = time.ParseDuration(text); err != nil || c.InitTimeout <= 0 {
				d.problem(f.value, `spec.initTimeout %s is not a positive duration such as "5s" or "500ms"`, quote(text))
			}
		}
	})
	if !typed && len(d.problems) == before {
		d.problem(at, "spec.type is missing, such as state.sqlite")
	}
	return items
}

// checkType returns what is wrong with a component type, or "".
func checkType(t string) string {
	category, name, ok := strings.Cut(t, ".")
	if !ok || category == "" || name == "" || strings.HasSuffix(name, ".") {
		return "is not <category>.<name>, such as state.sqlite"
	}
	if strings.ContainsFunc(t, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}) {
		return "may contain letters, digits, dots, hyphens and underscores only"
	}
	return ""
}

func (d *document) scopes(at *yaml.Node) (scopes []string) {
	for _, n := range d.items(at, "scopes") {
		switch text, ok := d.text(n, "an entry of scopes"); {
		case ok && text == "":
			d.problem(n, "an entry of scopes is empty")
		case ok && !slices.Contains(scopes, text):
			scopes = append(scopes, text)
		}
	}
	return scopes
}
