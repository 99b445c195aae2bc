package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/engine"
	"github.com/wasmstate/wasmstate/runtime/internal/wasmbin"
)

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
	return m.inspect(wasm, nil)
}

// inspect is InspectModule with some limits overridden.
func (m *Modules) inspect(wasm []byte, limits map[string]int64) (*ModuleInfo, error) {
	mod, err := m.read("", wasm, limits)
	if err != nil {
		return nil, err
	}
	f := mod.manifest
	info := &ModuleInfo{
		Name: f.Name, Version: f.Version, Description: f.Description, Type: "state." + f.Name,
		Digest: mod.Digest(), Size: len(wasm), Features: mod.features,
		Concurrency: f.Mode, MaxInstances: f.MaxInstances, State: f.State, Schema: f.Metadata,
		Memory: f.Memory, MaxTransactionOps: f.MaxTransactionOps, License: f.License, Source: f.Source,
	}
	for _, c := range f.Capabilities {
		info.Capabilities = append(info.Capabilities, ModuleCapability(c))
	}
	for _, e := range mod.Exports() {
		info.Exports = append(info.Exports, engine.Sanitize(describe(e.Name, e.Kind, e.Type), maxName))
	}
	for _, i := range mod.Imports() {
		info.Imports = append(info.Imports, engine.Sanitize(describe(i.Module+"."+i.Name, i.Kind, i.Type), maxName))
	}
	info.MemoryPages, info.MemoryMax, _, _ = mod.Memory()
	score := mod.Score()
	info.Score = fmt.Sprintf("%d functions, %d bytes of code, %d locals, about %d ms of compiling of %d allowed",
		score.Functions, score.Code, score.Locals, score.Work/1000, m.limits.Work/1000)
	return info, nil
}

// maxName is how much of a name of the module's choosing is shown, in bytes.
const maxName = 200

func describe(name string, kind wasmbin.Kind, typ wasmbin.FuncType) string {
	if kind == wasmbin.KindFunction {
		return name + " " + typ.String()
	}
	return name + " " + kind.String()
}

// PackOption changes what PackModule does.
type PackOption func(*packing)

type packing struct{ keepDebug bool }

// KeepDebug keeps line numbers (DWARF) in the module, for ModuleConfig.Debug.
func KeepDebug() PackOption { return func(p *packing) { p.keepDebug = true } }

// PackModule validates manifest (JSON), embeds it in wasm in place of an
// earlier one, strips debug sections and returns the new module; the names of
// functions stay. An error is a *GuestError of kind load that lists everything
// that is wrong: the module, the manifest, exports that the manifest promises,
// capabilities that are imported and not wished.
func (m *Modules) PackModule(wasm, manifest []byte, opts ...PackOption) ([]byte, error) {
	var p packing
	for _, opt := range opts {
		opt(&p)
	}
	if _, err := wasmbin.ParseManifest(manifest); err != nil {
		return nil, refusal("", err.Error())
	}
	packed, err := wasm, error(nil)
	if !p.keepDebug {
		packed, err = wasmbin.StripDebug(wasm)
	}
	if err == nil {
		packed, err = wasmbin.SetCustom(packed, abi.ManifestSection, manifest)
	}
	if err != nil {
		return nil, refusal("", err.Error())
	}
	mod, err := m.read("", packed, nil)
	if err != nil {
		return nil, err
	}
	cfg := ModuleConfig{Component: mod.manifest.Name}
	ec, wrong := mod.engineConfig(&cfg)
	wrong = append(wrong, mod.checkExports(&ec)...)
	wrong = append(wrong, mod.unwished()...)
	if len(wrong) > 0 {
		return nil, refusal(mod.manifest.Name, strings.Join(wrong, "; "))
	}
	return packed, nil
}

// unwished lists the capabilities that the module imports and does not give a
// reason for. Log, clock and random are everybody's.
func (mod *wasmModule) unwished() []string {
	var wrong []string
	seen := map[string]bool{}
	for _, i := range mod.Imports() {
		name, ok := strings.CutPrefix(i.Module, "wasmstate_")
		if !ok || seen[name] || slices.Contains([]string{abi.ImportLog, abi.ImportClock, abi.ImportRandom}, i.Module) {
			continue
		}
		seen[name] = true
		if !slices.ContainsFunc(mod.manifest.Capabilities, func(c wasmbin.Capability) bool { return c.Name == name }) {
			wrong = append(wrong, fmt.Sprintf("it imports %s: add the capability %q with a reason to the manifest", i.Module, name))
		}
	}
	return wrong
}

// checkExports lists what the engine would refuse of the exports after compiling.
func (mod *wasmModule) checkExports(ec *engine.Config) []string {
	exports := map[string]string{}
	hasMemory := false
	for _, e := range mod.Exports() {
		switch {
		case e.Kind == wasmbin.KindFunction:
			exports[e.Name] = e.Type.String()
		case e.Kind == wasmbin.KindMemory && e.Name == abi.ExportMemory:
			hasMemory = true
		}
	}
	pages, _, _, _ := mod.Memory()
	return ec.Check(exports, uint64(pages)*pageBytes, hasMemory)
}
