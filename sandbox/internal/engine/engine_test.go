package engine_test

import (
	"context"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

const (
	opGet = iota
	opSet
	opDelete
	opOpen
	opIdle
)

// good returns the module of the well-behaved guest.
func good(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../guests/hostile/good.wasm")
	require.NoError(t, err)
	return b
}

// config is a small guest of the module, to be changed by the test.
func config(t testing.TB, wasm []byte) engine.Config {
	t.Helper()
	cache, err := engine.OpenCache(engine.CacheConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cache.Close()) })
	return engine.Config{
		Component: "test",
		Code:      engine.Code{Bytes: wasm, Meter: engine.MeterNone},
		Ops:       []string{"ws_get", "ws_set", "ws_delete", "ws_open", "ws_idle"},
		Required:  []bool{true, true, true, true, false},
		Open:      opOpen, Idle: opIdle, Close: -1,
		Mode: engine.ModePool, Instances: 4,
		Memory:  16 << 20,
		Timeout: time.Second, SetupTimeout: time.Second, IdleTimeout: time.Second,
		IdleOps: 32, IdleBytes: 1 << 20,
		Cache: cache, Budget: engine.NewBudget(0),
	}
}

// openBuffer is a setup that asks for a shared buffer.
func openBuffer(_ context.Context, in *engine.Instance) error {
	_, err := in.Call2(opOpen, 1, 16<<10, func(r uint64) error {
		if !in.SetBuffer(uint32(r>>32), uint32(r)) {
			return in.Violate("bad buffer")
		}
		return nil
	})
	return err
}

// start loads and starts a guest and closes it with the test.
func start(t testing.TB, cfg engine.Config) *engine.Guest {
	t.Helper()
	g, err := engine.Load(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	require.NoError(t, g.Start(context.Background(), openBuffer))
	return g
}

// request writes a request with a key and a value into the shared buffer.
func request(in *engine.Instance, key, value string) uint32 {
	b := in.Buffer()
	clear(b[:72])
	le := binary.LittleEndian
	le.PutUint32(b, 72)
	le.PutUint32(b[8:], 72)
	le.PutUint32(b[12:], uint32(len(key)))
	le.PutUint32(b[16:], uint32(72+len(key)))
	le.PutUint32(b[20:], uint32(len(value)))
	copy(b[72:], key)
	copy(b[72+len(key):], value)
	return uint32(72 + len(key) + len(value))
}

func TestCallRoundTrip(t *testing.T) {
	g := start(t, config(t, good(t)))
	in, err := g.Acquire(context.Background(), opSet, 0)
	require.NoError(t, err)
	r, err := in.Call(opSet, request(in, "k", "v"))
	require.NoError(t, err)
	require.Zero(t, r>>32)
	r, err = in.Call(opGet, request(in, "k", ""))
	require.NoError(t, err)
	require.Zero(t, r>>32)
	rec := in.Buffer()[:uint32(r)]
	at, n := binary.LittleEndian.Uint32(rec[8:]), binary.LittleEndian.Uint32(rec[12:])
	require.Equal(t, "v", string(in.Memory()[at:at+n]))
	in.Done()
	s := g.Stats()
	require.Equal(t, 1, s.Instances)
	require.Equal(t, int64(1), s.Ops[opSet].Calls)
}
