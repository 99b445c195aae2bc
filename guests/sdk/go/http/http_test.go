//go:build !tinygo && !wasip1

package http_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	nethttp "net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/guests/sdk/go/http"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/modulemanifest"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// origin is a server that remembers what was put.
type origin struct {
	*httptest.Server
	mu  sync.Mutex // guards put
	put map[string][]byte
}

func serve(t *testing.T) *origin {
	o := &origin{put: map[string][]byte{}}
	o.Server = httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch {
		case r.Method == "PUT":
			b, err := io.ReadAll(r.Body)
			if err != nil || r.Header.Get("Content-Type") != "text/x-test" {
				w.WriteHeader(400)
				return
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.put[r.URL.Path] = b
			w.WriteHeader(204)
		case r.URL.Path == "/moved":
			nethttp.Redirect(w, r, "/hello", nethttp.StatusFound)
		case r.URL.Path == "/large":
			_, _ = w.Write(bytes.Repeat([]byte("0123456789"), 100_000))
		case r.URL.Path == "/headers":
			for range 60 {
				w.Header().Add("X-Many", strings.Repeat("v", 200)) // more than the first buffer of the kit
			}
		default:
			w.Header().Add("X-Many", "one")
			w.Header().Add("X-Many", "two")
			_, _ = w.Write([]byte("hello, asked " + r.Header.Get("X-Asked")))
		}
	}))
	t.Cleanup(o.Close)
	return o
}

// metrics keeps counters.
type metrics struct {
	mu     sync.Mutex // guards values
	values map[string]float64
}

func (m *metrics) add(name string, by float64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name] += by
	return true
}

func (m *metrics) Count(_, name string, by float64) bool  { return m.add(name, by) }
func (m *metrics) Observe(_, name string, v float64) bool { return m.add(name, v) }

// builds are the guest of testdata by compiler.
func builds(t *testing.T) map[string][]byte {
	all := map[string][]byte{}
	if !guestbuild.Race {
		all["standard"] = guestbuild.Go(t, "sdk/go/http/testdata/fetch")
	}
	raw := filepath.Join(t.TempDir(), "fetch.wasm")
	out, err := exec.Command("../tinygo.sh", raw, "./testdata/fetch").CombinedOutput()
	if err != nil {
		if os.Getenv("WASMSTATE_REQUIRE") != "" {
			t.Fatalf("build with TinyGo: %v: %s", err, out)
		}
		t.Logf("without TinyGo: %v: %s", err, out)
		return all
	}
	m, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	defer m.Close()
	wasm, err := os.ReadFile(raw)
	require.NoError(t, err)
	manifest, err := os.ReadFile("testdata/fetch/wasmstate.yaml")
	require.NoError(t, err)
	json, err := modulemanifest.JSON(manifest)
	require.NoError(t, err)
	all["tinygo"], err = m.Pack(wasm, json, false)
	require.NoError(t, err)
	return all
}

func TestGuest(t *testing.T) {
	for compiler, wasm := range builds(t) {
		t.Run(compiler, func(t *testing.T) { guest(t, wasm) })
	}
}

func guest(t *testing.T, wasm []byte) {
	o := serve(t)
	counted := &metrics{values: map[string]float64{}}
	m, err := sandbox.New(sandbox.Options{CompileTimeout: 10 * time.Minute}) // under the race detector
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: "fetch", Host: hostfuncs.Config{
		HTTP: []string{"GET,PUT " + o.URL + "/"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Config: map[string]string{"region": strings.Repeat("eu", 200)}, Metrics: counted,
		Secrets: func(_ context.Context, name string) (string, error) {
			if name != "password" {
				return "", abi.ErrPermission
			}
			return "horse", nil
		},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "fetch"}))

	get := func(key string) (string, error) {
		var resp abi.GetResponse
		err := s.Get(t.Context(), &abi.GetRequest{Key: []byte(key)}, &resp)
		return string(resp.Value), err
	}
	for key, want := range map[string]string{
		"get " + o.URL + "/hello":   "200 one two  hello, asked yes",
		"get " + o.URL + "/moved":   "200 one two  hello, asked yes",
		"stay " + o.URL + "/moved":  "302 /hello <a href=\"/hello\">Found</a>.\n\n",
		"get " + o.URL + "/large":   "200  " + strings.Repeat("0123456789", 100_000),
		"get " + o.URL + "/headers": "200" + strings.Repeat(" "+strings.Repeat("v", 200), 60) + "  ",
		"config region":             strings.Repeat("eu", 200),
		"secret password":           "horse",
		"count requests":            "",
	} {
		got, err := get(key)
		require.NoError(t, err, key)
		require.Equal(t, want, got, key)
	}
	require.Equal(t, map[string]float64{"seconds": 0.25, "requests": 3}, maps.Clone(counted.values))
	for key, want := range map[string]abi.Code{
		"get https://example.com/": abi.CodePermission,
		"get nonsense":             abi.CodeInvalidArgument,
		"config nothing":           abi.CodeNotFound,
		"secret other":             abi.CodePermission,
		"count Wrong-Name":         abi.CodeInvalidArgument,
	} {
		_, err := get(key)
		require.Equal(t, want, abi.CodeOf(err), "%s: %v", key, err)
	}
	large := bytes.Repeat([]byte("abc"), 300_000)
	for _, key := range []string{"body " + o.URL + "/a", "stream " + o.URL + "/b"} {
		require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: large}, &abi.SetResponse{}), key)
	}
	require.Equal(t, map[string][]byte{"/a": large, "/b": large}, o.put)
}

// TestNative is the same package outside of a module.
func TestNative(t *testing.T) {
	o := serve(t)
	r, err := http.Do(&http.Request{URL: o.URL + "/hello", Header: []abi.Pair{{Name: "X-Asked", Value: "yes"}}})
	require.NoError(t, err)
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, "hello, asked yes", string(b))
	require.Equal(t, "one", r.Get("x-many"))
	require.Empty(t, r.Get("location"))
	r, err = http.Do(&http.Request{URL: o.URL + "/moved", NoRedirects: true})
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, 302, r.Status)
	r, err = http.Do(&http.Request{Method: "PUT", URL: o.URL + "/n", ContentType: "text/x-test", Stream: strings.NewReader("streamed")})
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, "streamed", string(o.put["/n"]))
	o.Close()
	_, err = http.Do(&http.Request{URL: o.URL})
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
}
