package all_test

import (
	"strings"
	"testing"

	"github.com/wasmstate/wasmstate/builtin/all"
)

// TestStates checks what a registry relies on.
func TestStates(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range all.States() {
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			if !strings.HasPrefix(name, "state.") || name != strings.ToLower(name) {
				t.Errorf("%q is not a lower-case name of the category state", name)
			}
			if seen[name] {
				t.Errorf("%q is registered twice", name)
			}
			seen[name] = true
		}
		store := s.New()
		if store == s.New() {
			t.Errorf("%s: New returns one store twice", s.Name)
		}
		if s.Properties == nil {
			t.Errorf("%s does not describe its properties", s.Name)
		}
		names := map[string]bool{}
		for _, p := range s.Properties {
			if p.Doc == "" || p.Type == "" {
				t.Errorf("%s: property %s lacks a type or a sentence", s.Name, p.Name)
			}
			if msg := p.Check(p.Default); msg != "" {
				t.Errorf("%s: the default of %s: %s", s.Name, p.Name, msg)
			}
			for _, n := range append([]string{p.Name}, p.Aliases...) {
				if names[strings.ToLower(n)] {
					t.Errorf("%s: property %s twice", s.Name, n)
				}
				names[strings.ToLower(n)] = true
			}
		}
		if err := store.Close(); err != nil {
			t.Errorf("%s: close before init: %v", s.Name, err)
		}
	}
}
