package watch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wasmstate/wasmstate/runtime/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a watcher until the test ends and takes its first signal. Only
// events make it signal again.
func start(t *testing.T, paths ...string) *watch.Watcher {
	t.Helper()
	w := watch.New(paths, watch.Options{Reconcile: time.Hour, Poll: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	signal(t, w, "the first one")
	return w
}

// signal waits for a signal.
func signal(t *testing.T, w *watch.Watcher, what string) {
	t.Helper()
	select {
	case <-w.C:
	case <-time.After(20 * time.Second):
		t.Fatalf("no signal: %s", what)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// A step changes something; each must make a signal.
type step struct {
	name string
	do   func() error
}

func run(t *testing.T, w *watch.Watcher, steps []step) {
	t.Helper()
	for _, s := range steps {
		require.NoError(t, s.do(), s.name)
		signal(t, w, s.name)
	}
}

func TestFilesInFolder(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "a.yaml"), filepath.Join(dir, ".tmp123")
	put := func(path, text string) func() error {
		return func() error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	w := start(t, dir)
	run(t, w, []step{
		{"create", put(file, "1")},
		{"edit in place", put(file, "2")},
		{"truncate", func() error { return os.Truncate(file, 0) }},
		{"append", func() error {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("x")
			return err
		}},
		{"editor: old one aside", func() error { return os.Rename(file, file+"~") }},
		{"editor: new one", put(file, "3")},
		{"atomic rename", func() error {
			if err := os.WriteFile(other, []byte("4"), 0o600); err != nil {
				return err
			}
			return os.Rename(other, file)
		}},
		{"delete", func() error { return os.Remove(file) }},
		{"create again", put(file, "5")},
		{"permissions", func() error { return os.Chmod(file, 0o644) }},
		{"yml", put(filepath.Join(dir, "B.YML"), "")},
		{"module", put(filepath.Join(dir, "m.wasm"), "")},
		{"rename to another component file", func() error { return os.Rename(file, filepath.Join(dir, "z.yaml")) }},
		{"moved out", func() error { return os.Rename(filepath.Join(dir, "z.yaml"), filepath.Join(t.TempDir(), "z.yaml")) }},
		{"hard link", func() error { return os.Link(filepath.Join(dir, "m.wasm"), filepath.Join(dir, "n.wasm")) }},
	})
}

func TestManyFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	w := start(t, dir)
	for i := range 500 {
		write(t, filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), "x")
	}
	// After the last signal everything is there: signals are levels.
	for n := 0; n < 500; {
		signal(t, w, "many files")
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		n = len(entries)
	}
}

func TestConfigMapSwap(t *testing.T) {
	dir := t.TempDir()
	version := func(n string) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, "..v"+n), 0o700))
		write(t, filepath.Join(dir, "..v"+n, "a.yaml"), n)
	}
	version("1")
	require.NoError(t, os.Symlink("..v1", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml")))
	w := start(t, dir)
	for n := 2; n < 5; n++ {
		version(fmt.Sprint(n))
		require.NoError(t, os.Symlink(fmt.Sprintf("..v%d", n), filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
		for { // a signal may come for the preparations
			signal(t, w, "swap")
			text, err := os.ReadFile(filepath.Join(dir, "a.yaml"))
			require.NoError(t, err)
			if string(text) == fmt.Sprint(n) {
				break
			}
		}
		require.NoError(t, os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..v%d", n-1))))
		signal(t, w, "old version removed")
		write(t, filepath.Join(dir, fmt.Sprintf("..v%d", n), "a.yaml"), "edited")
		signal(t, w, "edit behind two links")
	}
}

func TestFolderAppearsAndIsReplaced(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "etc", "app", "components")
	w := start(t, dir)
	run(t, w, []step{
		{"the folder appears with its parents", func() error { return os.MkdirAll(dir, 0o700) }},
		{"a file in it", func() error { return os.WriteFile(filepath.Join(dir, "a.yaml"), nil, 0o600) }},
		{"it is removed", func() error { return os.RemoveAll(dir) }},
		{"it is made again", func() error { return os.Mkdir(dir, 0o700) }},
		{"a file in the new one", func() error { return os.WriteFile(filepath.Join(dir, "a.yaml"), nil, 0o600) }},
		{"it is moved away", func() error { return os.Rename(dir, dir+".old") }},
		{"another takes its place", func() error {
			if err := os.Mkdir(dir+".new", 0o700); err != nil {
				return err
			}
			return os.Rename(dir+".new", dir)
		}},
		{"a file in that one", func() error { return os.WriteFile(filepath.Join(dir, "a.yaml"), nil, 0o600) }},
		{"a grandparent is moved away", func() error { return os.Rename(filepath.Join(root, "etc"), filepath.Join(root, "gone")) }},
		{"and comes back", func() error { return os.Rename(filepath.Join(root, "gone"), filepath.Join(root, "etc")) }},
		{"a file after that", func() error { return os.WriteFile(filepath.Join(dir, "b.yaml"), nil, 0o600) }},
	})
}

func TestFolderBehindLink(t *testing.T) {
	root := t.TempDir()
	for _, v := range []string{"1", "2"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, "releases", v, "components"), 0o700))
	}
	current := filepath.Join(root, "current")
	require.NoError(t, os.Symlink("releases/1", current))
	w := start(t, filepath.Join(current, "components"))
	run(t, w, []step{
		{"a file in the first release", func() error {
			return os.WriteFile(filepath.Join(root, "releases/1/components/a.yaml"), nil, 0o600)
		}},
		{"the link is turned", func() error {
			if err := os.Symlink(filepath.Join(root, "releases/2"), current+".new"); err != nil {
				return err
			}
			return os.Rename(current+".new", current)
		}},
		{"a file in the second release", func() error {
			return os.WriteFile(filepath.Join(root, "releases/2/components/a.yaml"), nil, 0o600)
		}},
	})
}

func TestSetFiles(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	secret := filepath.Join(elsewhere, "secrets.json")
	w := start(t, dir)
	w.SetFiles([]string{secret, filepath.Join(elsewhere, "deep", "m.bin")})
	signal(t, w, "a new set")
	run(t, w, []step{
		{"it appears", func() error { return os.WriteFile(secret, nil, 0o600) }},
		{"it is edited", func() error { return os.WriteFile(secret, []byte("{}"), 0o600) }},
		{"it is removed", func() error { return os.Remove(secret) }},
		{"the other's folder appears", func() error { return os.Mkdir(filepath.Join(elsewhere, "deep"), 0o700) }},
		{"the other appears", func() error { return os.WriteFile(filepath.Join(elsewhere, "deep", "m.bin"), nil, 0o600) }},
	})
	w.SetFiles(nil)
	signal(t, w, "another set")
}

func TestSingleFileAsPath(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	w := start(t, file)
	run(t, w, []step{
		{"it appears", func() error { return os.WriteFile(file, nil, 0o600) }},
		{"it is edited", func() error { return os.WriteFile(file, []byte("x"), 0o600) }},
	})
}

// Run gives every descriptor back.
func TestNoDescriptorLeft(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(fds)
	}
	once := func() {
		w := watch.New([]string{t.TempDir()}, watch.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		signal(t, w, "the first one")
		cancel()
		require.NoError(t, <-done)
	}
	once() // what the Go runtime opens once
	before := count()
	for range 20 {
		once()
	}
	assert.LessOrEqual(t, count(), before)
}
