package guestbuild

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// WithManifest appends a manifest to a module.
func WithManifest(wasm []byte, features abi.Features, mode string) []byte {
	list := ""
	for i, n := range features.Names() {
		if i > 0 {
			list += ","
		}
		list += fmt.Sprintf("%q", n)
	}
	doc := fmt.Sprintf(`{"name":"hostile","version":"1.0.0","abi":{"min":1,"max":1},"features":[%s],"concurrency":{"mode":%q,"max":4},"state":"none"}`, list, mode)
	body := append([]byte{byte(len(abi.ManifestSection))}, abi.ManifestSection...)
	body = append(body, doc...)
	out := append(bytes.Clone(wasm), 0)
	for n := uint(len(body)); ; n >>= 7 {
		if n < 0x80 {
			out = append(out, byte(n))
			break
		}
		out = append(out, byte(n)|0x80)
	}
	return append(out, body...)
}

// Hostile reads a module of guests/hostile.
func Hostile(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(Root(), "guests", "hostile", name+".wasm"))
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.ReplaceAll(b, []byte("CTRLSEQ"), []byte("\x1b[31m\r\n"))
}
