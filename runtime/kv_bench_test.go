package runtime_test

import (
	"bytes"
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// asGuest answers who is calling, as the engine's call context does.
type asGuest struct {
	context.Context
	state *hostfuncs.State
}

func (c *asGuest) Value(key any) any {
	if key == hostfuncs.Key() {
		return c.state
	}
	return c.Context.Value(key)
}

// BenchmarkKV is a get of a 1 KiB value from memstore, in turns: by the handle
// of its component, by a guest's host call to the same handle, and by the
// handle of a store in wasm that keeps everything there.
func BenchmarkKV(b *testing.B) {
	const turn = 500
	ctx := b.Context()
	data := handle(b, func(context.Context) (abi.Store, error) { return memstore.New(), nil })
	bind := hostfuncs.Config{Component: "bench", KV: map[string]hostfuncs.KV{"data": data}}

	host, err := hostfuncs.New(bind)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, host.Close()) })
	wasm, err := os.ReadFile("../hostfuncs/testdata/kvget.wasm")
	require.NoError(b, err)
	r := wazero.NewRuntime(ctx)
	b.Cleanup(func() { require.NoError(b, r.Close(context.Background())) })
	require.NoError(b, host.Instantiate(ctx, r, []hostfuncs.Import{{Module: abi.ImportKV, Name: "get"}}))
	call := &asGuest{Context: ctx, state: host.NewState()}
	mod, err := r.InstantiateWithConfig(call, wasm, wazero.NewModuleConfig())
	require.NoError(b, err)

	wasm, err = os.ReadFile("../hostfuncs/testdata/passthrough.wasm")
	require.NoError(b, err)
	through := handle(b, func(ctx context.Context) (abi.Store, error) {
		return newModules(b).Open(ctx, guestbuild.WithManifest(wasm, abi.FeatureETag, "pool"), sandbox.Config{Component: "bench", Host: bind})
	})
	// What the guest stores as "orders/4711" is there for the host call too.
	key := []byte("orders/4711")
	require.NoError(b, through.Set(ctx, &abi.SetRequest{Key: key, Value: make([]byte, 1024)}, &abi.SetResponse{}))
	require.NoError(b, data.Set(ctx, &abi.SetRequest{Key: key, Value: make([]byte, 1024)}, &abi.SetResponse{}))
	var page abi.KeysResponse
	require.NoError(b, data.Keys(ctx, &abi.KeysRequest{Prefix: []byte("guest/"), Limit: 10}, &page))
	require.Len(b, page.Keys, 1)
	_, stored, _ := bytes.Cut(page.Keys[0], []byte("/4:data/"))
	e := abi.Encoder{Buf: make([]byte, 1024)}
	e.Get(&abi.GetRequest{Key: bytes.ReplaceAll(stored, []byte("|."), []byte("|"))}, 0)
	require.True(b, mod.Memory().Write(1024, e.Buf[:e.Size()]))
	get := mod.ExportedFunction("get")

	req, resp := abi.GetRequest{Key: key}, abi.GetResponse{}
	var stack [1]uint64
	took := make([][]time.Duration, 3)
	names := []string{"direct", "host-call", "store"}
	b.ReportAllocs()
	for b.Loop() {
		for i, do := range []func() bool{
			func() bool { return data.Get(ctx, &req, &resp) == nil },
			func() bool {
				call.state.Begin(ctx, time.Time{})
				stack[0] = e.Size()
				err := get.CallWithStack(call, stack[:])
				call.state.End()
				return err == nil && stack[0] > 1024 && stack[0] < 2048
			},
			func() bool { return through.Get(ctx, &req, &resp) == nil },
		} {
			from := time.Now()
			for range turn {
				if !do() {
					b.Fatal(names[i], " failed ", stack[0])
				}
			}
			took[i] = append(took[i], time.Since(from)/turn)
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, t := range took {
		slices.Sort(t)
		b.ReportMetric(float64(t[len(t)/2]), names[i]+"-ns")
		if i > 0 {
			b.ReportMetric(float64(t[len(t)/2])/float64(took[0][len(took[0])/2]), names[i]+"/direct")
		}
	}
}
