package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"

	"go.uber.org/zap"
)

// defaultCacheDir is "" if the user has no folder for caches.
func defaultCacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "wasmstate", "compiled")
}

// usableCacheDir returns the folder to keep compiled modules in; "" means
// memory. The default folder is a convenience: a server must start without.
// One that was asked for must serve, but others may be able to write to it, as
// to a volume of Kubernetes: then it is a folder in it that only we can write to,
// since what is in the cache is executed.
func usableCacheDir(dir string, asked bool, log *zap.Logger) (string, error) {
	switch {
	case asked && dir == "":
		return "", nil
	case asked:
		if info, err := os.Stat(dir); err != nil || private(info) {
			return dir, nil // what else may be wrong is told where it is opened
		}
		own := filepath.Join(dir, fmt.Sprintf("wasmstate-%d", os.Getuid()))
		if err := makePrivate(own); err != nil {
			return "", fmt.Errorf("--cache-dir %s can be written to by others, and no private folder can be made in it: %w", dir, err)
		}
		log.Info("compiled modules are kept in a private folder, since others can write to --cache-dir", zap.String("folder", own))
		return own, nil
	case dir == "":
		log.Warn("compiled modules are kept in memory only and compiled again at the next start, since this user has no home folder; set --cache-dir")
		return "", nil
	}
	if err := makePrivate(dir); err != nil {
		log.Warn("compiled modules are kept in memory only and compiled again at the next start; "+
			"set --cache-dir to a folder that this user can write to, or to \"\"", zap.Error(err))
		return "", nil
	}
	return dir, nil
}

// makePrivate makes a folder of mode 0700 unless it is there, and refuses one
// that is not ours alone or cannot be written to.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir) // a link in a folder of others may lead anywhere
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: dir, Err: errors.New("is not a folder")}
	case !private(info):
		return fmt.Errorf("%s belongs to another user or can be written to by others (mode %#o)", dir, info.Mode().Perm())
	}
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// private reports whether a folder belongs to this user and only it can write
// to it.
func private(info fs.FileInfo) bool {
	return goruntime.GOOS == "windows" || info.Mode().Perm()&0o022 == 0 && ours(info)
}
