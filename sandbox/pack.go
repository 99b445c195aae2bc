package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/hostfuncs"
	"github.com/wasmstate/wasmstate/sandbox/internal/engine"
	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// Pack validates manifest (JSON), embeds it in wasm in place of an
// earlier one, strips debug sections and returns the new module; the names of
// functions stay, and with keepDebug the line numbers (DWARF) too, for
// Config.Debug. An error is a [*abi.Fault] of kind load that lists everything
// that is wrong: the module, the manifest, exports that the manifest promises,
// capabilities that are imported and not wished.
func (s *Sandbox) Pack(wasm, manifest []byte, keepDebug bool) ([]byte, error) {
	if err := CheckManifest(manifest); err != nil {
		return nil, err
	}
	packed, err := wasm, error(nil)
	if !keepDebug {
		packed, err = wasmbin.StripDebug(wasm)
	}
	if err == nil {
		packed, err = wasmbin.SetCustom(packed, abi.ManifestSection, manifest)
	}
	if err != nil {
		return nil, refusal("", err.Error())
	}
	mod, err := s.Parse(packed, nil)
	if err != nil {
		return nil, err
	}
	cfg := Config{Component: mod.manifest.Name}
	ec, wrong := mod.engineConfig(&cfg)
	wrong = append(wrong, mod.checkExports(&ec)...)
	wrong = append(wrong, mod.unwished()...)
	wrong = append(wrong, mod.unknownImports()...)
	if len(wrong) > 0 {
		return nil, refusal(mod.manifest.Name, strings.Join(wrong, "; "))
	}
	return packed, nil
}

// CheckManifest finds what is wrong with a manifest (JSON) by itself, with line
// and column. An error is a [*abi.Fault] of kind load that lists everything.
func CheckManifest(manifest []byte) error {
	if _, err := wasmbin.ParseManifest(manifest); err != nil {
		return refusal("", err.Error())
	}
	return nil
}

// unknownImports lists what no host offers, whatever is granted.
func (mod *Module) unknownImports() []string {
	var all []string
	for _, i := range mod.parsed.Imports() {
		all = append(all, i.Module)
	}
	host, err := hostfuncs.New(hostfuncs.Config{Optional: all})
	if err != nil {
		return []string{err.Error()}
	}
	defer host.Close()
	return mod.checkImports(host)
}

// unwished lists the capabilities that the module imports and does not give a
// reason for. Log, clock and random are everybody's.
func (mod *Module) unwished() []string {
	var wrong []string
	seen := map[string]bool{}
	for _, i := range mod.parsed.Imports() {
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
func (mod *Module) checkExports(ec *engine.Config) []string {
	exports := map[string]string{}
	hasMemory := false
	for _, e := range mod.parsed.Exports() {
		switch {
		case e.Kind == wasmbin.KindFunction:
			exports[e.Name] = e.Type.String()
		case e.Kind == wasmbin.KindMemory && e.Name == abi.ExportMemory:
			hasMemory = true
		}
	}
	pages, _, _, _ := mod.parsed.Memory()
	return ec.Check(exports, uint64(pages)*pageBytes, hasMemory)
}
