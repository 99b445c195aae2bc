package runtime

import (
	"fmt"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/runtime/internal/engine"
	"github.com/wasmstate/wasmstate/runtime/internal/wasmbin"
)

// fuelSlice is how many units of fuel, about one per instruction, a guest may
// use between two looks at the clock: some 100 µs.
const fuelSlice = 100_000

// wasmModule is a module as read from its bytes.
type wasmModule struct {
	*wasmbin.Module
	bytes    []byte
	manifest *wasmbin.Manifest
	features abi.Features
	maxTable int64
}

// read checks the module before anything else sees it.
func (m *Modules) read(component string, wasm []byte, over map[string]int64) (*wasmModule, error) {
	limits, err := m.limitsWith(over)
	if err != nil {
		return nil, refusal(component, err.Error())
	}
	parsed, err := wasmbin.Parse(wasm, limits)
	if err != nil {
		return nil, refusal(component, err.Error())
	}
	manifest, err := parsed.Manifest()
	if err != nil {
		return nil, refusal(component, err.Error())
	}
	return &wasmModule{Module: parsed, bytes: wasm, manifest: manifest, features: manifest.Features, maxTable: limits.TableElements}, nil
}

// code is what the engine compiles.
func (mod *wasmModule) code(meter Meter, debug bool) (engine.Code, error) {
	switch meter {
	case MeterNone:
		return engine.Code{Bytes: mod.bytes, Meter: engine.MeterNone, Debug: debug}, nil
	case MeterWazero:
		return engine.Code{Bytes: mod.bytes, Meter: engine.MeterWazero, Debug: debug}, nil
	case MeterFuel:
		metered, err := mod.Rewrite(wasmbin.Options{Slice: fuelSlice, MaxTable: uint32(mod.maxTable)})
		return engine.Code{
			Bytes: metered, Meter: engine.MeterFuel, Slice: fuelSlice,
			FuelGlobal: wasmbin.FuelGlobal, RefillModule: wasmbin.RefillModule, RefillName: wasmbin.RefillName,
		}, err
	}
	return engine.Code{}, fmt.Errorf("meter %q is none of fuel, wazero and none", meter)
}

// checkImports lists what the host does not offer or the operator does not
// grant.
func (mod *wasmModule) checkImports(host *hostfuncs.Host) []string {
	var imports []hostfuncs.Import
	for _, i := range mod.Imports() {
		imports = append(imports, hostfuncs.Import{Module: i.Module, Name: i.Name})
	}
	return host.Check(imports)
}

// refusal is the error of a module that is not run.
func refusal(component, msg string) error {
	return &GuestError{Kind: GuestLoad, Component: component, Msg: engine.Sanitize(msg, 4<<10)}
}
