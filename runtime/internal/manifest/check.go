package manifest

import (
	"fmt"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// CheckProperties compares items with the properties that a store describes:
// unknown names, missing required ones, a property given under two names, and
// values of the wrong type. Values that come from secrets and the environment
// are checked after Resolve only, and never shown. The problems have no
// Component; nil if all is well. A store that describes nothing (nil props)
// accepts everything.
func CheckProperties(props []abi.Property, items []Item) []Problem {
	if props == nil {
		return nil
	}
	var problems []Problem
	given := make([]*Item, len(props))
	for i := range items {
		it := &items[i]
		at := findProperty(props, it.Name)
		if at < 0 {
			problems = append(problems, Problem{Pos: it.Pos, Msg: unknownItem(it.Name, propertyNames(props))})
			continue
		}
		p := &props[at]
		if first := given[at]; first != nil {
			problems = append(problems, Problem{Pos: it.Pos, Msg: fmt.Sprintf("%s and %s are two names of one setting; keep one", it.Name, first.Name)})
			continue
		}
		given[at] = it
		// A template may stand for anything until it is filled in.
		if it.pending() || !it.Resolved && strings.Contains(it.Text, "{") && p.Type != abi.TypeJSON {
			continue
		}
		shown := *p
		shown.Secret = p.Secret || it.sensitive()
		if msg := shown.Check(it.Text); msg != "" {
			problems = append(problems, Problem{Pos: it.Pos, Msg: it.Name + ": " + msg})
		}
	}
	for i := range props {
		if props[i].Required && (given[i] == nil || given[i].Text == "" && !given[i].pending()) {
			problems = append(problems, Problem{Msg: fmt.Sprintf("the metadata item %s is missing%s", props[i].Name, doc(props[i].Doc))})
		}
	}
	return problems
}

func findProperty(props []abi.Property, name string) int {
	for i := range props {
		if strings.EqualFold(props[i].Name, name) || fold(props[i].Aliases, name) != "" {
			return i
		}
	}
	return -1
}

func propertyNames(props []abi.Property) []string {
	var names []string
	for i := range props {
		names = append(names, props[i].Name)
	}
	return names
}

// doc appends a description to a message.
func doc(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return ": " + text
}

// SecretValues are the values of the items that props call secret, for
// redaction; items that come from a secret store are not among them.
func SecretValues(props []abi.Property, items []Item) []string {
	var values []string
	for i := range items {
		if at := findProperty(props, items[i].Name); at >= 0 && props[at].Secret && items[i].Text != "" {
			values = append(values, items[i].Text)
		}
	}
	return values
}
