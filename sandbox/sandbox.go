package sandbox

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// Options configure [New]. The zero value is ready.
type Options struct {
	CacheDir       string        // compiled code, kept with mode 0700; empty = in memory only
	CacheBytes     int64         // bound of CacheDir in bytes; 0 = 512 MiB
	MemoryBudget   int64         // linear memory of all guests together in bytes; 0 = 4 GiB, < 0 = no bound
	CompileTimeout time.Duration // of one module, without waiting for others; 0 = 60 s, < 0 = none
	// CompileMemory bounds what all compilations in progress take together, in
	// bytes as estimated (see the limit compileMemory, which bounds one module):
	// others wait. 0 = 400 MiB, < 0 = no bound.
	CompileMemory int64
	// Limits overrides what a module may be made of, by name; nil = the
	// defaults. New names the ones there are if a name is wrong.
	Limits map[string]int64
}

// Sandbox is what all wasm stores of a process share: compiled code and the
// memory budget. Safe for concurrent use. Close it after the last store.
type Sandbox struct {
	cache  *engine.Cache
	budget *engine.Budget
	limits wasmbin.Limits

	mu       sync.Mutex
	refusals map[refusalKey]error // of modules that Parse refused
}

// refusalKey is what a refusal of Parse follows from.
type refusalKey struct {
	module [sha256.Size]byte
	limits wasmbin.Limits
}

// maxRefusals bounds the refusals that are remembered.
const maxRefusals = 256

// New opens the compile cache. It fails if the cache folder cannot be used or
// a limit has an unknown name.
func New(o Options) (*Sandbox, error) {
	limits := wasmbin.DefaultLimits()
	if err := limits.Set(o.Limits); err != nil {
		return nil, fmt.Errorf("module limits: %w", err)
	}
	cache, err := engine.OpenCache(engine.CacheConfig{
		Dir: o.CacheDir, MaxBytes: orDefault(o.CacheBytes, 512<<20), Timeout: orDefault(o.CompileTimeout, time.Minute),
		Memory: orDefault(o.CompileMemory, 400<<20),
	})
	if err != nil {
		return nil, err
	}
	return &Sandbox{cache: cache, budget: engine.NewBudget(orDefault(o.MemoryBudget, 4<<30)), limits: limits, refusals: map[refusalKey]error{}}, nil
}

// MemoryUsed is the linear memory of all guests together, in bytes.
func (s *Sandbox) MemoryUsed() int64 { return s.budget.Used() }

// Close releases compiled code. Every store must be closed before; otherwise
// the error says how many modules are still in use.
func (s *Sandbox) Close() error { return s.cache.Close() }

// Open is [Sandbox.Parse] and [Module.Open] in one: the module's bytes to a
// store that is not yet initialised.
func (s *Sandbox) Open(ctx context.Context, wasm []byte, cfg Config) (abi.Store, error) {
	m, err := s.parse(cfg.Component, wasm, cfg.Limits)
	if err != nil {
		return nil, err
	}
	return m.Open(ctx, cfg)
}

// Inspect tells of a module what can be told without running or compiling it.
// An error is a [*abi.Fault] of kind load.
func (s *Sandbox) Inspect(wasm []byte) (*Info, error) {
	m, err := s.Parse(wasm, nil)
	if err != nil {
		return nil, err
	}
	return m.Info(), nil
}
