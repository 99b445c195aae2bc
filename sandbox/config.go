package sandbox

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmstore"
)

// Config is how one component uses a module. Zero fields have defaults.
type Config struct {
	Component string // for errors, logs, metrics

	Settings

	// Host is what only code can give: bound stores, secrets, metrics, a sink for
	// log lines. Component and what Settings say are filled in; Log too, if nil.
	Host   hostfuncs.Config
	Logger *slog.Logger // nil = none
	Closed func()       // called once, after the store is closed; nil = nobody listens

	step func(name string, apart bool) // see engine.Config.Step; nil but in tests
}

const (
	defaultMemory    = 64 << 20
	defaultInstances = 8
	defaultTimeout   = 5 * time.Second
	defaultTrim      = time.Minute
	setupTimeout     = 5 * time.Second
	idleOps          = 1024    // operations between runs of ws_idle
	idleBytes        = 1 << 20 // bytes moved between runs of ws_idle
	maxInstances     = 1024
	pageBytes        = 64 << 10
)

// engineConfig says how the engine runs the module for one component, and what
// is wrong with that.
func (mod *Module) engineConfig(cfg *Config) (engine.Config, []string) {
	var wrong []string
	ec := engine.Config{
		Component:    cfg.Component,
		Ops:          wasmstore.Exports(),
		Required:     wasmstore.Required(mod.features),
		Open:         wasmstore.OpOpen,
		Idle:         wasmstore.OpIdle,
		Close:        wasmstore.OpClose,
		Stateful:     mod.manifest.State == "instance",
		MaxOps:       cfg.MaxOps,
		Timeout:      orDefault(cfg.Timeout, defaultTimeout),
		MaxWait:      cfg.MaxWait,
		SetupTimeout: setupTimeout,
		IdleTimeout:  orDefault(cfg.Timeout, defaultTimeout),
		IdleTrim:     max(orDefault(cfg.IdleAfter, defaultTrim), 0),
		IdleOps:      idleOps,
		IdleBytes:    idleBytes,
		Step:         cfg.step,
	}
	mode := orDefault(cfg.Concurrency, mod.manifest.Mode)
	// What the module wishes for itself is never more than the default.
	ec.Instances = orDefault(cfg.Instances, min(orDefault(mod.manifest.MaxInstances, defaultInstances), defaultInstances))
	if ec.Instances < 1 || ec.Instances > maxInstances {
		wrong = append(wrong, fmt.Sprintf("instances is %d and must be between 1 and %d", ec.Instances, maxInstances))
	}
	switch mode {
	case "single":
		ec.Mode, ec.Instances = engine.ModeSingle, 1
	case "pool":
		ec.Mode = engine.ModePool
		if ec.Stateful && ec.Instances > 1 {
			wrong = append(wrong, `it keeps its state in the instance, so that it can run in concurrency mode single or sharded but not in a pool`)
		}
	case "sharded":
		ec.Mode = engine.ModeSharded
	default:
		wrong = append(wrong, fmt.Sprintf("concurrency mode %q is none of single, pool and sharded", mode))
	}
	shards := 1
	if ec.Mode == engine.ModeSharded {
		shards = ec.Instances
	}
	wrong = append(wrong, wasmstore.Check(mod.features, shards)...)

	memory := orDefault(cfg.Memory, min(orDefault(mod.manifest.Memory, defaultMemory), defaultMemory))
	if memory < pageBytes || memory > 4<<30 {
		wrong = append(wrong, fmt.Sprintf("memory is %d bytes and must be between 64 KiB and 4 GiB", memory))
	}
	ec.Memory = min(uint64(memory)/pageBytes*pageBytes, 4<<30-pageBytes)
	if most := cfg.Memory * int64(ec.Instances); cfg.Memory > 0 && most > mod.sandbox.budget.Limit()/4 {
		ec.MemoryShare = most
	}
	ec.MemoryRetire = uint64(max(cfg.MemoryRetire, 0))

	meter := orDefault(cfg.Meter, MeterFuel)
	if cfg.Debug {
		meter = MeterNone
	}
	code, err := mod.code(meter, cfg.Debug)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	ec.Code = code
	return ec, wrong
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// grant turns what the settings grant into what the host offers.
func (cfg *Config) grant() {
	h := &cfg.Host
	h.Component = cfg.Component
	if h.Log == nil && cfg.Logger != nil {
		h.Log = logTo(cfg.Logger)
	}
	if h.LogEnabled == nil {
		h.LogEnabled = logEnabled(cfg.LogLevel)
	}
	h.HTTP, h.TCP = slices.Concat(h.HTTP, cfg.HTTP), slices.Concat(h.TCP, cfg.TCP)
	h.Networks = slices.Concat(h.Networks, cfg.Networks)
	if h.Config == nil {
		h.Config = cfg.Settings.Config
	}
	h.LogRate = orDefault(cfg.LogRate, h.LogRate)
	h.ClockResolution = orDefault(cfg.ClockResolution, h.ClockResolution)
	h.Seed = orDefault(cfg.RandomSeed, h.Seed)
	h.MaxCalls = orDefault(cfg.MaxHostCalls, h.MaxCalls)
	h.MaxBytes = orDefault(cfg.MaxHostBytes, h.MaxBytes)
}
