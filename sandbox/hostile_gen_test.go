package sandbox_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// The modules here are too large, or too broken, to be committed: they are
// written by the few functions below.

func leb(n uint64) []byte {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func section(id byte, body []byte) []byte {
	return append(append([]byte{id}, leb(uint64(len(body)))...), body...)
}

func vec(items ...[]byte) []byte {
	return append(leb(uint64(len(items))), bytes.Join(items, nil)...)
}

func name(s string) []byte { return append(leb(uint64(len(s))), s...) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

const header = "\x00asm\x01\x00\x00\x00"

// storeWith is a complete store whose ws_get has the given body (locals and
// code with end), so that only the body can be the reason for a refusal.
func storeWith(getBody []byte, extra ...[]byte) []byte {
	constant := []byte{0, 0x42, 0, 0x0b} // no locals; i64.const 0; end
	open := join([]byte{0, 0x42}, []byte{0x80, 0x80, 0x84, 0x80, 0x80, 0x80, 0x80, 0x01}, []byte{0x0b})
	body := func(b []byte) []byte { return append(leb(uint64(len(b))), b...) }
	return join([]byte(header),
		section(1, vec([]byte{0x60, 1, 0x7f, 1, 0x7e}, []byte{0x60, 2, 0x7f, 0x7f, 1, 0x7e})),
		section(3, vec([]byte{1}, []byte{0}, []byte{0}, []byte{0})),
		section(5, vec([]byte{0, 4})),
		section(7, vec(
			join(name("memory"), []byte{2, 0}), join(name("ws_open"), []byte{0, 0}), join(name("ws_get"), []byte{0, 1}),
			join(name("ws_set"), []byte{0, 2}), join(name("ws_delete"), []byte{0, 3}))),
		section(10, vec(body(open), body(getBody), body(constant), body(constant))),
		bytes.Join(extra, nil))
}

func generated() map[string]struct {
	wasm    []byte
	text    string // part of the refusal
	allowed bool   // it may as well be compiled, in bounded time
} {
	end := []byte{0x42, 0, 0x0b}
	branches := func(n int) []byte {
		targets := make([]byte, n+1)
		return join([]byte{0, 0x02, 0x40, 0x20, 0, 0x0e}, leb(uint64(n)), targets, []byte{0x0b}, end)
	}
	nested := join([]byte{0}, bytes.Repeat([]byte{0x02, 0x40}, 20_000), bytes.Repeat([]byte{0x0b}, 20_000), end)
	// one is a get that does the same n times before it answers.
	one := func(n int, each ...byte) []byte { return storeWith(join([]byte{0}, bytes.Repeat(each, n), end)) }
	many := func(n int, t []byte) []byte { // types of their own, behind the rest of a store
		wasm := storeWith(append([]byte{0}, end...))
		types := vec(append([][]byte{{0x60, 1, 0x7f, 1, 0x7e}, {0x60, 2, 0x7f, 0x7f, 1, 0x7e}}, slices.Repeat([][]byte{t}, n)...)...)
		first := section(1, vec([]byte{0x60, 1, 0x7f, 1, 0x7e}, []byte{0x60, 2, 0x7f, 0x7f, 1, 0x7e}))
		return join([]byte(header), section(1, types), wasm[len(header)+len(first):])
	}
	v128s := bytes.Repeat([]byte{0x7b}, 1000)
	loops := join([]byte{1}, leb(2000), []byte{0x7e}, bytes.Repeat([]byte{0x03, 0x40, 0x20, 1, 0x21, 2, 0x0b}, 1000), end)
	return map[string]struct {
		wasm    []byte
		text    string
		allowed bool
	}{
		"2^32-1 locals":                 {storeWith(join([]byte{1}, leb(math.MaxUint32), []byte{0x7e}, end)), "local", false},
		"2^26 locals":                   {storeWith(join([]byte{1}, leb(1<<26), []byte{0x7e}, end)), "local", false},
		"2^32 locals in groups":         {storeWith(join([]byte{2}, leb(1<<31), []byte{0x7e}, leb(1<<31), []byte{0x7f}, end)), "local", false},
		"100,000 branch targets":        {storeWith(branches(100_000)), "br_table", false},
		"20,000 nested blocks":          {storeWith(nested), "nest", false},
		"1,000 loops over 2,000 locals": {storeWith(loops), "", true},
		"58,000 memory.fill":            {one(58_000, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0b, 0), "", true},
		"20,000 memory.copy":            {one(20_000, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0a, 0, 0), "", true},
		"100,000 memory.grow":           {one(100_000, 0x41, 0, 0x40, 0, 0x1a), "compileMemory", true},
		"150,000 loads":                 {storeWith(join([]byte{0, 0x41, 0}, bytes.Repeat([]byte{0x28, 2, 0}, 150_000), []byte{0x1a}, end)), "functionWork", false},
		"25,000 returns":                {one(25_000, 0x41, 0, 4, 0x40, 0x42, 0, 0x0f, 0x0b), "functionWork", false},
		"8,000 types":                   {many(8000, join([]byte{0x60}, leb(1000), v128s, leb(1000), v128s)), "functionWork", false},
		"huge custom section":           {storeWith(append([]byte{0}, end...), section(0, append(name("x"), make([]byte, 17<<20)...))), "fileSize", false},
		"100,000 functions":             {join([]byte(header), section(1, vec([]byte{0x60, 0, 0})), section(3, append(leb(100_000), make([]byte, 100_000)...)), section(10, append(leb(100_000), bytes.Repeat([]byte{2, 0, 0x0b}, 100_000)...))), "function", false},
		"2^32-1 functions":              {join([]byte(header), section(3, leb(math.MaxUint32))), "", false},
		"2^32-1 types":                  {join([]byte(header), section(1, leb(math.MaxUint32))), "", false},
		"not wasm":                      {[]byte("hello, this is a text file and not a module"), "not a WebAssembly module", false},
		"text format":                   {[]byte("(module)"), "not a WebAssembly module", false},
		"empty":                         {nil, "not a WebAssembly module", false},
		"magic alone":                   {[]byte("\x00asm"), "", false},
		"component":                     {[]byte("\x00asm\x0d\x00\x01\x00"), "component", false},
		"truncated":                     {storeWith(append([]byte{0}, end...))[:60], "", false},
		"section too long":              {join([]byte(header), []byte{1}, leb(1<<30)), "", false},
		"sections twice":                {join([]byte(header), section(1, vec()), section(1, vec())), "", false},
		"unknown section":               {join([]byte(header), section(77, nil)), "", false},
		"shared memory":                 {join([]byte(header), section(5, vec([]byte{3, 1, 2}))), "thread", false},
		"two memories":                  {join([]byte(header), section(5, vec([]byte{0, 1}, []byte{0, 1}))), "memor", false},
		"64-bit memory":                 {join([]byte(header), section(5, vec([]byte{4, 1}))), "", false},
		"unknown opcode":                {storeWith(join([]byte{0, 0xff}, end)), "", false},
		"exceptions":                    {storeWith(join([]byte{0, 0x1f, 0x40, 0}, end, []byte{0x0b})), "", false},
		"body runs on":                  {storeWith([]byte{0, 0x42, 0, 0x0b, 0x42, 0}), "", false},
	}
}

func TestGeneratedHostileModules(t *testing.T) {
	m := newModules(t)
	stop := bystander(t, m)
	for title, tc := range generated() {
		t.Run(title, func(t *testing.T) {
			wasm := tc.wasm
			if bytes.HasPrefix(wasm, []byte(header)) && title != "truncated" {
				wasm = guestbuild.WithManifest(wasm, 0, "single")
			}
			from := time.Now()
			s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "hostile"})
			took := time.Since(from)
			if err == nil {
				require.NoError(t, s.Close())
			}
			t.Logf("%d bytes, %v: %v", len(wasm), took, err)
			var ge *abi.Fault
			if tc.allowed && err == nil {
				return
			}
			require.True(t, errors.As(err, &ge), "%v", err)
			require.Equal(t, abi.FaultLoad, ge.Kind)
			require.Contains(t, err.Error(), tc.text)
			require.Less(t, len(err.Error()), 2000)
			require.False(t, strings.ContainsAny(err.Error(), "\n\r\x1b"))
		})
	}
	report(t, "set and get of the bystander", stop())
}

// A module that is as large as it may be is refused or run, but never more
// than it may cost.
func TestModuleWithoutManifest(t *testing.T) {
	_, err := newModules(t).Open(t.Context(), guestbuild.Hostile(t, "good"), sandbox.Config{Component: "plain"})
	var ge *abi.Fault
	require.ErrorAs(t, err, &ge)
	require.Equal(t, abi.FaultLoad, ge.Kind)
	require.ErrorContains(t, err, "wasmstate pack")
	require.Equal(t, abi.CodeInvalidArgument, abi.CodeOf(err))
}
