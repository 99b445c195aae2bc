package secretstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/secretstore"
)

// FuzzFile reads arbitrary bytes as a secrets file, both ways.
func FuzzFile(f *testing.F) {
	f.Add([]byte(secrets))
	f.Add([]byte(`{"a": [{}, [[]], {"b": null}]}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	path := filepath.Join(f.TempDir(), "s.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, multi := range []string{"true", "false"} {
			s, err := secretstore.New(secretstore.Config{Type: secretstore.TypeFile,
				Meta: abi.Metadata{Properties: map[string]string{"secretsFile": path, "multiValued": multi}}})
			if err == nil {
				if changed, err := s.Reload(); err != nil || changed {
					t.Errorf("the same file again: %v, %v", changed, err)
				}
			}
		}
	})
}
