package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
)

// files lists the files below dir, relative to it.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			list = append(list, path)
		}
		return err
	}))
	return list
}

func openCache(t *testing.T, cfg engine.CacheConfig) *engine.Cache {
	t.Helper()
	c, err := engine.OpenCache(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestTenGuestsShareOneCompilation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	cfg := config(t, good(t))
	cfg.Cache = openCache(t, engine.CacheConfig{Dir: dir})
	var wg sync.WaitGroup
	guests := make([]*engine.Guest, 10)
	for i := range guests {
		wg.Go(func() {
			g, err := engine.Load(context.Background(), cfg)
			if err == nil {
				err = g.Start(context.Background(), openBuffer)
			}
			if err != nil {
				t.Errorf("%v", err)
			}
			guests[i] = g
		})
	}
	wg.Wait()
	list := files(t, dir)
	require.Len(t, list, 1)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for i, g := range guests { // those that go do not take the code with them
		require.NoError(t, g.Close())
		if i+1 < len(guests) {
			require.NoError(t, do(context.Background(), guests[i+1]))
		}
	}
}

func TestDamagedCacheFileIsReplaced(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	run := func() {
		cfg := config(t, good(t))
		cfg.Cache = openCache(t, engine.CacheConfig{Dir: dir})
		g := start(t, cfg)
		require.NoError(t, do(t.Context(), g))
		require.NoError(t, g.Close())
	}
	run()
	path := files(t, dir)[0]
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, damaged := range [][]byte{{}, b[:len(b)/2], append([]byte(strings.Repeat("x", 50)), b[50:]...)} {
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		run()
	}
}

func TestCacheRefusesAFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err := engine.OpenCache(engine.CacheConfig{Dir: dir})
	require.ErrorContains(t, err, "chmod 700")
	_, err = engine.OpenCache(engine.CacheConfig{Dir: filepath.Join(good2(t), "x")})
	require.Error(t, err)
}

// good2 is the path of a file, where a folder is wanted.
func good2(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	return path
}

func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	other := filepath.Join(dir, "keep.txt")
	require.NoError(t, os.WriteFile(other, make([]byte, 1<<20), 0o600))
	cache := openCache(t, engine.CacheConfig{Dir: dir, MaxBytes: 12 << 10})
	for _, name := range []string{"trap-get", "trap-set", "trap-delete", "trap-ping", "trap-keys", "trap-divide", "trap-load"} {
		cfg := config(t, hostile(t, name))
		cfg.Cache = cache
		g := start(t, cfg)
		require.NoError(t, g.Close())
	}
	var size int64
	for _, f := range files(t, dir) {
		info, err := os.Stat(f)
		require.NoError(t, err)
		if f != other {
			size += info.Size()
		}
	}
	require.Positive(t, size)
	require.LessOrEqual(t, size, int64(24<<10), "the bound and the entry that was in use when it was checked")
	require.FileExists(t, other, "what is not ours is not removed")
}

func TestCompileDeadline(t *testing.T) {
	cfg := config(t, good(t))
	cfg.Cache = openCache(t, engine.CacheConfig{Timeout: time.Nanosecond})
	_, err := engine.Load(t.Context(), cfg)
	var ge *abi.Fault
	require.ErrorAs(t, err, &ge)
	require.Equal(t, abi.FaultLoad, ge.Kind)
	require.ErrorContains(t, err, "longer than 1ns")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg.Cache = openCache(t, engine.CacheConfig{})
	_, err = engine.Load(ctx, cfg)
	require.True(t, errors.Is(err, context.Canceled), err)
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		module string
		texts  []string
	}{
		{"export-missing", []string{"ws_delete, ws_set"}},
		{"export-type", []string{"ws_get is (i32, i32) -> (i32) and must be (i32) -> (i64)"}},
		{"export-initialize-type", []string{"_initialize is (i32) -> ()"}},
		{"export-global", []string{"does not export ws_get"}},
		{"memory-missing", []string{`export its memory as "memory"`}},
		{"memory-minimum", []string{"of memory from the start and is allowed 16 MiB"}},
		{"import-unknown", []string{"imports 2 functions"}},
		{"index-global", []string{"cannot be compiled"}},
	} {
		t.Run(tc.module, func(t *testing.T) {
			_, err := engine.Load(t.Context(), config(t, hostile(t, tc.module)))
			var ge *abi.Fault
			require.ErrorAs(t, err, &ge)
			require.Equal(t, abi.FaultLoad, ge.Kind)
			for _, text := range tc.texts {
				require.ErrorContains(t, err, text)
			}
		})
	}
}
