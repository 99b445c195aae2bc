package runtime

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
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
	Limits         ModuleLimits  // what a module may be made of
	Logger         *zap.Logger   // nil = none
}

// ModuleLimits bounds what a module may be made of before it is compiled. Zero
// fields have the defaults of the project.
type ModuleLimits struct {
	FileBytes int // size of the .wasm; 0 = 16 MiB
}

// Modules is what all wasm stores of a process share: compiled code and the
// memory budget. Safe for concurrent use. Close it after the last store.
type Modules struct {
	cfg ModulesConfig
}

// NewModules opens the compile cache.
func NewModules(cfg ModulesConfig) (*Modules, error) { return &Modules{cfg: cfg}, nil }

// Close releases compiled code. Every store must be closed before.
func (m *Modules) Close() error { return nil }

// ModuleConfig is how one component uses a module. Zero fields have defaults.
type ModuleConfig struct {
	Component string // for errors, logs, metrics

	Memory    int64         // cap of one instance in bytes; 0 = the manifest's wish, else 64 MiB
	Timeout   time.Duration // for one operation, on top of the caller's context; 0 = 5 s
	Instances int           // at most; 0 = the manifest's wish, else 8. Ignored in mode single
	Meter     Meter         // empty = fuel
	MaxOps    int64         // operations after which an instance is replaced; 0 = never
	IdleTrim  time.Duration // idle instances beyond the first go after this time; 0 = 1 min
	Debug     bool          // meter none, line numbers kept in traps

	Host   hostfuncs.Config // what the guest may call
	Logger *zap.Logger      // nil = none
}

// Open checks, compiles and links a module and returns a store that is not yet
// initialised. It runs no guest code. Every refusal is one *GuestError of kind
// load that lists everything that is wrong. ctx bounds compiling.
//
// The store's Features are authoritative: it has the methods of every optional
// interface of abi, and those that the module does not offer return
// abi.ErrUnsupported.
func (m *Modules) Open(ctx context.Context, wasm []byte, cfg ModuleConfig) (abi.Store, error) {
	return nil, errors.New("not there yet")
}

// ModuleInfo is what can be told of a module without running it.
type ModuleInfo struct {
	Name, Version, Description string
	Type                       string // the store type it registers: "state." + Name
	Digest                     string // "sha256:…" of the file
	Size                       int    // of the file in bytes
	Features                   abi.Features
	Concurrency                string // single, pool or sharded
	MaxInstances               int    // the module's wish; 0 = none
	State                      string // where state lives: none, instance or host
	Schema                     []byte // JSON Schema of its metadata; nil = none
	Capabilities               []ModuleCapability
	Memory                     int64 // its wish in bytes; 0 = none
	MaxTransactionOps          int   // 0 = no bound
	License, Source            string
	Exports, Imports           []string // "name (i32) -> i64", "module.name (i32) -> ()"
	MemoryPages, MemoryMax     uint32   // declared minimum and maximum in 64 KiB pages; max 0 = none declared
	Score                      string   // the measure of work that the limits are checked against, for people
}

// ModuleCapability is one wish of a module.
type ModuleCapability struct {
	Name, Reason string
	Optional     bool
}

// InspectModule reads a module without running or compiling it. An error is a
// *GuestError of kind load.
func (m *Modules) InspectModule(wasm []byte) (*ModuleInfo, error) {
	return nil, errors.New("not there yet")
}

// PackModule validates manifest (JSON), embeds it in wasm, strips debug
// sections and returns the new module.
func (m *Modules) PackModule(wasm, manifest []byte) ([]byte, error) {
	return nil, errors.New("not there yet")
}
