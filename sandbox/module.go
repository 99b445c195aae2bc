package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmstore"
)

// fuelSlice is how many units of fuel, about one per instruction, a guest may
// use between two looks at the clock: some 100 µs.
const fuelSlice = 100_000

// firstSlice is what an instance begins with, before anybody looked at the
// clock: little, because all of its memory is new and slow.
const firstSlice = 4_000

// Module is a module that was parsed and is within the limits. It is parsed
// and hashed once; checks, descriptions and stores come from the parsed form.
// Immutable and safe for concurrent use; it keeps the bytes it was made of.
type Module struct {
	sandbox  *Sandbox
	parsed   *wasmbin.Module
	bytes    []byte
	manifest *wasmbin.Manifest
	features abi.Features
	limits   wasmbin.Limits
}

// Parse reads a module, with some limits overridden by name (see
// [Options.Limits]; nil = none), and its manifest. It compiles nothing. The
// module keeps wasm, which must not be changed afterwards. An error is a
// [*abi.Fault] of kind load.
func (s *Sandbox) Parse(wasm []byte, limits map[string]int64) (*Module, error) {
	return s.parse("", wasm, limits)
}

func (s *Sandbox) parse(component string, wasm []byte, over map[string]int64) (*Module, error) {
	limits, err := s.limitsWith(over)
	if err != nil {
		return nil, refusal(component, err.Error())
	}
	parsed, err := s.read(wasm, limits)
	if err != nil {
		return nil, refusal(component, err.Error())
	}
	manifest, err := parsed.Manifest()
	if err != nil {
		return nil, refusal(component, err.Error())
	}
	return &Module{sandbox: s, parsed: parsed, bytes: wasm, manifest: manifest, features: manifest.Features, limits: limits}, nil
}

// read parses a module, unless it was refused before: a component that cannot
// be opened is tried again and again.
func (s *Sandbox) read(wasm []byte, limits wasmbin.Limits) (*wasmbin.Module, error) {
	if int64(len(wasm)) > limits.FileSize {
		return wasmbin.Parse(wasm, limits) // refused without looking at it
	}
	if err := s.refused(wasm, limits); err != nil {
		return nil, err
	}
	m, err := wasmbin.Parse(wasm, limits)
	if err == nil {
		return m, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refusals) >= maxRefusals {
		clear(s.refusals)
	}
	s.refusals[refusalKey{sha256.Sum256(wasm), limits}] = err
	return nil, err
}

// refused is why a module was refused before, or nil.
func (s *Sandbox) refused(wasm []byte, limits wasmbin.Limits) error {
	s.mu.Lock()
	none := len(s.refusals) == 0
	s.mu.Unlock()
	if none {
		return nil
	}
	key := refusalKey{sha256.Sum256(wasm), limits}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusals[key]
}

// MaxFileSize is how many bytes a module file may have, with some limits
// overridden by name; an unknown name is an error. Whoever reads a file need
// not read more.
func (s *Sandbox) MaxFileSize(limits map[string]int64) (int64, error) {
	l, err := s.limitsWith(limits)
	return l.FileSize, err
}

// limitsWith are the limits with some of them overridden.
func (s *Sandbox) limitsWith(over map[string]int64) (wasmbin.Limits, error) {
	limits := s.limits
	return limits, limits.Set(over)
}

// Type is the store type that the module registers: "state." and its name.
func (mod *Module) Type() string { return "state." + mod.manifest.Name }

// Features are those that the module declares.
func (mod *Module) Features() abi.Features { return mod.features }

// Digest is "sha256:" and the hash of the module's bytes in hexadecimal.
func (mod *Module) Digest() string { return mod.parsed.Digest() }

// Is reports whether wasm is what the module was parsed from.
func (mod *Module) Is(wasm []byte) bool { return bytes.Equal(mod.bytes, wasm) }

// Schema is the JSON Schema of the module's metadata; nil = none. It must not
// be changed.
func (mod *Module) Schema() []byte { return mod.manifest.Metadata }

