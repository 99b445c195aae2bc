package manifest

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/wasmstate/wasmstate/abi"
)

// itemList reads spec.metadata.
func (d *document) itemList(at *yaml.Node) []Item {
	var items []Item
	first := map[string]Pos{}
	for _, n := range d.items(at, "spec.metadata") {
		it, ok := d.item(n)
		if !ok {
			continue
		}
		name := strings.ToLower(it.Name)
		if p, dup := first[name]; dup {
			d.problem(n, "metadata item %s is given twice; the first is on line %d", quote(it.Name), p.Line)
			continue
		}
		first[name] = d.pos(n)
		items = append(items, it)
	}
	return items
}

func (d *document) item(at *yaml.Node) (it Item, ok bool) {
	before := len(d.problems)
	it.Pos = d.pos(at)
	var sources []string
	d.walk(at, "an item of spec.metadata", itemFields, nil, func(name string, f field) {
		switch name {
		case "name":
			it.Name, _ = d.text(f.value, "the name of a metadata item")
		case "value":
			d.itemValue(&it, f.value)
			it.Pos = d.pos(f.value)
			if it.Text != "" {
				sources = append(sources, name)
			}
		case "secretKeyRef":
			if it.Secret = d.secretRef(f.value, "secretKeyRef"); it.Secret != nil {
				sources = append(sources, name)
				it.Pos = d.pos(f.value)
			}
		case "envRef":
			it.Env, _ = d.text(f.value, "envRef")
			if msg := deniedEnv(it.Env); msg != "" {
				d.problem(f.value, "envRef %s %s", quote(it.Env), msg)
			}
			sources = append(sources, name)
			it.Pos = d.pos(f.value)
		}
	})
	if len(d.problems) > before {
		return it, false
	}
	switch {
	case it.Name == "":
		d.problem(at, "an item of spec.metadata has no name")
	case len(sources) > 1:
		d.problem(at, "metadata item %s has several sources (%s); keep one", quote(it.Name), strings.Join(sources, ", "))
	}
	return it, len(d.problems) == before
}

func (d *document) itemValue(it *Item, at *yaml.Node) {
	n := d.visit(at)
	if n == nil {
		return
	}
	if n.Kind == yaml.ScalarNode {
		it.Text, _ = d.value(at, n)
		return
	}
	if text, ok := d.appendJSON(nil, at, 0); ok {
		it.JSON, it.Text, it.node = text, string(text), at
	}
}

// secretRef reads {name, key}. An empty map or name is no reference, as in Dapr.
func (d *document) secretRef(at *yaml.Node, what string) *SecretRef {
	if n := d.visit(at); n == nil || isNull(n) {
		return nil
	}
	var ref SecretRef
	d.walk(at, what, secretFields, nil, func(name string, f field) {
		text, _ := d.text(f.value, what+"."+name)
		if name == "name" {
			ref.Name = text
		} else {
			ref.Key = text
		}
	})
	if ref.Name == "" {
		if ref.Key != "" {
			d.problem(at, "%s has a key but no name", what)
		}
		return nil
	}
	if ref.Key == "" {
		ref.Key = ref.Name
	}
	return &ref
}

// deniedEnv returns why an environment variable may not be read, or "". The
// names are those that hold the runtime's own credentials.
func deniedEnv(name string) string {
	upper := strings.ToUpper(name)
	switch {
	case name == "":
		return "names no environment variable"
	case strings.Contains(name, " ") || strings.ContainsAny(name, "=\x00"):
		return "is not the name of an environment variable"
	case upper == "APP_API_TOKEN", upper == "WASMSTATE_API_TOKEN", strings.HasPrefix(upper, "DAPR_"):
		return "may not be read by components: it belongs to the runtime"
	}
	return ""
}

// typeWasm is the component type whose module is given by url.
const typeWasm = "state.wasm"

// unsupported are metadata items of Dapr that would change what is written;
// ignoring them would lose encryption or messages without a word.
var unsupported = map[string]string{
	"primaryencryptionkey":          "encryption at rest is not supported and the values would be written as plain text",
	"secondaryencryptionkey":        "encryption at rest is not supported and the values would be written as plain text",
	"outboxpublishpubsub":           "the transactional outbox is not supported and no message would be published",
	"outboxpublishtopic":            "the transactional outbox is not supported and no message would be published",
	"outboxpubsub":                  "the transactional outbox is not supported and no message would be published",
	"outboxdiscardwhenmissingstate": "the transactional outbox is not supported and no message would be published",
}

