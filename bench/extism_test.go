package bench

import (
	"context"
	_ "embed"
	"fmt"
	"testing"

	extism "github.com/extism/go-sdk"
)

//go:embed extism/plugin.wasm
var extismPlugin []byte

// The workload of every comparison: 1,000 keys of 24 bytes, values of 128.
const keys = 1000

func benchKey(i int) []byte { return fmt.Appendf(nil, "order-%018d", i%keys) }

func benchValue() []byte {
	v := make([]byte, 128)
	for i := range v {
		v[i] = byte(i)
	}
	return v
}

func openExtism(tb testing.TB) *extism.Plugin {
	tb.Helper()
	manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: extismPlugin}}}
	p, err := extism.NewPlugin(context.Background(), manifest, extism.PluginConfig{}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close(context.Background()) })
	for i := range keys {
		if rc, _, err := p.Call("set", append(benchKey(i), benchValue()...)); err != nil || rc != 0 {
			tb.Fatalf("set: code %d, %v", rc, err)
		}
	}
	return p
}

func TestExtismPlugin(t *testing.T) {
	p := openExtism(t)
	rc, out, err := p.Call("get", benchKey(7))
	if err != nil || rc != 0 || string(out) != string(benchValue()) {
		t.Fatalf("get: code %d, %d bytes, %v", rc, len(out), err)
	}
}

func BenchmarkGet_extism(b *testing.B) {
	p := openExtism(b)
	key := benchKey(7)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Call("get", key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet_extism(b *testing.B) {
	p := openExtism(b)
	in := append(benchKey(7), benchValue()...)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Call("set", in); err != nil {
			b.Fatal(err)
		}
	}
}
