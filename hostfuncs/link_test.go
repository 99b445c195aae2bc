package hostfuncs

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

func TestCheck(t *testing.T) {
	h, err := New(Config{Component: "test", KV: map[string]KV{"data": newFakeKV()}, Optional: []string{abi.ImportTCP}})
	require.NoError(t, err)
	require.Empty(t, h.Check([]Import{
		{abi.ImportLog, "log"}, {abi.ImportClock, "now"}, {abi.ImportRandom, "fill"}, {abi.ImportWASI, "path_open"},
		{"env", "abort"}, {abi.ImportKV, "get"}, {abi.ImportTCP, "connect"},
	}))
	wrong := h.Check([]Import{
		{abi.ImportHTTP, "start"}, {"wasmstate_kvs", "get"}, {abi.ImportHTTP, "read"}, {abi.ImportKV, "gett"},
		{abi.ImportSecret, "get"}, {abi.ImportMetric, "add"}, {abi.ImportConfig, "get"}, {"env", "memcpy"}, {"evil\n", "\x1b[2J"},
	})
	require.Equal(t, []string{
		`it imports wasmstate_http (start, read), which is not granted; to grant it, add http: ["https://HOST"] to the component's sandbox`,
		`it imports wasmstate_kvs.get, and there is no namespace wasmstate_kvs; did you mean wasmstate_kv?`,
		`it imports wasmstate_kv.gett, and there is no such function; did you mean get?`,
		`it imports wasmstate_secret (get), which is not granted; to grant it, add secrets: {NAME: SECRET} to the component's sandbox`,
		`it imports wasmstate_metric (add), which is not granted; to grant it, add metrics: true to the component's sandbox`,
		`it imports wasmstate_config (get), which is not granted; to grant it, add config: {NAME: VALUE} to the component's sandbox`,
		`it imports env.memcpy, and there is no such function`,
		`it imports evil\n.\x1b[2J, and there is no namespace evil\n`,
	}, wrong)
}

// TestSpec keeps the types of the specification equal to the table.
func TestSpec(t *testing.T) {
	data, err := os.ReadFile("../abi/SPEC-hostfuncs.md")
	require.NoError(t, err)
	chapter := regexp.MustCompile(`^## \d+\. (\S+)`)
	row := regexp.MustCompile("^\\| `([a-z_]+)\\([^)]*\\)` \\| (?:`(\\([^)]*\\) -> \\S+?)`|same)")
	spec, module, last := map[string]string{}, "", ""
	for line := range strings.Lines(string(data)) {
		if m := chapter.FindStringSubmatch(line); m != nil {
			module = m[1]
		}
		if m := row.FindStringSubmatch(line); m != nil {
			if m[2] != "" {
				last = m[2]
			}
			spec[module+"."+m[1]] = last
		}
	}
	table := map[string]string{}
	for _, f := range functions() {
		if f.module == abi.ImportWASI || f.module == moduleEnv {
			continue
		}
		var params []string
		for _, p := range f.params {
			params = append(params, api.ValueTypeName(p))
		}
		result := "()"
		if len(f.result) > 0 {
			result = api.ValueTypeName(f.result[0])
		}
		table[f.module+"."+f.name] = "(" + strings.Join(params, ", ") + ") -> " + result
	}
	require.Equal(t, spec, table)
}

// TestLink runs a module that imports every function, calls each with zeros and
// survives.
func TestLink(t *testing.T) {
	wasm, err := os.ReadFile("testdata/all.wasm")
	require.NoError(t, err)
	for _, name := range []string{"granted", "optional"} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Component: "test", Optional: []string{
				abi.ImportConfig, abi.ImportSecret, abi.ImportMetric, abi.ImportKV, abi.ImportHTTP, abi.ImportTCP,
			}}
			if name == "granted" {
				cfg.Config = map[string]string{}
				cfg.Secrets = func(context.Context, string) (string, error) { return "", abi.ErrNotFound }
				cfg.Metrics = &fakeMetrics{}
				cfg.KV = map[string]KV{"data": newFakeKV()}
				cfg.HTTP, cfg.TCP = []string{"https://example.com"}, []string{"example.com:1"}
			}
			h, err := New(cfg)
			require.NoError(t, err)
			ctx := context.Background()
			r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
			defer r.Close(ctx)
			compiled, err := r.CompileModule(ctx, wasm)
			require.NoError(t, err)
			var imports []Import
			for _, f := range compiled.ImportedFunctions() {
				module, name, _ := f.Import()
				imports = append(imports, Import{module, name})
			}
			require.Len(t, imports, len(functions()), "testdata/all.wat is to be written again with go test -run WriteAll -update")
			require.NoError(t, h.Instantiate(ctx, r, imports))
			s := h.NewState()
			ctx = &stateContext{Context: ctx, s: s}
			mod, err := r.InstantiateModule(ctx, compiled, wazero.NewModuleConfig())
			require.NoError(t, err)
			for _, f := range functions() {
				if f.name == "proc_exit" || f.name == "abort" {
					continue
				}
				s.Begin(context.Background(), zeroTime)
				_, err := mod.ExportedFunction(f.module + "." + f.name).Call(ctx)
				require.NoError(t, err, f.name)
				s.End()
			}
			s.Begin(context.Background(), zeroTime)
			_, err = mod.ExportedFunction("env.abort").Call(ctx)
			var exit *ExitError
			require.ErrorAs(t, err, &exit)
			_, err = mod.ExportedFunction(abi.ImportWASI + ".proc_exit").Call(ctx)
			require.ErrorAs(t, err, &exit)
			require.NoError(t, s.Close())
		})
	}
}
