package sqlitestore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
)

func TestFileGone(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"removed": os.Remove,
		"renamed": func(path string) error { return os.Rename(path, path+".old") },
		"another": func(path string) error {
			if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			s := open(t, "url", path)
			ctx := context.Background()
			require.False(t, s.(abi.Volatiler).Volatile())
			require.NoError(t, s.(abi.Pinger).Ping(ctx))
			require.NoError(t, spoil(path))
			// The first write looks: none was made before.
			err := s.Set(ctx, &abi.SetRequest{Key: []byte("k"), Value: []byte("v")}, new(abi.SetResponse))
			require.ErrorContains(t, err, "the file is gone")
			require.ErrorContains(t, s.(abi.Pinger).Ping(ctx), "the file is gone")
			require.True(t, s.(abi.Volatiler).Volatile())
		})
	}
}

func TestFileGoneBetweenWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, "url", path)
	ctx := context.Background()
	set := func() error {
		return s.Set(ctx, &abi.SetRequest{Key: []byte("k"), Value: []byte("v")}, new(abi.SetResponse))
	}
	require.NoError(t, set())
	require.NoError(t, os.Remove(path))
	require.Eventually(t, func() bool { return set() != nil }, 10*time.Second, 50*time.Millisecond)
	require.ErrorContains(t, set(), "the file is gone")
	var got abi.GetResponse
	require.NoError(t, s.Get(ctx, &abi.GetRequest{Key: []byte("k")}, &got), "what is there can still be read")
}
