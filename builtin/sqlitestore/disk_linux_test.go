package sqlitestore_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wasmstate/wasmstate/abi"
)

// mountSmall mounts a small disk or skips the test.
func mountSmall(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := mountSmall(t)
	s := open(t, "connectionString", filepath.Join(dir, "data.db"))
	value := []byte(strings.Repeat("v", 20000))
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = s.Set(t.Context(), &abi.SetRequest{Key: fmt.Append(nil, "k", n), Value: value}, &abi.SetResponse{})
	}
	if c := abi.CodeOf(err); c != abi.CodeQuota && c != abi.CodeUnavailable || !strings.Contains(err.Error(), "full") {
		t.Fatalf("set on a full disk: %q %v", c, err)
	}
	t.Logf("after %d sets: %v", n, err)
	for i := range n - 1 {
		get(t, s, fmt.Sprint("k", i))
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	set(t, s, abi.SetRequest{Key: []byte("after"), Value: value})
	get(t, s, "after")
}

func TestReadOnlyDisk(t *testing.T) {
	dir := mountSmall(t)
	path := filepath.Join(dir, "data.db")
	if err := open(t, "connectionString", path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := try(t, "connectionString", path)
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("open on a read-only disk: %v", err)
	}
}
