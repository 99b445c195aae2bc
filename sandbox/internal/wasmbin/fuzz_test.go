package wasmbin_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// seeds adds modules of many kinds.
func seeds(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{
		filepath.Join("testdata", "*.wasm"),
		filepath.Join("..", "..", "..", "guests", "hostile", "*.wasm"),
		filepath.Join(wazeroTests(f), "spectest", "v2", "testdata", "bulk.*.wasm"),
		filepath.Join(wazeroTests(f), "spectest", "v2", "testdata", "memory_*.0.wasm"),
		filepath.Join(wazeroTests(f), "spectest", "v2", "testdata", "table_*.0.wasm"),
		filepath.Join(wazeroTests(f), "spectest", "v2", "testdata", "binary*.wasm"),
		filepath.Join(wazeroTests(f), "spectest", "tail-call", "testdata", "*.0.wasm"),
		filepath.Join(wazeroTests(f), "spectest", "extended-const", "testdata", "*.0.wasm"),
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if len(b) < 4<<10 {
				f.Add(b)
			}
		}
	}
	f.Add(bulkModule())
}

// FuzzParse checks that no file makes Parse panic, that every refusal is an
// *Error, and that what can be told of an accepted module can be told.
func FuzzParse(f *testing.F) {
	seeds(f)
	lim := wasmbin.DefaultLimits()
	lim.AllowImported = true
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wasmbin.Parse(b, lim)
		if err != nil {
			var refusal *wasmbin.Error
			if !errors.As(err, &refusal) || refusal.Msg == "" || refusal.Offset > len(b) {
				t.Fatalf("%#v", err)
			}
			return
		}
		for i := range m.Imports() {
			_ = m.FunctionName(uint32(i))
		}
		_, _ = m.Manifest()
		out, err := m.Rewrite(wasmbin.Options{Slice: 1, MaxTable: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wasmbin.Parse(out, lim); err == nil {
			t.Fatal("a rewritten module can be rewritten again")
		}
		changed, err := wasmbin.SetCustom(b, "x", []byte("y"))
		if err != nil {
			t.Fatal(err)
		}
		lim := lim
		lim.CustomSections++
		lim.FileSize += 16
		again, err := wasmbin.Parse(changed, lim)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := again.Custom("x"); string(got) != "y" {
			t.Fatalf("got %q", got)
		}
	})
}

// FuzzRewrite checks that a rewritten module is accepted by wazero exactly if
// the plain one is, and does the same.
func FuzzRewrite(f *testing.F) {
	oneThread(f)
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 8<<10 || bytes.Contains(b, []byte{0xfc, 0x0f}) {
			t.Skip("table.grow takes gigabytes in a plain module, and large modules take long")
		}
		m, err := wasmbin.Parse(b, wasmbin.DefaultLimits())
		if err != nil || m.Score().Work > 20_000 {
			return
		}
		// wazero refuses a damaged name section, and an empty custom section at
		// the end of the file. Neither makes a module invalid.
		b, err = wasmbin.RemoveCustom(b, "name")
		if err != nil {
			t.Fatal(err)
		}
		b, err = wasmbin.SetCustom(b, "end", []byte{0})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := differ(context.Background(), b, 10); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzManifest checks that no manifest makes ParseManifest panic.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"name":"a","features":["ETAG"],"concurrency":{"mode":"pool","max":3},"memory":"16MiB","abi":{"min":1,"max":1}}`))
	f.Add([]byte(`{"name":"a","metadata":{"type":"object"},"capabilities":[{"name":"kv","optional":true}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wasmbin.ParseManifest(b)
		if (m == nil) == (err == nil) {
			t.Fatalf("%v, %v", m, err)
		}
		if err == nil && (m.Name == "" || m.Memory < 0 || m.ABIMin > m.ABIMax) {
			t.Fatalf("%+v", m)
		}
	})
}