// splitRuntime moves the items that the runtime consumes itself from items to
// c.Runtime, and the rest to c.Items. Only state components have such items.
func (d *document) splitRuntime(c *Component, items []Item) {
	if c.Category() != "state" {
		c.Items = items
		forgetNodes(c.Items)
		return
	}
	wasm := strings.EqualFold(c.Type, typeWasm)
	for i := range items {
		it := &items[i]
		name := strings.ToLower(it.Name)
		if why := unsupported[name]; why != "" {
			d.itemProblem(it, "%s: %s; remove the item", it.Name, why)
			continue
		}
		var set func(*Item)
		switch name {
		case "actorstatestore":
			set = func(it *Item) { c.Runtime.ActorStateStore = d.itemBool(it) }
		case "keyprefix":
			set = func(it *Item) { c.Runtime.KeyPrefix = d.keyPrefix(it) }
		case "etagonlastwrite":
			set = func(it *Item) {
				c.Runtime.IgnoreETagOnLastWrite = strings.EqualFold(it.Text, "ignore")
				if it.Text != "" && !strings.EqualFold(it.Text, "ignore") && !strings.EqualFold(it.Text, "compare") {
					d.itemProblem(it, "etagOnLastWrite %s is not compare or ignore", quote(it.Text))
				}
			}
		case "onreload":
			set = func(it *Item) {
				c.Runtime.DiscardOnReload = strings.EqualFold(it.Text, "discard")
				if it.Text != "" && !strings.EqualFold(it.Text, "discard") && !strings.EqualFold(it.Text, "keep") {
					d.itemProblem(it, "onReload %s is not keep or discard", quote(it.Text))
				}
			}
		case "sandbox":
			set = func(it *Item) { c.Runtime.Sandbox = d.sandbox(it, c.SecretStore) }
		case "url":
			if wasm {
				set = func(it *Item) { c.Runtime.URL = it.Text }
			}
		case "digest":
			if wasm {
				set = func(it *Item) { c.Runtime.ModuleDigest = d.moduleDigest(it) }
			}
		}
		switch {
		case set == nil:
			c.Items = append(c.Items, *it)
		case it.Secret != nil || it.Env != "":
			d.itemProblem(it, "%s is read by the runtime and cannot come from a secret or the environment; write its value", it.Name)
		default:
			set(it)
		}
	}
	if wasm {
		d.moduleURL(c, items)
	}
	forgetNodes(c.Items)
}

func forgetNodes(items []Item) {
	for i := range items {
		items[i].node = nil
	}
}

func (d *document) itemProblem(it *Item, format string, args ...any) {
	if !d.spent {
		d.problems = append(d.problems, Problem{Pos: it.Pos, Component: d.component, Msg: fmt.Sprintf(format, args...)})
	}
}

func (d *document) itemBool(it *Item) bool {
	b, ok := abi.ParseBool(it.Text)
	if !ok && it.Text != "" {
		d.itemProblem(it, "%s %s is not true or false", it.Name, quote(it.Text))
	}
	return b
}

func (d *document) keyPrefix(it *Item) string {
	if strings.Contains(it.Text, "||") {
		d.itemProblem(it, "keyPrefix %s must not contain ||, which separates it from the key", quote(it.Text))
	}
	switch lower := strings.ToLower(it.Text); lower {
	case "appid", "name", "namespace", "none":
		return lower
	}
	return it.Text
}

func (d *document) moduleDigest(it *Item) string {
	digest := strings.ToLower(strings.TrimSpace(it.Text))
	hex, ok := strings.CutPrefix(digest, "sha256:")
	if digest == "" {
		return ""
	}
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		d.itemProblem(it, `digest %s is not "sha256:" followed by 64 hexadecimal digits`, quote(it.Text))
	}
	return digest
}

// moduleURL checks where a wasm component's module comes from.
func (d *document) moduleURL(c *Component, items []Item) {
	at := Item{Pos: c.Pos}
	for i := range items {
		if strings.EqualFold(items[i].Name, "url") {
			at = items[i]
		}
	}
	scheme, _, ok := strings.Cut(c.Runtime.URL, "://")
	switch scheme = strings.ToLower(scheme); {
	case at.Secret != nil || at.Env != "": // reported already
	case c.Runtime.URL == "":
		d.itemProblem(&at, "a state.wasm component needs the metadata item url, such as file://ledger.wasm")
	case !ok || scheme == "file":
	case scheme != "https" && scheme != "oci":
		d.itemProblem(&at, "url %s has an unknown scheme; use a file path, file://, https:// or oci://", quote(c.Runtime.URL))
	case c.Runtime.ModuleDigest == "":
		d.itemProblem(&at, `a module from the network needs the metadata item digest ("sha256:…"), so that only the module you mean is run`)
	}
}
