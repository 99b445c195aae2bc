package manifest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// FuzzLoad reads arbitrary bytes as a component file: nothing panics, every
// problem has a place in the file, and a loaded component holds what the
// package promises.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.y*ml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "a.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		res := manifest.Load([]string{path}, manifest.Options{})
		for _, p := range res.Problems {
			if p.Pos.File != path || p.Msg == "" || !utf8.ValidString(p.Msg) {
				t.Errorf("problem without place or text: %+v", p)
			}
		}
		seen := map[string]bool{}
		for _, c := range res.Components {
			if c.Name == "" || c.Category() == "" || c.Pos.Line < 1 || c.Digest == "" {
				t.Errorf("incomplete component %+v", c)
			}
			for _, it := range c.Items {
				if it.Name == "" || !utf8.ValidString(it.Text) || it.JSON != nil && !json.Valid(it.JSON) {
					t.Errorf("bad item %+v", it)
				}
			}
			seen[c.Name] = true
		}
	})
}

// FuzzCheckSchema compiles arbitrary schemas and checks arbitrary values.
func FuzzCheckSchema(f *testing.F) {
	f.Add([]byte(schema), "currency", "EUR")
	f.Add([]byte(`{"properties":{"a":{"multipleOf":1e-300,"type":"number"}}}`), "a", "1e300")
	f.Add([]byte(`{"properties":{"a":{"type":"array","uniqueItems":true}}}`), "a", "[1,2,[1]]")
	f.Fuzz(func(t *testing.T, text []byte, name, value string) {
		manifest.CheckSchema(text, []manifest.Item{{Name: name, Text: value}})
	})
}
