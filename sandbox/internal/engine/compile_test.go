package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
)

// fakeBuild is a compiler that fails in a way that the test decides.
type fakeBuild struct {
	begun   atomic.Int32
	proceed chan struct{} // closed or sent to: it ends; nil = at once
	err     error
}

func (f *fakeBuild) build(ctx context.Context, _ wazero.CompilationCache, _ *Code, _ int, _ bool) (*program, error) {
	f.begun.Add(1)
	if f.proceed != nil {
		<-f.proceed // like wazero within a function, it does not look at ctx
	}
	if f.err == nil {
		return nil, ctx.Err()
	}
	return nil, f.err
}

func fakeCache(t *testing.T, cfg CacheConfig, f *fakeBuild) *Cache {
	t.Helper()
	c, err := OpenCache(cfg)
	require.NoError(t, err)
	c.build = f.build
	return c
}

var errBad = errors.New("bad module")

// TestCallerIsReleasedDuringACompilation: whoever waits for a module is let go
// at once, and Close waits for what still runs, but not for ever.
func TestCallerIsReleasedDuringACompilation(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeBuild{proceed: make(chan struct{})}
			c := fakeCache(t, CacheConfig{}, f)
			ctx, cancel := context.WithCancel(t.Context())
			var err error
			var wg sync.WaitGroup
			wg.Go(func() { _, err = c.compile(ctx, &Code{}, false) })
			synctest.Wait()
			require.EqualValues(t, 1, f.begun.Load())
			cancel()
			wg.Wait()
			require.ErrorIs(t, err, context.Canceled)
			if stuck {
				require.ErrorContains(t, c.Close(), "1 modules are still in use")
				close(f.proceed)
				return
			}
			closed := make(chan error, 1)
			go func() { closed <- c.Close() }()
			synctest.Wait()
			require.Empty(t, closed, "it waits")
			close(f.proceed)
			require.NoError(t, <-closed)
			_, err = c.compile(t.Context(), &Code{}, false)
			require.ErrorContains(t, err, "closed")
		})
	}
}

// TestCloseEndsCompilations: a caller with no deadline is told that the cache
// was closed.
func TestCloseEndsCompilations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBuild{proceed: make(chan struct{})}
		c := fakeCache(t, CacheConfig{}, f)
		failed := make(chan error, 1)
		go func() {
			_, err := c.compile(context.Background(), &Code{}, false)
			failed <- err
		}()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- c.Close() }()
		synctest.Wait()
		close(f.proceed)
		require.ErrorContains(t, <-failed, "closed")
		require.NoError(t, <-closed)
	})
}

// TestCompilationsShareMemory: what does not fit beside others waits for them,
// with the time of its caller, and what can never fit is refused.
func TestCompilationsShareMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBuild{proceed: make(chan struct{}), err: errBad}
		c := fakeCache(t, CacheConfig{Memory: 100 << 20, Timeout: time.Minute}, f)
		code := func(name string, mib int64) *Code {
			return &Code{Bytes: []byte(name), Memory: mib << 20, WorkerMemory: 1 << 40}
		}
		_, err := c.compile(t.Context(), code("huge", 101), false)
		require.ErrorContains(t, err, "about 101 MiB of memory, and all compilations together may take 100 MiB")
		require.Zero(t, f.begun.Load())
		var wg sync.WaitGroup
		compile := func(ctx context.Context, name string, mib int64) {
			wg.Go(func() { _, _ = c.compile(ctx, code(name, mib), false) })
			synctest.Wait()
		}
		compile(t.Context(), "a", 60)
		ctx, cancel := context.WithCancel(t.Context())
		compile(ctx, "b", 50)
		compile(t.Context(), "c", 40) // behind b, though it would fit
		require.EqualValues(t, 1, f.begun.Load())
		time.Sleep(time.Hour)
		synctest.Wait()
		require.EqualValues(t, 1, f.begun.Load(), "the time limit does not count the wait")
		cancel()
		synctest.Wait()
		require.EqualValues(t, 2, f.begun.Load(), "c takes the place of b")
		compile(t.Context(), "d", 100)
		f.proceed <- struct{}{}
		synctest.Wait()
		require.EqualValues(t, 2, f.begun.Load())
		f.proceed <- struct{}{}
		synctest.Wait()
		require.EqualValues(t, 3, f.begun.Load())
		close(f.proceed)
		wg.Wait()
		require.NoError(t, c.Close())
		require.Zero(t, c.room.used)
	})
}

// TestFailureIsRemembered: a bad module is compiled once; what may have been
// the machine's fault, again after a while.
func TestFailureIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBuild{err: errBad}
		c := fakeCache(t, CacheConfig{}, f)
		for range 3 {
			_, err := c.compile(t.Context(), &Code{Bytes: []byte("bad")}, false)
			require.ErrorIs(t, err, errBad)
		}
		require.EqualValues(t, 1, f.begun.Load())
		f.err = passingError{errBad}
		for range 3 {
			_, err := c.compile(t.Context(), &Code{Bytes: []byte("slow")}, false)
			require.ErrorIs(t, err, errBad)
		}
		require.EqualValues(t, 2, f.begun.Load())
		time.Sleep(retryAfter + time.Second)
		_, err := c.compile(t.Context(), &Code{Bytes: []byte("slow")}, false)
		require.ErrorIs(t, err, errBad)
		require.EqualValues(t, 3, f.begun.Load())
		for i := range 2 * maxRefusals {
			_, err := c.compile(t.Context(), &Code{Bytes: []byte{byte(i), byte(i >> 8)}}, false)
			require.ErrorIs(t, err, errBad)
		}
		require.Len(t, c.refusals, maxRefusals)

		// A caller that left says nothing about the module.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.compile(ctx, &Code{Bytes: []byte("left")}, false)
		require.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		require.NotContains(t, c.refusals, keyOf(&Code{Bytes: []byte("left")}, false))
		require.NoError(t, c.Close())
	})
}

// TestPlan: more workers than two only for memory that does not matter.
func TestPlan(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, tc := range []struct {
		memory, each, most int64
		workers            int
	}{
		{100 << 20, 50 << 20, 0, 3},
		{100 << 20, 1 << 20, 0, 8},
		{100 << 20, 1 << 20, 103 << 20, 5},
		{100 << 20, 65 << 20, 0, 2},
		{100 << 20, 1, 50 << 20, 2}, // refused by who asked
	} {
		workers, n := plan(&Code{Memory: tc.memory, WorkerMemory: tc.each}, tc.most)
		require.Equal(t, tc.workers, workers)
		require.Equal(t, tc.memory+int64(workers-2)*tc.each, n)
	}
}
