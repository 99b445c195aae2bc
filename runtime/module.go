package runtime

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/runtime/internal/engine"
	"github.com/wasmstate/wasmstate/runtime/internal/wasmbin"
	"github.com/wasmstate/wasmstate/runtime/internal/wasmstore"
)

// Meter says how a guest is kept from running for ever.
type Meter string

// The meters. MeterFuel is what production wants; the others exist to compare
// and to debug.
const (
	MeterFuel   Meter = "fuel"   // the module is rewritten to count; the default
	MeterWazero Meter = "wazero" // wazero's own check: slow, and blind to recursion without loops
	MeterNone   Meter = "none"   // nothing: an endless loop freezes the process. For development only
)

// ModulesConfig configures [NewModules]. The zero value is ready.
type ModulesConfig struct {
	CacheDir       string        // compiled code, kept with mode 0700; empty = in memory only
	CacheBytes     int64         // bound of CacheDir in bytes; 0 = 512 MiB
	MemoryBudget   int64         // linear memory of all guests together in bytes; 0 = 4 GiB, < 0 = no bound
	CompileTimeout time.Duration // 0 = 60 s
	// Limits overrides what a module may be made of, by name; nil = the
	// defaults. NewModules names the ones there are if a name is wrong.
	Limits map[string]int64
	Logger *zap.Logger // nil = none
}

// Modules is what all wasm stores of a process share: compiled code and the
// memory budget. Safe for concurrent use. Close it after the last store.
type Modules struct {
	cfg    ModulesConfig
	cache  *engine.Cache
	budget *engine.Budget
	limits wasmbin.Limits
}

// NewModules opens the compile cache.
func NewModules(cfg ModulesConfig) (*Modules, error) {
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 512 << 20
	}
	if cfg.MemoryBudget == 0 {
		cfg.MemoryBudget = 4 << 30
	}
	if cfg.CompileTimeout == 0 {
		cfg.CompileTimeout = time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	limits := wasmbin.DefaultLimits()
	if err := limits.Set(cfg.Limits); err != nil {
		return nil, fmt.Errorf("module limits: %w", err)
	}
	cache, err := engine.OpenCache(engine.CacheConfig{Dir: cfg.CacheDir, MaxBytes: cfg.CacheBytes, Timeout: cfg.CompileTimeout})
	if err != nil {
		return nil, err
	}
	return &Modules{cfg: cfg, cache: cache, budget: engine.NewBudget(cfg.MemoryBudget), limits: limits}, nil
}

// limitsWith are the limits with some of them overridden.
func (m *Modules) limitsWith(over map[string]int64) (wasmbin.Limits, error) {
	limits := m.limits
	return limits, limits.Set(over)
}

// MemoryUsed is the linear memory of all guests together, in bytes.
func (m *Modules) MemoryUsed() int64 { return m.budget.Used() }

// Close releases compiled code. Every store must be closed before; otherwise
// the error says how many modules are still in use.
func (m *Modules) Close() error { return m.cache.Close() }

// ModuleConfig is how one component uses a module. Zero fields have defaults.
type ModuleConfig struct {
	Component string // for errors, logs, metrics

	Memory       int64         // cap of one instance in bytes; 0 = the manifest's wish, else 64 MiB
	MemoryRetire int64         // replace an instance that is larger after an operation; 0 = never
	Timeout      time.Duration // for one operation, on top of the caller's context; 0 = 5 s
	MaxWait      time.Duration // for a free instance; 0 = as long as the caller's context
	Concurrency  string        // single, pool or sharded; empty = the manifest's
	Instances    int           // at most; 0 = the manifest's wish, else 8. Always 1 in mode single
	Meter        Meter         // empty = fuel
	MaxOps       int64         // operations after which an instance is replaced; 0 = never
	IdleTrim     time.Duration // idle instances beyond the first go after this time; 0 = 1 min, < 0 = never
	Debug        bool          // meter none, line numbers in traps. For development only
	// Limits overrides what the module may be made of, by name; see ModulesConfig.
	Limits map[string]int64

	Host   hostfuncs.Config // what the guest may call; Component, and Log if nil, are filled in
	Logger *zap.Logger      // nil = none
}

// Open checks, compiles and links a module and returns a store that is not yet
// initialised. It runs no guest code. Every refusal is one *GuestError of kind
// load that lists everything that is wrong. ctx bounds compiling.
//
// The store's Features are authoritative: it has the methods of every optional
// interface of abi, and those that the module does not offer return
// abi.ErrUnsupported. Close it even if Init failed or was never called.
func (m *Modules) Open(ctx context.Context, wasm []byte, cfg ModuleConfig) (abi.Store, error) {
	mod, ec, err := m.prepare(wasm, &cfg)
	if err != nil {
		return nil, err
	}
	log := cfg.Logger
	if log == nil {
		log = zap.NewNop()
	}
	ec.Cache, ec.Budget, ec.Observer = m.cache, m.budget, &moduleObserver{log: log, stateful: ec.Stateful}
	g, err := engine.Load(ctx, ec)
	if err != nil {
		return nil, err
	}
	return &moduleStore{
		Store: wasmstore.New(guest{g}, wasmstore.Config{
			Features: mod.features, MaxTransactionOps: mod.manifest.MaxTransactionOps, Redact: ec.Host.Redact,
		}),
		guest: g,
	}, nil
}

// CheckModule tells what Open would refuse, without compiling: the module, its
// manifest, its imports against what cfg grants, and cfg itself. An error is a
// *GuestError of kind load.
func (m *Modules) CheckModule(wasm []byte, cfg ModuleConfig) error {
	_, ec, err := m.prepare(wasm, &cfg)
	if err != nil {
		return err
	}
	return ec.Host.Close()
}

// prepare does everything up to compiling. The caller closes the host of the
// configuration.
func (m *Modules) prepare(wasm []byte, cfg *ModuleConfig) (*wasmModule, engine.Config, error) {
	cfg.Host.Component = cfg.Component
	if cfg.Host.Log == nil && cfg.Logger != nil {
		cfg.Host.Log = logTo(cfg.Logger)
	}
	mod, err := m.read(cfg.Component, wasm, cfg.Limits)
	if err != nil {
		return nil, engine.Config{}, err
	}
	for _, c := range mod.manifest.Capabilities {
		if c.Optional {
			cfg.Host.Optional = append(cfg.Host.Optional, "wasmstate_"+c.Name)
		}
	}
	ec, wrong := mod.engineConfig(cfg)
	host, err := hostfuncs.New(cfg.Host)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	wrong = append(wrong, mod.checkExports(&ec)...)
	if host != nil {
		wrong = append(wrong, mod.checkImports(host)...)
	}
	if len(wrong) > 0 {
		if host != nil {
			_ = host.Close()
		}
		return nil, ec, refusal(cfg.Component, strings.Join(wrong, "; "))
	}
	ec.Host = host
	return mod, ec, nil
}

// moduleStore is a store whose guest can be looked at.
type moduleStore struct {
	*wasmstore.Store
	guest *engine.Guest
}

// Instances is how many instances of the module there are at the moment.
func (s *moduleStore) Instances() int { return s.guest.Stats().Instances }

// GuestStats is a snapshot of the counters of a wasm store.
type GuestStats = engine.Stats

// GuestStatsOf returns the counters of a store that Open made; false for any
// other store.
func GuestStatsOf(s abi.Store) (GuestStats, bool) {
	m, ok := s.(*moduleStore)
	if !ok {
		return GuestStats{}, false
	}
	return m.guest.Stats(), true
}
