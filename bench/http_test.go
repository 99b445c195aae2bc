package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/runtime"
)

// BenchmarkHTTPGet and BenchmarkHTTPSet load a server over loopback with 16
// keep-alive connections. "bare" is the rival: a net/http handler over a
// sync.Map that checks nothing. Server and clients share the machine, so the
// ratios are between whole round trips.
func BenchmarkHTTPGet(b *testing.B) { benchmarkHTTP(b, getOverHTTP) }
func BenchmarkHTTPSet(b *testing.B) { benchmarkHTTP(b, setOverHTTP) }

const httpConnections = 16

func benchmarkHTTP(b *testing.B, request func(c *http.Client, url string, i int64) error) {
	b.Run("bare", func(b *testing.B) { loadHTTP(b, startBare(b), request) })
	for _, spec := range []string{"state.in-memory", "wasm"} {
		b.Run(strings.TrimPrefix(spec, "state."), func(b *testing.B) { loadHTTP(b, startServer(b, spec), request) })
	}
}

// loadHTTP writes every key once, then sends b.N requests.
func loadHTTP(b *testing.B, url string, request func(c *http.Client, url string, i int64) error) {
	transport := &http.Transport{MaxIdleConnsPerHost: httpConnections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for i := range int64(keys) {
		if err := setOverHTTP(client, url, i); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	var clients sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range httpConnections {
		clients.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := request(client, url, i%keys); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
}

func getOverHTTP(c *http.Client, url string, i int64) error {
	resp, err := c.Get(url + "/" + strconv.FormatInt(i, 10))
	if err != nil {
		return err
	}
	return drain(resp, http.StatusOK)
}

func setOverHTTP(c *http.Client, url string, i int64) error {
	body := fmt.Appendf(nil, `[{"key":"%d","value":"%0*d"}]`, i, len(benchValue())-2, i)
	resp, err := c.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return drain(resp, http.StatusNoContent)
}

func drain(resp *http.Response, want int) error {
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("status %d instead of %d", resp.StatusCode, want)
	}
	return nil
}

// startBare serves the two requests with the least that net/http can do.
func startBare(tb testing.TB) string {
	tb.Helper()
	var values sync.Map
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state/{key}", func(w http.ResponseWriter, r *http.Request) {
		v, ok := values.Load(r.PathValue("key"))
		if !ok {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(v.([]byte))
	})
	mux.HandleFunc("POST /state", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		key, _, ok := bytes.Cut(bytes.TrimPrefix(body, []byte(`[{"key":"`)), []byte(`"`))
		if err != nil || !ok {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		values.Store(string(key), body)
		w.WriteHeader(http.StatusNoContent)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	tb.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			tb.Error(err)
		}
	})
	return "http://" + listener.Addr().String() + "/state"
}

// startServer serves one component over HTTP.
func startServer(tb testing.TB, spec string) string {
	tb.Helper()
	rt := startRuntime(tb, spec, "127.0.0.1:0")
	return "http://" + rt.HTTPAddr() + "/v1.0/state/s"
}

// startRuntime starts a runtime with one component, s.
func startRuntime(tb testing.TB, spec, httpAddr string) *runtime.Runtime {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s.yaml"), componentFile(tb, spec), 0o600); err != nil {
		tb.Fatal(err)
	}
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}, HTTPAddr: httpAddr}, runtime.WithStates(all.States()...))
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	if err := rt.Wait(ctx); err != nil {
		tb.Fatal(err)
	}
	return rt
}

// componentFile is the component s over the memory guest ("wasm") or a type.
func componentFile(tb testing.TB, spec string) []byte {
	tb.Helper()
	const head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: s}\nspec:\n  version: v1\n"
	if spec != "wasm" {
		return []byte(head + "  type: " + spec + "\n")
	}
	module, err := filepath.Abs("../guests/memory-c/memory-c.wasm")
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(head + "  type: state.wasm\n  metadata:\n  - {name: url, value: \"file://" + module + "\"}\n")
}
