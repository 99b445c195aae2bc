// Package guesttest has what the tests of guests share: a committed module that
// is opened, a build whose compiler may be missing, and what a guest may reach.
package guesttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/runtime"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Module is a module of which stores are opened.
type Module struct {
	Sandbox *sandbox.Sandbox
	Name    string
	Wasm    []byte
}

// Read returns the committed module of guests/<name>.
func Read(t *testing.T, name string) *Module {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(guestbuild.Root(), "guests", name, name+".wasm"))
	require.NoError(t, err)
	return New(t, name, wasm)
}

// New returns a module of a sandbox of its own.
func New(t *testing.T, name string, wasm []byte) *Module {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sb.Close()) })
	return &Module{sb, name, wasm}
}

// Open opens and initialises a store that is granted nothing.
func (m *Module) Open(t *testing.T) abi.Store {
	t.Helper()
	return m.OpenWith(t, sandbox.Config{})
}

// OpenWith opens and initialises a store, with properties as pairs of name and
// value.
func (m *Module) OpenWith(t *testing.T, cfg sandbox.Config, properties ...string) abi.Store {
	t.Helper()
	s, err := m.TryOpen(t, cfg, properties...)
	require.NoError(t, err)
	return s
}

// TryOpen is OpenWith for a store whose initialisation may fail.
func (m *Module) TryOpen(t *testing.T, cfg sandbox.Config, properties ...string) (abi.Store, error) {
	t.Helper()
	cfg.Component = m.Name
	s, err := m.Sandbox.Open(t.Context(), m.Wasm, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	md := abi.Metadata{Name: m.Name, Properties: map[string]string{}}
	for i := 0; i < len(properties); i += 2 {
		md.Properties[properties[i]] = properties[i+1]
	}
	return s, s.Init(t.Context(), md)
}

// Build runs a kit's build script in its folder; out is the path that it is
// given for the module. Without the compiler the test is skipped; CI does not
// skip.
func Build(t *testing.T, dir string, args func(out string) []string) (wasm []byte, said string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.wasm")
	cmd := exec.Command("./build.sh", args(out)...)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 127 && os.Getenv("WASMSTATE_REQUIRE") != "1" {
		t.Skipf("%s", text)
	}
	require.NoError(t, err, "%s", text)
	wasm, err = os.ReadFile(out)
	require.NoError(t, err)
	return wasm, string(text)
}

// Counted keeps the metrics of a guest.
type Counted struct {
	mu            sync.Mutex
	Reads, Values float64
}

// Count implements hostfuncs.Metrics.
func (c *Counted) Count(_, name string, by float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Reads += by
	return name == "reads"
}

// Observe implements hostfuncs.Metrics.
func (c *Counted) Observe(_, name string, _ float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Values++
	return name == "bytes"
}

// Echo is a server that sends back what it gets; its address is returned.
func Echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// Mirror is a server that sends back the body and two headers of a request.
func Mirror(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, name := range []string{"X-One", "X-Two", "Content-Type"} {
			w.Header().Set(name, r.Header.Get(name))
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1/"
}

// Backend runs a runtime with one component of the type and returns its handle:
// what a bucket is bound to.
func Backend(t *testing.T, typ string) hostfuncs.KV {
	t.Helper()
	dir := t.TempDir()
	doc := "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: backend}\nspec:\n  version: v1\n  type: " + typ + "\n"
	if typ == "state.sqlite" {
		doc += fmt.Sprintf("  metadata:\n  - {name: connectionString, value: %q}\n", filepath.Join(t.TempDir(), "s.db"))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "backend.yaml"), []byte(doc), 0o600))
	rt := Run(t, runtime.Config{ComponentsPaths: []string{dir}})
	st, err := rt.Store("backend")
	require.NoError(t, err)
	return st
}

// Run runs a runtime with the built-in stores until the test ends, and returns
// it when its start is over.
func Run(t *testing.T, cfg runtime.Config) *runtime.Runtime {
	t.Helper()
	rt, err := runtime.New(cfg, runtime.WithStates(all.States()...))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.NoError(t, rt.Wait(ctx))
	return rt
}

// Set writes a text without conditions.
func Set(t *testing.T, s abi.Store, key, text string) {
	t.Helper()
	require.NoError(t, s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: []byte(text)}, &abi.SetResponse{}))
}

// Value reads a key that is there.
func Value(t *testing.T, s abi.Store, key string, consistency abi.Consistency) abi.GetResponse {
	t.Helper()
	var resp abi.GetResponse
	require.NoError(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte(key), Consistency: consistency}, &resp))
	return resp
}
