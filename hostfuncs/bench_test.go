package hostfuncs

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
)

// hotCalls are the calls that must not allocate.
func hotCalls(tb testing.TB) map[string]func() {
	g := newGuest(tb, Config{
		LogEnabled: func(l Level) bool { return l > LevelDebug }, KV: map[string]KV{"data": newFakeKV()}, Metrics: quietMetrics{},
		Config: map[string]string{"region": "north"},
	})
	b := g.bucketOf("data")
	code, _ := g.kvSet(b, abi.SetRequest{Key: []byte("key"), Value: make([]byte, 1024)})
	require.Equal(tb, abi.CodeOK, code)
	e := abi.Encoder{Buf: make([]byte, 4096)}
	e.Get(&abi.GetRequest{Key: []byte("key")}, 0)
	at, n := g.put(e.Buf[:e.Size()])
	e = abi.Encoder{Buf: e.Buf}
	e.Get(&abi.GetRequest{Key: []byte("nobody")}, 0)
	missAt, missN := g.put(e.Buf[:e.Size()])
	e = abi.Encoder{Buf: e.Buf}
	e.Get(&abi.GetRequest{Key: []byte("key")}, time.Minute)
	passedAt, passedN := g.put(e.Buf[:e.Size()])
	text, textN := g.text("hits")
	region, regionN := g.text("region")
	once := func(f func()) func() {
		return func() {
			g.state.calls, g.state.bytes = 0, 0
			f()
		}
	}
	return map[string]func(){
		"log-disabled": once(func() { g.call("wasmstate_log.log", 0, text, textN) }),
		"log-enabled":  once(func() { g.call("wasmstate_log.enabled", 1) }),
		"clock":        once(func() { g.call("wasmstate_clock.now") }),
		"kv-hit":       once(func() { g.call("wasmstate_kv.get", b, at, n, outAt, outCap) }),
		"kv-miss":      once(func() { g.call("wasmstate_kv.get", b, missAt, missN, outAt, outCap) }),
		"kv-passed-on": once(func() { // with the time that the operation has
			g.state.End()
			g.state.Begin(g.ctx.Context, time.Now().Add(time.Minute))
			g.call("wasmstate_kv.get", b, passedAt, passedN, outAt, outCap)
		}),
		"metric": once(func() { g.call("wasmstate_metric.add", text, textN, 1) }),
		"config": once(func() { g.call("wasmstate_config.get", region, regionN, outAt, 100) }),
		"operation": func() {
			g.state.End()
			g.state.Begin(g.ctx.Context, zeroTime)
		},
	}
}

type quietMetrics struct{}

func (quietMetrics) Count(string, string, float64) bool   { return true }
func (quietMetrics) Observe(string, string, float64) bool { return true }

func TestNoAllocations(t *testing.T) {
	for name, f := range hotCalls(t) {
		f()
		require.Zero(t, testing.AllocsPerRun(1000, f), name)
	}
}

func BenchmarkCalls(b *testing.B) {
	for name, f := range hotCalls(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// BenchmarkHTTP compares a request through the host function with one by the
// same transport directly.
func BenchmarkHTTP(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1024)) }))
	defer s.Close()
	g := newGuest(b, Config{HTTP: []string{s.URL}, Networks: loopback(), MaxCalls: 1 << 60, MaxBytes: 1 << 60})
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		client := http.Client{Transport: g.host.web.transport}
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute) // a store always has one
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			cancel()
		}
	})
	b.Run("guest", func(b *testing.B) {
		b.ReportAllocs()
		e := abi.Encoder{Buf: make([]byte, 4096)}
		e.Get(&abi.GetRequest{Key: []byte(s.URL)}, 0)
		at, n := g.put(e.Buf[:e.Size()])
		for b.Loop() {
			_, h := g.coded("wasmstate_http.start", at, n)
			code, _ := g.coded("wasmstate_http.response", uint64(h), outAt, outCap)
			_, size := g.coded("wasmstate_http.read", uint64(h), outAt, outCap)
			_, end := g.coded("wasmstate_http.read", uint64(h), outAt, outCap)
			if code != abi.CodeOK || size != 1024 || end != 0 {
				b.Fatal(code, size, end)
			}
			g.coded("wasmstate_http.close", uint64(h))
		}
	})
}

// BenchmarkKVGet compares a get of a compiled guest with the same one directly.
func BenchmarkKVGet(b *testing.B) {
	ctx := b.Context()
	store := memstore.New()
	require.NoError(b, store.Init(ctx, abi.Metadata{Name: "data"}))
	defer store.Close()
	h, err := New(Config{Component: "test", KV: map[string]KV{"data": store.(KV)}})
	require.NoError(b, err)
	wasm, err := os.ReadFile("testdata/kvget.wasm")
	require.NoError(b, err)
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	require.NoError(b, h.Instantiate(ctx, r, []Import{{abi.ImportKV, "get"}}))
	s := h.NewState()
	guest := &stateContext{Context: ctx, s: s}
	mod, err := r.InstantiateWithConfig(guest, wasm, wazero.NewModuleConfig())
	require.NoError(b, err)

	key := h.buckets[0].appendKey(nil, []byte("orders/4711"))
	require.NoError(b, store.Set(ctx, &abi.SetRequest{Key: key, Value: make([]byte, 1024)}, &abi.SetResponse{}))
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		req := abi.GetRequest{Key: key}
		var resp abi.GetResponse
		for b.Loop() {
			if err := store.Get(ctx, &req, &resp); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("guest", func(b *testing.B) {
		b.ReportAllocs()
		e := abi.Encoder{Buf: make([]byte, 1024)}
		e.Get(&abi.GetRequest{Key: []byte("orders/4711")}, 0)
		require.True(b, mod.Memory().Write(1024, e.Buf[:e.Size()]))
		f := mod.ExportedFunction("get")
		var stack [1]uint64
		for b.Loop() {
			s.Begin(ctx, zeroTime)
			stack[0] = e.Size()
			if err := f.CallWithStack(guest, stack[:]); err != nil || stack[0] < 1024 || stack[0] > 2048 {
				b.Fatal(err, stack[0])
			}
			s.End()
		}
	})
}
