// Package guestbuild builds guests with standard Go for tests. Such modules are
// too large to commit; a build takes seconds, the first on a machine a minute.
package guestbuild

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wasmstate/wasmstate/internal/modulemanifest"
	"github.com/wasmstate/wasmstate/sandbox"
)

// Go returns the module of guests/<name> built with standard Go, with the
// manifest wasmstate.yaml of its folder embedded. It is built once per content
// of its sources and kept in the user's cache folder; without one, once per
// process. Safe for concurrent use. The result must not be changed.
func Go(tb testing.TB, name string) []byte {
	tb.Helper()
	wasm, err := build(name)
	if err != nil {
		tb.Fatalf("build guest %s with standard Go: %v", name, err)
	}
	return wasm
}

// Root is the top folder of the repository.
func Root() string {
	_, file, _, _ := goruntime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(file))))
}

type result struct {
	once sync.Once
	wasm []byte
	err  error
}

var results sync.Map //nolint:gochecknoglobals // of *result by name: builds of this process

func build(name string) ([]byte, error) {
	v, _ := results.LoadOrStore(name, &result{})
	r := v.(*result)
	r.once.Do(func() { r.wasm, r.err = cached(Root(), name) })
	return r.wasm, r.err
}

// cached looks for the module of these sources before it builds.
func cached(root, name string) ([]byte, error) {
	sum, err := digest(root, name)
	if err != nil {
		return nil, err
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return compile(root, name)
	}
	dir = filepath.Join(dir, "wasmstate", "guests")
	file := filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+"-"+sum[:24]+".wasm")
	if wasm, err := os.ReadFile(file); err == nil {
		return wasm, nil
	}
	wasm, err := compile(root, name)
	if err != nil {
		return nil, err
	}
	return wasm, keep(dir, file, wasm)
}

// keep writes the file whole or not at all, whoever else does the same.
func keep(dir, file string, wasm []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".guest-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(wasm)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// digest covers everything that the module is made of.
func digest(root, name string) (string, error) {
	h := sha256.New()
	version, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	fmt.Fprintf(h, "%s\n", version)
	var files []string
	for _, dir := range []string{"abi", "guests/sdk/go", "guests/" + name} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasSuffix(path, "_test.go") && slices.Contains([]string{".go", ".yaml"}, filepath.Ext(path)) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(files)
	for _, path := range files {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return "", err
		}
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\n", rel)
		_, err = io.Copy(h, f)
		_ = f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func compile(root, name string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-buildmode=c-shared", "-o", out, "./guests/"+name)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	manifest, err := os.ReadFile(filepath.Join(root, "guests", name, "wasmstate.yaml"))
	if err != nil {
		return nil, err
	}
	doc, err := modulemanifest.JSON(manifest)
	if err != nil {
		return nil, err
	}
	modules, err := sandbox.New(sandbox.Options{})
	if err != nil {
		return nil, err
	}
	defer modules.Close()
	return modules.Pack(wasm, doc, false)
}
