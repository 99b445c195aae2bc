package wasmbin

// schemaTypes are the types of JSON Schema.
var schemaTypes = []string{"array", "boolean", "integer", "null", "number", "object", "string"}

// schema finds what is no JSON Schema in the manifest's metadata, as far as it
// is about the shape of properties: the loader compiles the whole of it.
func (d *decoder) schema(n *node, what string, depth int) {
	if n.kind == 't' || n.kind == 'f' {
		return // everything, or nothing
	}
	if n.kind != '{' || depth > 32 {
		d.wrong(n, "%s must be a JSON Schema, an object", what)
		return
	}
	for _, f := range n.fields {
		switch f.name {
		case "type":
			types := []*node{f.value}
			if f.value.kind == '[' {
				types = f.value.items
			}
			for _, t := range types {
				if t.kind != '"' {
					d.wrong(t, "the type of a JSON Schema is a text")
				} else if !contains(schemaTypes, t.text) {
					d.unknown(t, "type", t.text, schemaTypes)
				}
			}
		case "properties":
			if f.value.kind != '{' {
				d.wrong(f.value, "properties of a JSON Schema are an object")
				continue
			}
			for _, p := range f.value.fields {
				d.schema(p.value, "the property "+quote(p.name), depth+1)
			}
		case "items", "additionalProperties", "not":
			if f.value.kind != '[' {
				d.schema(f.value, f.name, depth+1)
			}
		case "required", "enum":
			if f.value.kind != '[' {
				d.wrong(f.value, "%s of a JSON Schema is a list", f.name)
			}
		}
	}
}

func contains(list []string, text string) bool {
	for _, s := range list {
		if s == text {
			return true
		}
	}
	return false
}