// Open checks, compiles and links the module for one component and returns a
// store that is not yet initialised. It runs no guest code. Every refusal is
// one [*abi.Fault] of kind load that lists everything that is wrong. ctx
// bounds compiling. Limits of cfg have no effect: they belong to Parse.
//
// The store's Features are authoritative: it has the methods of every optional
// interface of abi, and those that the module does not offer return
// abi.ErrUnsupported. Close it even if Init failed or was never called.
func (mod *Module) Open(ctx context.Context, cfg Config) (abi.Store, error) {
	ec, err := mod.prepare(&cfg)
	if err != nil {
		return nil, err
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	mod.tellWish(log, &cfg)
	seen := &observer{log: log, stateful: ec.Stateful}
	ec.Cache, ec.Budget, ec.Observer = mod.sandbox.cache, mod.sandbox.budget, seen
	g, err := engine.Load(ctx, ec)
	if err != nil {
		return nil, err
	}
	return &store{
		Store: wasmstore.New(guest{g}, wasmstore.Config{
			Features: mod.features, MaxTransactionOps: mod.manifest.MaxTransactionOps, Redact: ec.Host.Redact,
		}),
		guest: g, seen: seen, keeps: ec.Stateful, most: int64(ec.Memory) * int64(max(ec.Instances, 1)), closed: cfg.Closed,
	}, nil
}

// tellWish logs that the module gets less than it wishes for, and what the
// operator can do.
func (mod *Module) tellWish(log *slog.Logger, cfg *Config) {
	if cfg.Memory == 0 && mod.manifest.Memory > defaultMemory {
		log.Info("the module wishes for more memory than the default; sandbox.memory grants it",
			"wish", mod.manifest.Memory, "bytes", defaultMemory)
	}
	if cfg.Instances == 0 && mod.manifest.MaxInstances > defaultInstances {
		log.Info("the module wishes for more instances than the default; sandbox.instances grants it",
			"wish", mod.manifest.MaxInstances, "instances", defaultInstances)
	}
}

// Check tells what Open would refuse, without compiling: the imports against
// what cfg grants, the exports, and cfg itself. An error is a [*abi.Fault] of
// kind load that lists everything.
func (mod *Module) Check(cfg Config) error {
	ec, err := mod.prepare(&cfg)
	if err != nil {
		return err
	}
	return ec.Host.Close()
}

// prepare does everything up to compiling. The caller closes the host of the
// configuration.
func (mod *Module) prepare(cfg *Config) (engine.Config, error) {
	cfg.grant()
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
		return ec, refusal(cfg.Component, strings.Join(wrong, "; "))
	}
	ec.Host = host
	return ec, nil
}

// code is what the engine compiles.
func (mod *Module) code(meter Meter, debug bool) (engine.Code, error) {
	code := engine.Code{Bytes: mod.bytes, Debug: debug, Memory: mod.parsed.Score().Memory, WorkerMemory: mod.parsed.WorkerMemory()}
	switch meter {
	case MeterNone:
		code.Meter = engine.MeterNone
		return code, nil
	case MeterWazero:
		code.Meter = engine.MeterWazero
		return code, nil
	case MeterFuel:
		metered, err := mod.parsed.Rewrite(wasmbin.Options{Slice: firstSlice, MaxTable: uint32(mod.limits.TableElements)})
		code.Bytes, code.Meter, code.Slice, code.Debug = metered, engine.MeterFuel, fuelSlice, false
		code.First = firstSlice
		code.FuelGlobal, code.RefillModule, code.RefillName = wasmbin.FuelGlobal, wasmbin.RefillModule, wasmbin.RefillName
		return code, err
	}
	return engine.Code{}, fmt.Errorf("meter %q is none of fuel, wazero and none", meter)
}

// checkImports lists what the host does not offer or the operator does not
// grant.
func (mod *Module) checkImports(host *hostfuncs.Host) []string {
	var imports []hostfuncs.Import
	for _, i := range mod.parsed.Imports() {
		imports = append(imports, hostfuncs.Import{Module: i.Module, Name: i.Name})
	}
	return host.Check(imports)
}

// refusal is the error of a module that is not run.
func refusal(component, msg string) error {
	return &abi.Fault{Kind: abi.FaultLoad, Component: component, Msg: text.Clean(msg, 4<<10)}
}
