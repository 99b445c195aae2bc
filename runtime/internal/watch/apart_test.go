package watch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
)

// deaf is a notifier that hears nothing, as of a file that is a mount of its own.
type deaf struct{}

func (deaf) Add(string) error              { return nil }
func (deaf) Remove(string) error           { return nil }
func (deaf) Close() error                  { return nil }
func (deaf) events() <-chan fsnotify.Event { return nil }
func (deaf) errors() <-chan error          { return nil }

// TestASingleFileIsLookedAt: one that is bind-mounted and edited in place is
// noticed though no event of its folder tells.
func TestASingleFileIsLookedAt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	require.NoError(t, os.WriteFile(file, []byte("one"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		w := New([]string{file}, Options{Reconcile: time.Hour})
		w.newNotifier = func() (notifier, error) { return deaf{}, nil }
		require.Equal(t, []string{file}, w.mounted())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		defer func() {
			cancel()
			require.NoError(t, <-done)
		}()
		<-w.C // the first
		time.Sleep(3 * time.Second)
		select {
		case <-w.C:
			t.Fatal("nothing changed")
		default:
		}
		require.NoError(t, os.WriteFile(file, []byte("another"), 0o600))
		from := time.Now()
		<-w.C
		require.LessOrEqual(t, time.Since(from), 1500*time.Millisecond)
	})
}

// TestFoldersAreHeard: the files of a folder on its own file system need no looking.
func TestFoldersAreHeard(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), nil, 0o600))
	require.Empty(t, New([]string{dir}, Options{}).mounted())
}
