package sandbox

import (
	"fmt"
	"slices"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// Info is what can be told of a module without running it.
type Info struct {
	Name, Version, Description string
	Type                       string // the store type it registers: "state." + Name
	Digest                     string // "sha256:…" of the file
	Size                       int    // of the file in bytes
	Features                   abi.Features
	Concurrency                string // single, pool or sharded
	MaxInstances               int    // the module's wish; 0 = none
	State                      string // where state lives: none, instance or host
	Schema                     []byte // JSON Schema of its metadata; nil = none
	Capabilities               []Capability
	Memory                     int64 // its wish in bytes; 0 = none
	MaxTransactionOps          int   // 0 = no bound
	License, Source            string
	Exports, Imports           []string // "name (i32) -> i64", "module.name (i32) -> ()"
	MemoryPages, MemoryMax     uint32   // declared minimum and maximum in 64 KiB pages; max 0 = none declared
	Score                      string   // the measure of work that the limits are checked against, for people
	Problems                   []string // why it would not run, whatever is granted; nil = nothing is known
}

// Capability is one wish of a module.
type Capability struct {
	Name, Reason string
	Optional     bool
}

// Info tells what is in the module. The caller may change it; Schema is shared.
func (mod *Module) Info() *Info {
	f := mod.manifest
	info := &Info{
		Name: f.Name, Version: f.Version, Description: f.Description, Type: "state." + f.Name,
		Digest: mod.Digest(), Size: len(mod.bytes), Features: mod.features,
		Concurrency: f.Mode, MaxInstances: f.MaxInstances, State: f.State, Schema: f.Metadata,
		Memory: f.Memory, MaxTransactionOps: f.MaxTransactionOps, License: f.License, Source: f.Source,
	}
	for _, c := range f.Capabilities {
		info.Capabilities = append(info.Capabilities, Capability(c))
	}
	for _, e := range mod.parsed.Exports() {
		info.Exports = append(info.Exports, text.Clean(describe(e.Name, e.Kind, e.Type), maxName))
	}
	for _, i := range mod.parsed.Imports() {
		info.Imports = append(info.Imports, text.Clean(describe(i.Module+"."+i.Name, i.Kind, i.Type), maxName))
	}
	info.MemoryPages, info.MemoryMax, _, _ = mod.parsed.Memory()
	score := mod.parsed.Score()
	info.Score = fmt.Sprintf("%d functions, %d bytes of code, %d locals, about %d ms of compiling of %d allowed and %d MiB of memory for it of %d",
		score.Functions, score.Code, score.Locals, score.Work/1000, mod.limits.Work/1000, score.Memory>>20, mod.limits.CompileMemory>>20)
	cfg := Config{Component: f.Name}
	ec, wrong := mod.engineConfig(&cfg)
	info.Problems = slices.Concat(wrong, mod.checkExports(&ec), mod.unwished(), mod.unknownImports())
	return info
}

// maxName is how much of a name of the module's choosing is shown, in bytes.
const maxName = 200

func describe(name string, kind wasmbin.Kind, typ wasmbin.FuncType) string {
	if kind == wasmbin.KindFunction {
		return name + " " + typ.String()
	}
	return name + " " + kind.String()
}
