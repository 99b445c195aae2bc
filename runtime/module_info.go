package runtime

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/wasmstate/wasmstate/abi"
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
	mod, err := m.read("", wasm)
	if err != nil {
		return nil, err
	}
	f := &mod.manifest
	sum := sha256.Sum256(wasm)
	return &ModuleInfo{
		Name: f.Name, Version: f.Version, Description: f.Description, Type: "state." + f.Name,
		Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: len(wasm), Features: mod.features,
		Concurrency: orDefault(f.Mode, "single"), MaxInstances: f.MaxInstances, State: orDefault(f.State, "none"), Schema: f.Schema,
		Capabilities: f.Capabilities, Memory: f.MemoryBytes, MaxTransactionOps: f.MaxTransactionOps, License: f.License, Source: f.Source,
	}, nil
}

// PackModule validates manifest (JSON), embeds it in wasm, strips debug
// sections and returns the new module.
func (m *Modules) PackModule(wasm, manifest []byte) ([]byte, error) {
	return nil, errNotYet
}
