package hostfuncs

import (
	"context"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wasmstate/wasmstate/abi"
)

// FuzzCalls runs calls of the fuzzer's choosing on memory of its choosing.
// Nothing may panic but the functions that end the guest, and everything is
// back at the deadline.
func FuzzCalls(f *testing.F) {
	e := abi.Encoder{Buf: make([]byte, 512)}
	e.Set(&abi.SetRequest{Key: []byte("k"), Value: []byte("v")}, 0)
	f.Add(append([]byte{12, 1, 0, 0, 152, 0, 0, 0, 0}, e.Buf[:e.Size()]...))
	f.Add([]byte("\x13\x00\x00\x50\x00\x00\x00"))
	all := functions()
	f.Fuzz(func(t *testing.T, data []byte) {
		g := newGuest(t, Config{
			Config: map[string]string{"a": "b"}, Metrics: quietMetrics{}, KV: map[string]KV{"data": newFakeKV()},
			Secrets: func(context.Context, string) (string, error) { return "secret", nil },
			HTTP:    []string{"http://127.0.0.1:1/a/"}, TCP: []string{"127.0.0.1:1"}, Networks: loopback(),
		})
		g.module.mem.b = append([]byte(nil), data...)
		g.begin(t.Context(), time.Now().Add(20*time.Millisecond))
		for calls := 0; len(data) >= 9 && calls < 20; calls++ {
			fn := all[int(data[0])%len(all)]
			args := make([]uint64, len(fn.params))
			for i := range args {
				args[i] = uint64(data[1+i%8])
				if data[0] >= 128 { // far away
					args[i] = uint64(uint32(args[i] << 25))
				}
			}
			data = data[9:]
			if fn.name == "proc_exit" || fn.name == "abort" {
				continue
			}
			g.call(fn.module+"."+fn.name, args...)
		}
		g.begin(t.Context(), time.Time{})
	})
}

// FuzzCanonicalPath: what is accepted means the same however often it is decoded
// and however it is cleaned, and goes out as it was judged.
func FuzzCanonicalPath(f *testing.F) {
	for _, p := range []string{"/v1/a%20b", "/v1/%25%32e%25%32e/x", "/a/..%c0%af", "/%2e", "/.%09./", "/a;b", "//", "/a/"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse("http://example.com" + raw)
		if err != nil || u.Host != "example.com" {
			return
		}
		got, plain := canonicalPath(u)
		if !plain {
			return
		}
		for decoded, i := u.EscapedPath(), 0; i < 4; i++ {
			if decoded, err = url.PathUnescape(decoded); err != nil || decoded != got {
				t.Fatalf("%q becomes %q, judged was %q (%v)", raw, decoded, got, err)
			}
		}
		if clean := path.Clean(got); got != "" && clean != strings.TrimSuffix(got, "/") && clean != got {
			t.Fatalf("%q is cleaned to %q", got, clean)
		}
		if strings.ContainsAny(got, "%\\;?#") || !utf8.ValidString(got) {
			t.Fatalf("%q was accepted", got)
		}
	})
}
