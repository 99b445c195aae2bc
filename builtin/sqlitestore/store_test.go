package sqlitestore_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/abi/storetest"
	"github.com/wasmstate/wasmstate/builtin/sqlitestore"
)

// try opens a store with name, value, … as properties.
func try(t testing.TB, properties ...string) (abi.Store, error) {
	t.Helper()
	md := abi.Metadata{Name: "test", Properties: map[string]string{}}
	for i := 0; i < len(properties); i += 2 {
		md.Properties[properties[i]] = properties[i+1]
	}
	s := sqlitestore.New()
	if err := s.Init(context.Background(), md); err != nil {
		if closeErr := s.Close(); closeErr != nil {
			t.Errorf("close after a failed init: %v", closeErr)
		}
		return nil, err
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s, nil
}

func open(t testing.TB, properties ...string) abi.Store {
	t.Helper()
	s, err := try(t, properties...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	for name, properties := range map[string][]string{
		"file":    nil,
		"journal": {"disableWAL", "true"},
		"memory":  {"connectionString", ":memory:"},
		"table":   {"tableName", "Order", "metadataTableName", "group", "cleanupInterval", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			var path string
			opts := storetest.Options{Small: name != "file"}
			if name != "memory" {
				opts.Reopen = func(context.Context) (abi.Store, error) {
					return try(t, append([]string{"url", path}, properties...)...)
				}
			}
			storetest.Run(t, func(t *testing.T) abi.Store {
				path = filepath.Join(t.TempDir(), "data.db")
				return open(t, append([]string{"url", path}, properties...)...)
			}, opts)
		})
	}
}
