package sandbox_test

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Guests that take what they can get leave the others their part of the memory
// budget, and the error says what to do.
func TestGreedyGuestsLeaveTheOthersTheirShare(t *testing.T) {
	m, err := sandbox.New(sandbox.Options{MemoryBudget: 256 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	open := func(name string, memory int64) abi.Store {
		s, err := m.Open(t.Context(), wasm, sandbox.Config{Component: name, Settings: sandbox.Settings{Memory: memory}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: name}))
		return s
	}
	set := func(s abi.Store, key string, size int) error {
		return s.Set(t.Context(), &abi.SetRequest{Key: []byte(key), Value: make([]byte, size)}, &abi.SetResponse{})
	}
	modest := open("modest", 0)
	for n := range 6 {
		s := open(fmt.Sprintf("greedy-%d", n), 0)
		var err error
		for i := 0; err == nil; i++ {
			require.Less(t, i, 200)
			err = set(s, fmt.Sprint("key-", i), 1<<20)
		}
	}
	require.NoError(t, set(modest, "k", 100<<10))
	require.NoError(t, set(open("newcomer", 0), "k", 100<<10))
	require.LessOrEqual(t, m.MemoryUsed(), int64(256<<20))
}

// A module cannot grant itself more than the default, and the operator can.
func TestWishesEndAtTheDefault(t *testing.T) {
	m, err := sandbox.New(sandbox.Options{MemoryBudget: 1 << 30})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	packed, err := m.Pack(guestbuild.Hostile(t, "memory-bomb"), []byte(`{"name":"hog","concurrency":{"mode":"pool","max":1024},"state":"none","memory":"4GiB"}`), true)
	require.NoError(t, err)
	core, logs := observer.New(zap.InfoLevel)
	for memory, want := range map[int64]string{0: "allowed 64 MiB", 128 << 20: "allowed 128 MiB", 512 << 20: "allowed 512 MiB"} {
		s, err := m.Open(t.Context(), packed, sandbox.Config{
			Component: "hog", Settings: sandbox.Settings{Memory: memory, Instances: int(memory >> 27)}, Logger: slog.New(zapslog.NewHandler(core)),
		})
		require.NoError(t, err)
		require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "hog"}))
		require.ErrorContains(t, s.Get(t.Context(), &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{}), want)
		require.NoError(t, s.Close())
	}
	require.Equal(t, 2, logs.FilterMessageSnippet("wishes for more").Len())
}
