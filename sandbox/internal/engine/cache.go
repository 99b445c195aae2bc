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
	Timeout  time.Duration // for one compilation, without waiting for others; <= 0 = none but the caller's context
	// Memory bounds the estimated bytes that all compilations in progress take
	// together: who would be over it waits, and a module that is over it alone
	// is refused. <= 0 = no bound.
	Memory int64
}

// Cache compiles modules and keeps the machine code, keyed by content: in
// memory while a guest uses it, on disk until the space is needed. Each content
// is compiled once at a time. Safe for concurrent use.
//
// Whoever can write to the directory can run native code in the process:
// OpenCache creates it for its owner alone and refuses one that others can
// write to.
type Cache struct {
	cfg     CacheConfig
	build   func(ctx context.Context, code wazero.CompilationCache, in *Code, workers int, closeOnDone bool) (*program, error) // compileIn
	room    room
	running sync.WaitGroup // compilations in progress, also those that were given up
	ctx     context.Context
	cancel  context.CancelFunc // by Close

	mu       sync.Mutex // guards what follows, and the refs in entries
	entries  map[cacheKey]*cacheEntry
	refusals map[cacheKey]refused
	closed   bool
}

var errClosed = errors.New("compile cache is closed")

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
	c := &Cache{cfg: cfg, build: compileIn, room: room{size: cfg.Memory}, entries: map[cacheKey]*cacheEntry{}, refusals: map[cacheKey]refused{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
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

// Close forgets what is in memory. Guests must be closed before. Compilations
// in progress are given up; Close waits at most ten seconds for them to end.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	ended := make(chan struct{})
	go func() {
		c.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeWait):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.entries); n > 0 {
		return fmt.Errorf("close compile cache: %d modules are still in use", n)
	}
	return nil
}

// acquire returns the entry of key with one more reference, and notes a
// compilation that runs.
func (c *Cache) acquire(key cacheKey) (*cacheEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	e := c.entries[key]
	if e == nil {
		e = &cacheEntry{key: key, turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		c.entries[key] = e
	}
	e.refs++
	c.running.Add(1) // under mu: none is added while Close waits
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

// keyOf is the key of code.
func keyOf(code *Code, closeOnDone bool) cacheKey {
	h := sha256.New()
	fmt.Fprintf(h, "%t\n", closeOnDone)
	h.Write(code.Bytes)
	return cacheKey(h.Sum(nil))
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
