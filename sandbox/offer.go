package sandbox

import (
	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmstore"
)

// Offers are the features that the module's exports and mode would allow it to
// declare, whatever it declares: for tools that look at what a module does
// beyond its word.
func (mod *Module) Offers() abi.Features {
	have := map[string]bool{}
	for _, e := range mod.parsed.Exports() {
		have[e.Name] = true
	}
	shards := 1
	if mod.manifest.Mode == "sharded" {
		shards = 2
	}
	var offers abi.Features
	for _, name := range abi.AllFeatures.Names() {
		f, _ := abi.ParseFeature(name)
		if len(wasmstore.Check(f, shards)) > 0 {
			continue
		}
		offered := true
		for op, required := range wasmstore.Required(f) {
			offered = offered && (!required || have[wasmstore.Exports()[op]])
		}
		if offered {
			offers |= f
		}
	}
	return offers
}

// WithFeatures is the module as if its manifest declared features. They must be
// among those it Offers; Open says so otherwise.
func (mod *Module) WithFeatures(features abi.Features) *Module {
	other := *mod
	other.features = features
	return &other
}
