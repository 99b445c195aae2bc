package runtime

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/internal/engine"
)

// wasmModule is a module as read from its bytes.
type wasmModule struct {
	bytes    []byte
	manifest manifestFacts
	features abi.Features
}

// manifestFacts is what of a manifest matters for running the module.
type manifestFacts struct {
	Name, Version, Description string
	License, Source            string
	Mode, State                string
	MaxInstances               int
	MaxTransactionOps          int
	MemoryBytes                int64
	Schema                     []byte
	Capabilities               []ModuleCapability
}

// read checks the module before anything else sees it.
func (m *Modules) read(component string, wasm []byte) (*wasmModule, error) {
	if len(wasm) < 8 || string(wasm[:4]) != "\x00asm" {
		return nil, refusal(component, "it is not a WebAssembly module")
	}
	raw, ok := customSection(wasm, abi.ManifestSection)
	if !ok {
		return nil, refusal(component, "it has no manifest: add one with `wasmstate pack`")
	}
	var doc struct {
		Name, Version, Description, License, Source string
		Features                                    []string
		Metadata                                    json.RawMessage
		Capabilities                                []ModuleCapability
		Concurrency                                 struct {
			Mode string
			Max  int
		}
		State             string
		MaxTransactionOps int
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, refusal(component, "its manifest is not valid: "+err.Error())
	}
	features, unknown := parseFeatures(doc.Features)
	if len(unknown) > 0 {
		return nil, refusal(component, fmt.Sprintf("its manifest declares unknown features %q", unknown))
	}
	return &wasmModule{bytes: wasm, features: features, manifest: manifestFacts{
		Name: doc.Name, Version: doc.Version, Description: doc.Description, License: doc.License, Source: doc.Source,
		Schema: doc.Metadata, Capabilities: doc.Capabilities, Mode: doc.Concurrency.Mode, State: doc.State, MaxInstances: doc.Concurrency.Max, MaxTransactionOps: doc.MaxTransactionOps}}, nil
}

// code is what the engine compiles.
func (mod *wasmModule) code(meter Meter, debug bool) (engine.Code, error) {
	switch meter {
	case MeterNone:
		return engine.Code{Bytes: mod.bytes, Meter: engine.MeterNone, Debug: debug}, nil
	case MeterFuel, MeterWazero: // until the rewriter is there
		return engine.Code{Bytes: mod.bytes, Meter: engine.MeterWazero, Debug: debug}, nil
	}
	return engine.Code{}, fmt.Errorf("meter %q is none of fuel, wazero and none", meter)
}

// customSection finds a custom section.
func customSection(b []byte, name string) ([]byte, bool) {
	uv := func(b []byte) (uint64, int) {
		var v uint64
		for i := 0; i < len(b) && i < 5; i++ {
			v |= uint64(b[i]&0x7f) << (7 * i)
			if b[i] < 0x80 {
				return v, i + 1
			}
		}
		return 0, 0
	}
	for b = b[8:]; len(b) > 1; {
		size, n := uv(b[1:])
		if n == 0 || size > uint64(len(b)-1-n) {
			return nil, false
		}
		body := b[1+n : 1+n+int(size)]
		if b[0] == 0 {
			l, k := uv(body)
			if k > 0 && l <= uint64(len(body)-k) && string(body[k:k+int(l)]) == name {
				return body[k+int(l):], true
			}
		}
		b = b[1+n+int(size):]
	}
	return nil, false
}

var errNotYet = errors.New("not there yet")
