package watch

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// fake is a notifier whose events the test makes up.
type fake struct {
	evs    chan fsnotify.Event
	errs   chan error
	refuse atomic.Bool
}

func (f *fake) Add(string) error {
	if f.refuse.Load() {
		return syscall.ENOSPC
	}
	return nil
}
func (f *fake) Remove(string) error           { return nil }
func (f *fake) Close() error                  { close(f.evs); close(f.errs); return nil }
func (f *fake) events() <-chan fsnotify.Event { return f.evs }
func (f *fake) errors() <-chan error          { return f.errs }

// bubble runs body with a watcher of dir in fake time. at lists the times of
// the signals since the start.
func bubble(t *testing.T, refuse bool, body func(w *Watcher, f *fake, dir string, logs *observer.ObservedLogs, at func() []time.Duration)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		f := &fake{evs: make(chan fsnotify.Event), errs: make(chan error)}
		f.refuse.Store(refuse)
		w := New([]string{dir}, Options{Log: zap.New(core)})
		w.newNotifier = func() (notifier, error) { return f, nil }
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var signals []time.Duration // guarded by mu
		begin := time.Now()
		done, heard := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			assert.NoError(t, w.Run(ctx))
		}()
		go func() {
			defer close(heard)
			for {
				select {
				case <-ctx.Done():
					return
				case <-w.C:
					mu.Lock()
					signals = append(signals, time.Since(begin))
					mu.Unlock()
				}
			}
		}()
		body(w, f, dir, logs, func() []time.Duration {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			got := signals
			signals = nil
			return got
		})
		cancel()
		<-done
		<-heard
	})
}

func TestDebounce(t *testing.T) {
	bubble(t, false, func(w *Watcher, f *fake, dir string, logs *observer.ObservedLogs, at func() []time.Duration) {
		assert.Equal(t, []time.Duration{0}, at(), "the first signal")
		event := func(name string) { f.evs <- fsnotify.Event{Name: filepath.Join(dir, name), Op: fsnotify.Write} }
		const ms = time.Millisecond

		// Quiet: one signal 30 ms after the last of some events.
		for range 3 {
			event("a.yaml")
			time.Sleep(10 * ms)
		}
		time.Sleep(970 * ms)
		assert.Equal(t, []time.Duration{50 * ms}, at())

		// Never quiet: a signal every 300 ms.
		for range 143 { // from 1 s to 2 s
			event("a.yaml")
			time.Sleep(7 * ms)
		}
		time.Sleep(time.Second)
		assert.Equal(t, []time.Duration{1300 * ms, 1601 * ms, 1902 * ms, 2024 * ms}, at())

		// Other files are not heard.
		event("data.db-wal")
		event(".a.yaml.swp")
		f.evs <- fsnotify.Event{Name: filepath.Join(filepath.Dir(dir), "a.yaml"), Op: fsnotify.Write}
		time.Sleep(time.Second)
		assert.Empty(t, at())

		// The folder itself is.
		f.evs <- fsnotify.Event{Name: dir, Op: fsnotify.Chmod}
		time.Sleep(time.Second)
		assert.Len(t, at(), 1)
		f.evs <- fsnotify.Event{Name: filepath.Dir(dir), Op: fsnotify.Rename}
		time.Sleep(time.Second)
		assert.Len(t, at(), 1)

		// Lost events make a signal.
		f.errs <- fsnotify.ErrEventOverflow
		time.Sleep(time.Second)
		assert.Len(t, at(), 1)

		// Other errors too, and are logged once.
		for range 3 {
			f.errs <- syscall.EIO
		}
		time.Sleep(time.Second)
		assert.Len(t, at(), 1)
		assert.Equal(t, 1, logs.Len())

		// Whoever listens may ask for one.
		w.Again()
		time.Sleep(29 * ms)
		assert.Empty(t, at())
		time.Sleep(2 * ms)
		assert.Len(t, at(), 1)

		// The reconcile tick makes one without a reason.
		time.Sleep(time.Minute)
		assert.Len(t, at(), 2)
	})
}

func TestPollsWhenWatchingIsRefused(t *testing.T) {
	bubble(t, true, func(w *Watcher, f *fake, dir string, logs *observer.ObservedLogs, at func() []time.Duration) {
		assert.Len(t, at(), 1, "the first signal")
		assert.Equal(t, 1, logs.FilterLevelExact(zapcore.WarnLevel).Len())
		time.Sleep(10 * time.Second)
		assert.Empty(t, at(), "nothing changed")

		file := filepath.Join(dir, "a.yaml")
		for _, change := range []func() error{
			func() error { return os.WriteFile(file, []byte("1"), 0o600) },
			func() error { return os.WriteFile(file, []byte("22"), 0o600) },
			func() error { return os.Chmod(file, 0o644) },
			func() error { return os.Remove(file) },
		} {
			require.NoError(t, change())
			time.Sleep(time.Second)
			assert.Len(t, at(), 1)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "x.db"), []byte("1"), 0o600))
		time.Sleep(5 * time.Second)
		got := at()
		if len(got) > 1 { // the folder's own time changed
			t.Errorf("signals for another file: %v", got)
		}
		assert.Equal(t, 1, logs.FilterLevelExact(zapcore.WarnLevel).Len(), "one warning")

		f.refuse.Store(false)
		time.Sleep(time.Minute)
		assert.Equal(t, 1, logs.FilterMessage("watching files again").Len())
		at()
		require.NoError(t, os.WriteFile(file, []byte("1"), 0o600))
		time.Sleep(5 * time.Second)
		assert.Empty(t, at(), "no longer polled")
	})
}

// A link may not lead in circles for ever.
func TestFollowLinkLoop(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("b", filepath.Join(dir, "a")))
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "b")))
	in := &interests{dirs: map[string]*interest{}}
	_, ok := in.follow(filepath.Join(dir, "a", "x"))
	assert.False(t, ok)
}
