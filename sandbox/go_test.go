package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/testing/guestbuild"
	"github.com/wasmstate/wasmstate/sandbox"
)

// A guest in standard Go collects garbage only while it runs: without ws_idle
// large values fill its memory until it dies. WASMSTATE_SOAK is the number of
// writes, 1000000 for the full measure.
func TestGoGuestStaysWithinItsMemory(t *testing.T) {
	if testing.Short() || guestbuild.Race {
		t.Skip("builds and compiles a guest with standard Go, which takes minutes with the race detector; make standard-go runs it without")
	}
	m := newModules(t)
	s, err := m.Open(t.Context(), guestbuild.Go(t, "memory-go"), sandbox.Config{Component: "go", Settings: sandbox.Settings{Memory: 64 << 20}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Init(t.Context(), abi.Metadata{Name: "go"}))
	value := make([]byte, 64<<10)
	keys := make([][]byte, 100)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key-%d", i)
	}
	var largest int64
	from := time.Now()
	sets := 20_000
	if s := os.Getenv("WASMSTATE_SOAK"); s != "" {
		var err error
		sets, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for i := range sets {
		value[0] = byte(i)
		require.NoError(t, s.Set(context.Background(), &abi.SetRequest{Key: keys[i%len(keys)], Value: value}, &abi.SetResponse{}))
		if i%100 == 0 {
			stats, _ := sandbox.StatsOf(s)
			largest = max(largest, stats.Memory)
		}
	}
	stats, _ := sandbox.StatsOf(s)
	t.Logf("%d sets of 64 KiB over 100 keys: %v each, at most %d MiB, %d runs of ws_idle", sets, time.Since(from)/time.Duration(sets), largest>>20, stats.Idles)
	require.Positive(t, stats.Idles)
	require.Equal(t, int64(1), stats.Created)
}

// BenchmarkLoadGo opens and initialises the store in standard Go, with its
// machine code in the cache folder.
func BenchmarkLoadGo(b *testing.B) {
	wasm := guestbuild.Go(b, "memory-go")
	dir := b.TempDir() + "/cache"
	open := func() {
		m, err := sandbox.New(sandbox.Options{CacheDir: dir})
		require.NoError(b, err)
		s, err := m.Open(context.Background(), wasm, sandbox.Config{Component: "go"})
		require.NoError(b, err)
		require.NoError(b, s.Init(context.Background(), abi.Metadata{Name: "go"}))
		require.NoError(b, s.Close())
		require.NoError(b, m.Close())
	}
	open() // compiles
	b.ReportAllocs()
	for b.Loop() {
		open()
	}
}
