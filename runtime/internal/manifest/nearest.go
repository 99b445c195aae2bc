package manifest

import (
	"fmt"
	"strings"
)

// maxNearest bounds the length of names that Nearest compares, so that a
// hostile name costs little.
const maxNearest = 64

// Nearest returns the one of known that name is most likely a misspelling of,
// or "" if none is close. Case does not count; among equals the first wins.
func Nearest(name string, known []string) string {
	a := []rune(strings.ToLower(name))
	if len(a) == 0 || len(a) > maxNearest {
		return ""
	}
	best, distance := "", 1+max(1, len(a)/3)
	for _, k := range known {
		b := []rune(strings.ToLower(k))
		if len(b) == 0 || len(b) > maxNearest || len(b)-len(a) >= distance || len(a)-len(b) >= distance {
			continue
		}
		if d := editDistance(a, b); d < distance && d < max(len(a), len(b)) {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbours that turn a into b.
func editDistance(a, b []rune) int {
	var rows [3][maxNearest + 1]int
	before, prev, cur := &rows[0], &rows[1], &rows[2]
	for j := range b {
		prev[j+1] = j + 1
	}
	for i := range a {
		cur[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(prev[j+1]+1, cur[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			cur[j+1] = d
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

// unknown is the text for a name that is not one of known. what is "field in
// spec" or the like.
func unknown(what, name string, known []string) string {
	what, where, _ := strings.Cut(what, " in ")
	if where != "" {
		where = " in " + where
	}
	if near := Nearest(name, known); near != "" {
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
	if near := Nearest(name, append(runtimeItems(), properties...)); near != "" {
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
