package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// features is what a module may use: WebAssembly 2.0 with tail calls and
// extended constants. Threads and exception handling stay off on purpose.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// CacheConfig configures [OpenCache].
type CacheConfig struct {
	Dir      string        // where machine code is kept; empty = in memory only
	MaxBytes int64         // bound of Dir in bytes; <= 0 = no bound
	Timeout  time.Duration // for one compilation; <= 0 = none but the caller's context
}

// Cache compiles modules and keeps the machine code, keyed by content: in
// memory while a guest uses it, on disk until the space is needed. Each content
// is compiled once at a time. Safe for concurrent use.
//
// Whoever can write to the directory can run native code in the process:
// OpenCache creates it for its owner alone and refuses one that others can
// write to.
type Cache struct {
	cfg CacheConfig

	mu      sync.Mutex // guards entries and the refs in them
	entries map[cacheKey]*cacheEntry
	closed  bool
}

type cacheKey [sha256.Size]byte

// cacheEntry is the machine code of one module. Its wazero cache lives as long
// as a guest refers to it.
type cacheEntry struct {
	key  cacheKey
	refs int
	turn chan struct{} // holds one token: the right to compile

	code wazero.CompilationCache // set by whoever first has the turn
}

// OpenCache opens or creates the cache.
func OpenCache(cfg CacheConfig) (*Cache, error) {
	c := &Cache{cfg: cfg, entries: map[cacheKey]*cacheEntry{}}
	if cfg.Dir == "" {
		return c, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create compile cache: %w", err)
	}
	info, err := os.Stat(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open compile cache: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("open compile cache: %s can be written to by others (mode %#o) and holds native code: chmod 700 it or name another folder",
			cfg.Dir, info.Mode().Perm())
	}
	return c, nil
}

// Close forgets what is in memory. Guests must be closed before.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if n := len(c.entries); n > 0 {
		return fmt.Errorf("close compile cache: %d modules are still in use", n)
	}
	return nil
}

// acquire returns the entry of key with one more reference.
func (c *Cache) acquire(key cacheKey) (*cacheEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("compile cache is closed")
	}
	e := c.entries[key]
	if e == nil {
		e = &cacheEntry{key: key, turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		c.entries[key] = e
	}
	e.refs++
	return e, nil
}

func (c *Cache) release(e *cacheEntry) {
	c.mu.Lock()
	e.refs--
	last := e.refs == 0
	if last {
		delete(c.entries, e.key)
	}
	c.mu.Unlock()
	if last && e.code != nil {
		_ = e.code.Close(context.Background())
	}
}

// program is a module compiled for one guest, in the guest's own runtime.
type program struct {
	cache   *Cache
	entry   *cacheEntry
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

// compile compiles code in a fresh runtime. The same code is compiled once:
// later callers wait for the first and take its machine code.
func (c *Cache) compile(ctx context.Context, code *Code, closeOnDone bool) (*program, error) {
	if c.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.cfg.Timeout, fmt.Errorf("compiling took longer than %v", c.cfg.Timeout))
		defer cancel()
	}
	h := sha256.New()
	fmt.Fprintf(h, "%t\n", closeOnDone)
	h.Write(code.Bytes)
	e, err := c.acquire(cacheKey(h.Sum(nil)))
	if err != nil {
		return nil, err
	}
	p, err := c.compileEntry(ctx, e, code, closeOnDone)
	if err != nil {
		c.release(e)
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	return p, nil
}

func (c *Cache) compileEntry(ctx context.Context, e *cacheEntry, code *Code, closeOnDone bool) (*program, error) {
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	fresh := e.code == nil
	if fresh {
		e.code = c.open(e)
	}
	p, err := compileIn(ctx, e.code, code, closeOnDone)
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
			p, err = compileIn(ctx, e.code, code, closeOnDone)
		}
	}
	if err != nil {
		if fresh {
			_ = e.code.Close(ctx)
			e.code = nil
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

// dir is the entry's own folder, so that eviction can tell entries apart.
func (c *Cache) dir(e *cacheEntry) string {
	return filepath.Join(c.cfg.Dir, hex.EncodeToString(e.key[:16]))
}

func (c *Cache) open(e *cacheEntry) wazero.CompilationCache {
	if c.cfg.Dir != "" {
		if code, err := wazero.NewCompilationCacheWithDir(c.dir(e)); err == nil {
			return code
		}
	}
	return openInMemory(e)
}

func openInMemory(*cacheEntry) wazero.CompilationCache { return wazero.NewCompilationCache() }

func compileIn(ctx context.Context, code wazero.CompilationCache, in *Code, closeOnDone bool) (p *program, err error) {
	defer func() { // of wazero's reader; its compiling workers are out of reach
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("wazero failed: %v", r)
		}
	}()
	cfg := wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithCompilationCache(code).
		WithCloseOnContextDone(closeOnDone).
		WithDebugInfoEnabled(in.Debug)
	r := wazero.NewRuntimeWithConfig(ctx, cfg)
	// wazero looks at the context between functions only with several workers.
	m, err := r.CompileModule(experimental.WithCompilationWorkers(ctx, max(2, runtime.GOMAXPROCS(0))), in.Bytes)
	if err != nil {
		_ = r.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return &program{runtime: r, module: m}, nil
}

// close releases the runtime and the reference to the machine code.
func (p *program) close() error {
	ctx := context.Background()
	err := errors.Join(p.module.Close(ctx), p.runtime.Close(ctx))
	p.cache.release(p.entry)
	return err
}
