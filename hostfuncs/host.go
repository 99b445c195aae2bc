package hostfuncs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// Import is one function that a module imports.
type Import struct{ Module, Name string }

// Host is what the guests of one component version may call. Safe for
// concurrent use.
type Host struct {
	cfg     Config
	bucket  bucket // of log lines
	secrets *redactor
	start   time.Time
}

// function is one host function: its type and its body. Bodies take their
// arguments from the stack and leave their result in stack[0].
type function struct {
	name    string
	params  []api.ValueType
	results []api.ValueType
	call    func(s *State, mem api.Memory, stack []uint64)
}

// family is the functions of one import namespace.
type family struct {
	module  string
	granted bool
	grant   string // what the operator writes to grant it
	list    []function
}

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
	f64 = api.ValueTypeF64
)

// New checks cfg and builds a host. The caller closes it after the last State.
func New(cfg Config) (*Host, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, secrets: newRedactor(), start: time.Now()}
	h.bucket.init(cfg.LogRate)
	return h, nil
}

// families lists every namespace, in the order of the specification.
func (h *Host) families() []family {
	return []family{
		{abi.ImportLog, true, "", logFunctions()},
		{abi.ImportClock, true, "", clockFunctions()},
		{abi.ImportRandom, true, "", randomFunctions()},
		{abi.ImportConfig, h.cfg.Config != nil, `config: {name: value}`, configFunctions()},
		{abi.ImportSecret, h.cfg.Secrets != nil, `secrets: {name: {name: …, key: …}}`, secretFunctions()},
		{abi.ImportMetric, h.cfg.Metrics != nil, `metrics: true`, metricFunctions()},
		{abi.ImportWASI, true, "", wasiFunctions()},
		{importEnv, true, "", envFunctions()},
	}
}

// importEnv is the namespace of AssemblyScript's abort.
const importEnv = "env"

// Check returns one line for every import that is unknown or not granted, in
// the order of imports; nil if all can be linked. It runs nothing.
func (h *Host) Check(imports []Import) []string {
	var wrong []string
	refused := map[string]bool{}
	for _, imp := range imports {
		at := slices.IndexFunc(h.families(), func(f family) bool { return f.module == imp.Module })
		if at < 0 {
			wrong = append(wrong, fmt.Sprintf("it imports %s.%s, which is no host function", imp.Module, imp.Name))
			continue
		}
		f := h.families()[at]
		known := slices.ContainsFunc(f.list, func(fn function) bool { return fn.name == imp.Name })
		switch {
		case !known:
			names := make([]string, 0, len(f.list))
			for _, fn := range f.list {
				names = append(names, fn.name)
			}
			wrong = append(wrong, fmt.Sprintf("it imports %s.%s; the functions of %s are %s", imp.Module, imp.Name, imp.Module, strings.Join(names, ", ")))
		case !f.granted && !refused[f.module]:
			refused[f.module] = true
			wrong = append(wrong, fmt.Sprintf("it needs %s, which is not granted; to grant it write %s into the item sandbox", f.module, f.grant))
		}
	}
	return wrong
}

// Instantiate adds the host modules that imports need to r. Called once per
// runtime, before the guest is instantiated. Nothing else is linked.
func (h *Host) Instantiate(ctx context.Context, r wazero.Runtime, imports []Import) error {
	for _, f := range h.families() {
		var builder wazero.HostModuleBuilder
		for _, fn := range f.list {
			if !f.granted || !slices.Contains(imports, Import{f.module, fn.name}) {
				continue
			}
			if builder == nil {
				builder = r.NewHostModuleBuilder(f.module)
			}
			builder = builder.NewFunctionBuilder().WithGoModuleFunction(adapt(fn), fn.params, fn.results).Export(fn.name)
		}
		if builder != nil {
			if _, err := builder.Instantiate(ctx); err != nil {
				return fmt.Errorf("host module %s: %w", f.module, err)
			}
		}
	}
	return nil
}

// adapt charges a call and hands it the state of its instance.
func adapt(fn function) api.GoModuleFunc {
	call := fn.call
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		s := FromContext(ctx)
		if s == nil {
			panic(&abi.Error{Code: abi.CodeInternal, Msg: "a host function was called outside of an operation"})
		}
		s.charge()
		call(s, mod.Memory(), stack)
	}
}

// Close releases what the component shares between its instances. Idempotent.
func (h *Host) Close() error { return nil }

// Redact replaces the secrets that guests have read in text by "***".
func (h *Host) Redact(text string) string { return h.secrets.redact(text) }
