package hostfuncs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
)

// moduleEnv is where AssemblyScript imports abort from.
const moduleEnv = "env"

// maxShown bounds the names of a module in errors, in bytes.
const maxShown = 64

// howToGrant says, by namespace, what to add to the component's sandbox.
var howToGrant = map[string]string{
	abi.ImportConfig: "config: {NAME: VALUE}",
	abi.ImportSecret: "secrets: {NAME: SECRET}",
	abi.ImportMetric: "metrics: true",
	abi.ImportKV:     "kv: {LABEL: COMPONENT}",
	abi.ImportHTTP:   `http: ["https://HOST"]`,
	abi.ImportTCP:    `tcp: ["HOST:PORT"]`,
}

// granted reports whether the component may use a namespace. It must be known.
func (h *Host) granted(module string) bool {
	switch module {
	case abi.ImportConfig:
		return h.cfg.Config != nil
	case abi.ImportSecret:
		return h.cfg.Secrets != nil
	case abi.ImportMetric:
		return h.cfg.Metrics != nil
	case abi.ImportKV:
		return len(h.cfg.KV) > 0
	case abi.ImportHTTP:
		return len(h.cfg.HTTP) > 0
	case abi.ImportTCP:
		return len(h.cfg.TCP) > 0
	}
	return true
}

// Check returns one line for every import that is unknown and for every
// namespace that is not granted, in the order of imports; nil if all can be
// linked. It runs nothing.
func (h *Host) Check(imports []Import) []string {
	known := map[string][]string{}
	var modules []string
	for _, f := range functions() {
		if known[f.module] == nil {
			modules = append(modules, f.module)
		}
		known[f.module] = append(known[f.module], f.name)
	}
	var wrong []string
	said := map[string]bool{}
	for _, imp := range imports {
		names := known[imp.Module]
		switch {
		case names == nil:
			wrong = append(wrong, fmt.Sprintf("it imports %s.%s, and there is no namespace %s%s",
				text.Clean(imp.Module, maxShown), text.Clean(imp.Name, maxShown), text.Clean(imp.Module, maxShown), hint(imp.Module, modules)))
		case !slices.Contains(names, imp.Name):
			wrong = append(wrong, fmt.Sprintf("it imports %s.%s, and there is no such function%s",
				imp.Module, text.Clean(imp.Name, maxShown), hint(imp.Name, names)))
		case !h.granted(imp.Module) && !slices.Contains(h.cfg.Optional, imp.Module) && !said[imp.Module]:
			said[imp.Module] = true
			wrong = append(wrong, fmt.Sprintf("it imports %s (%s), which is not granted; to grant it, add %s to the component's sandbox",
				imp.Module, strings.Join(importsOf(imports, imp.Module), ", "), howToGrant[imp.Module]))
		}
	}
	return wrong
}

func importsOf(imports []Import, module string) []string {
	var names []string
	for _, imp := range imports {
		if imp.Module == module {
			names = append(names, text.Clean(imp.Name, maxShown))
		}
	}
	return names
}

func hint(name string, known []string) string {
	if n := text.Nearest(name, known); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// Instantiate adds the host modules that imports need to r, with the functions
// that are imported and nothing else. Called once per runtime, before the guest
// is instantiated, with imports that Check found nothing wrong with.
func (h *Host) Instantiate(ctx context.Context, r wazero.Runtime, imports []Import) error {
	if wrong := h.Check(imports); len(wrong) > 0 {
		return fmt.Errorf("host functions: %s", strings.Join(wrong, "; "))
	}
	builders := map[string]wazero.HostModuleBuilder{}
	var order []string
	for _, f := range functions() {
		if !slices.Contains(imports, Import{f.module, f.name}) {
			continue
		}
		b := builders[f.module]
		if b == nil {
			b = r.NewHostModuleBuilder(f.module)
			builders[f.module] = b
			order = append(order, f.module)
		}
		call := f.bind()
		if !h.granted(f.module) {
			call = f.refuse()
		}
		b.NewFunctionBuilder().WithGoModuleFunction(call, f.params, f.result).Export(f.name)
	}
	for _, module := range order {
		if _, err := builders[module].Instantiate(ctx); err != nil {
			return fmt.Errorf("host functions %s: %w", module, err)
		}
	}
	return nil
}
