package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

const (
	// fewestWorkers of wazero: with one alone it does not look at the context
	// between functions.
	fewestWorkers = 2
	// spareMemory is what more workers may take, in bytes.
	spareMemory = 64 << 20
	// closeWait bounds how long Close waits for compilations that were given
	// up: each ends with the function that it is at.
	closeWait = 10 * time.Second
	// retryAfter is when a module is compiled again after a failure that may be
	// due to the machine.
	retryAfter = 10 * time.Minute
	// maxRefusals bounds what is remembered of modules that failed.
	maxRefusals = 256
)

// program is a module compiled for one guest, in the guest's own runtime.
type program struct {
	cache   *Cache
	entry   *cacheEntry
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

// close releases the runtime and the reference to the machine code.
func (p *program) close() error {
	ctx := context.Background()
	err := errors.Join(p.module.Close(ctx), p.runtime.Close(ctx))
	p.cache.release(p.entry)
	return err
}

// refused is a failure that is remembered.
type refused struct {
	err   error
	until time.Time // zero = as long as there is room
}

// passingError is a failure that may not happen again.
type passingError struct{ error }

func (e passingError) Unwrap() error { return e.error }

// compile compiles code in a fresh runtime. The same code is compiled once:
// later callers wait for the first and take its machine code.
//
// wazero cannot be stopped inside a function. So that nobody waits for it, a
// goroutine compiles:
//
//	caller   ──start──▶ compiling: waits for its turn and for memory, compiles
//	   │◀────done────── and hands over what it made,
//	   └─────left─────▶ or, if the caller is gone, throws it away at the end
func (c *Cache) compile(ctx context.Context, code *Code, closeOnDone bool) (*program, error) {
	key := keyOf(code, closeOnDone)
	e, err := c.acquire(key)
	if err != nil {
		return nil, err
	}
	type result struct {
		p   *program
		err error
	}
	done, left := make(chan result), make(chan struct{})
	go func() {
		defer c.running.Done()
		// A caller that leaves, and Close, end it at the next function.
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(c.ctx, func() { cancel(errClosed) })()
		var r result
		r.p, r.err = c.compileEntry(ctx, e, code, closeOnDone)
		if r.err != nil {
			c.remember(ctx, key, r.err)
			c.release(e)
		}
		select {
		case done <- r:
		case <-left:
			if r.p != nil {
				_ = r.p.close()
			}
		}
	}()
	select {
	case r := <-done:
		return r.p, r.err
	case <-ctx.Done():
		close(left)
		return nil, context.Cause(ctx)
	}
}

// compileEntry waits for the turn of an entry and compiles it.
func (c *Cache) compileEntry(ctx context.Context, e *cacheEntry, code *Code, closeOnDone bool) (*program, error) {
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	fresh := e.code == nil
	workers := fewestWorkers
	if fresh {
		if err := c.refusal(e.key); err != nil {
			return nil, err
		}
		var n int64
		workers, n = plan(code, c.cfg.Memory)
		if c.cfg.Memory > 0 {
			if n > c.cfg.Memory {
				return nil, fmt.Errorf("compiling it takes about %d MiB of memory, and all compilations together may take %d MiB: allow them more, or make the module smaller",
					n>>20, c.cfg.Memory>>20)
			}
			if err := c.room.take(ctx, n); err != nil {
				return nil, err
			}
			defer c.room.give(n)
		}
		e.code = c.open(e)
	}
	if c.cfg.Timeout > 0 { // from here on: the wait for others is the caller's
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.cfg.Timeout, passingError{fmt.Errorf("compiling took longer than %v", c.cfg.Timeout)})
		defer cancel()
	}
	p, err := c.build(ctx, e.code, code, workers, closeOnDone)
	if fresh && c.cfg.Dir != "" {
		// Perhaps the file is damaged, or the disk is full: neither is a reason
		// not to run the module. A bad module fails again, and fast.
		for _, open := range []func(*cacheEntry) wazero.CompilationCache{c.open, openInMemory} {
			if err == nil || ctx.Err() != nil {
				break
			}
			_ = e.code.Close(ctx)
			_ = os.RemoveAll(c.dir(e))
			e.code = open(e)
			p, err = c.build(ctx, e.code, code, workers, closeOnDone)
		}
	}
	if err != nil {
		if fresh {
			_ = e.code.Close(ctx)
			e.code = nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	p.cache, p.entry = c, e
	if fresh && c.cfg.Dir != "" {
		now := time.Now()
		_ = os.Chtimes(c.dir(e), now, now)
		c.evict()
	}
	return p, nil
}

// plan is how many workers compile code and how many bytes that takes: as many
// as there are processors, if they take little.
func plan(code *Code, most int64) (workers int, memory int64) {
	workers, memory = fewestWorkers, code.Memory
	for workers < runtime.GOMAXPROCS(0) {
		more := memory + code.WorkerMemory
		if more > code.Memory+spareMemory || (most > 0 && more > most) {
			break
		}
		workers, memory = workers+1, more
	}
	return workers, memory
}

func compileIn(ctx context.Context, code wazero.CompilationCache, in *Code, workers int, closeOnDone bool) (p *program, err error) {
	defer func() { // of wazero's reader; its compiling workers are out of reach
		if r := recover(); r != nil {
			p, err = nil, passingError{fmt.Errorf("wazero failed: %v", r)}
		}
	}()
	cfg := wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithCompilationCache(code).
		WithCloseOnContextDone(closeOnDone).
		WithDebugInfoEnabled(in.Debug)
	r := wazero.NewRuntimeWithConfig(ctx, cfg)
	m, err := r.CompileModule(experimental.WithCompilationWorkers(ctx, workers), in.Bytes)
	if err != nil {
		_ = r.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return &program{runtime: r, module: m}, nil
}

// remember notes that a module failed, unless that was because nobody wanted it
// any more: whoever tries it again and again must not burn processor time with
// it each time.
func (c *Cache) remember(ctx context.Context, key cacheKey, err error) {
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := refused{err: err}
	if errors.As(err, &passingError{}) {
		r.until = time.Now().Add(retryAfter)
	}
	if len(c.refusals) >= maxRefusals {
		for k := range c.refusals { // any will do
			delete(c.refusals, k)
			break
		}
	}
	c.refusals[key] = r
}

// refusal is why a module failed before, or nil.
func (c *Cache) refusal(key cacheKey) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.refusals[key]
	if !ok || (!r.until.IsZero() && time.Now().After(r.until)) {
		return nil
	}
	return r.err
}
