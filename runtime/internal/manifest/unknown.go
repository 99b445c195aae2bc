package manifest

import (
	"fmt"
	"strings"

	"github.com/wasmstate/wasmstate/internal/text"
)

// unknown is the text for a name that is not one of known. what is "field in
// spec" or the like.
func unknown(what, name string, known []string) string {
	what, where, _ := strings.Cut(what, " in ")
	if where != "" {
		where = " in " + where
	}
	if near := text.Nearest(name, known); near != "" {
		return fmt.Sprintf("unknown %s %s%s, did you mean %q?", what, quote(name), where, near)
	}
	return fmt.Sprintf("unknown %s %s%s, expected %s", what, quote(name), where, list(known))
}

// runtimeItems are the metadata items that the runtime reads itself, for every
// state component.
func runtimeItems() []string {
	return []string{"actorStateStore", "keyPrefix", "etagOnLastWrite", "sandbox"}
}

// unknownItem is unknown for a metadata item of a type with these properties.
func unknownItem(name string, properties []string) string {
	if near := text.Nearest(name, append(runtimeItems(), properties...)); near != "" {
		return fmt.Sprintf("unknown metadata item %s, did you mean %q?", quote(name), near)
	}
	if len(properties) == 0 {
		return fmt.Sprintf("unknown metadata item %s; this type has none of its own", quote(name))
	}
	return unknown("metadata item", name, properties)
}

// list is "a, b or c".
func list(names []string) string {
	switch len(names) {
	case 0:
		return "none"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// quote quotes text for a message, shortened.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
