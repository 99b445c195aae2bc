package main

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestUsableCacheDir(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("modes say nothing here")
	}
	dir := t.TempDir()
	make := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	uid := fmt.Sprintf("wasmstate-%d", os.Getuid())
	open, private, trap := make("open", 0o777), make("private", 0o755), make("trap", 0o777)
	require.NoError(t, os.Symlink(private, filepath.Join(trap, uid)))

	for name, c := range map[string]struct {
		dir   string
		asked bool
		want  string
		err   string
		warns int
		infos int
	}{
		"default":            {dir: filepath.Join(dir, "a", "b"), want: filepath.Join(dir, "a", "b")},
		"no home":            {dir: "", warns: 1},
		"default not made":   {dir: filepath.Join(file, "x"), warns: 1},
		"default is a file":  {dir: file, warns: 1},
		"default not ours":   {dir: make("shared", 0o777), warns: 1},
		"memory":             {dir: "", asked: true},
		"asked":              {dir: private, asked: true, want: private},
		"asked, not there":   {dir: filepath.Join(dir, "new"), asked: true, want: filepath.Join(dir, "new")},
		"asked, of everyone": {dir: open, asked: true, want: filepath.Join(open, uid), infos: 1},
		"trap":               {dir: trap, asked: true, err: "is not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zapcore.InfoLevel)
			for range 2 { // the second finds what the first made
				got, err := usableCacheDir(c.dir, c.asked, zap.New(core))
				if c.err != "" {
					require.ErrorContains(t, err, c.err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.want, got)
			}
			require.Equal(t, 2*c.warns, logs.FilterLevelExact(zapcore.WarnLevel).Len())
			require.Equal(t, 2*c.infos, logs.FilterLevelExact(zapcore.InfoLevel).Len())
		})
	}
	info, err := os.Stat(filepath.Join(open, uid))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}
