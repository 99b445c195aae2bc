package runtime_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wasmstate/wasmstate/abi"
	builtin "github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime"
)

// componentDoc is a component file with the metadata items as YAML lines.
func componentDoc(name, typ string, items ...string) string {
	doc := fmt.Sprintf("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: %s}\nspec:\n  type: %s\n  version: v1\n", name, typ)
	if len(items) > 0 {
		doc += "  metadata:\n"
	}
	for _, it := range items {
		doc += "  - " + it + "\n"
	}
	return doc
}

// problems validates one component file and returns what is wrong, one line
// each. The memory guest in C lies beside it as notes.wasm.
func problems(t *testing.T, doc string) string {
	t.Helper()
	dir := t.TempDir()
	wasm, err := os.ReadFile("../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.module"), wasm, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(doc), 0o600))
	v, err := runtime.Validate(t.Context(), runtime.Config{ComponentsPaths: []string{dir}}, runtime.WithStates(builtin.States()...))
	require.NoError(t, err)
	var lines []string
	for _, p := range v.Problems {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", filepath.Base(p.File), p.Line, p.Message))
	}
	return strings.Join(lines, "\n")
}

func TestItemsOfTheRuntime(t *testing.T) {
	const url = "{name: url, value: file://notes.module}"
	for _, tc := range []struct{ name, doc, want string }{
		{"fine", componentDoc("a", "state.in-memory", "{name: keyPrefix, value: name}"), ""},
		{"misspelt", componentDoc("a", "state.in-memory", "{name: keyPrefx, value: name}"), `a.yaml:8: unknown metadata item "keyPrefx", did you mean "keyPrefix"?`},
		{"alien", componentDoc("a", "state.in-memory", "{name: zzzzz, value: name}"), `this type has none of its own`},
		{"misspelt beside a module", componentDoc("a", "state.wasm", url, "{name: sandbx, value: {}}"), `did you mean "sandbox"?`},
		{"sandbox of a built-in store", componentDoc("a", "state.in-memory", "{name: sandbox, value: {memory: 1MiB}}"), "a.yaml:8: the item sandbox is for WebAssembly modules; state.in-memory is built in"},
		{"module", componentDoc("a", "state.wasm", url), ""},
		{"module beyond a limit", componentDoc("a", "state.wasm", url, "{name: sandbox, value: {limits: {functions: 3}}}"), "functions"},
		{"module too large", componentDoc("a", "state.wasm", url, "{name: sandbox, value: {limits: {fileSize: 1000}}}"), "larger than 1000 bytes"},
		{"module within its own limits", componentDoc("a", "state.wasm", url, "{name: sandbox, value: {limits: {fileSize: 100000, functions: 500}}}"), ""},
		{"no such limit", componentDoc("a", "state.wasm", url, "{name: sandbox, value: {limits: {function: 3}}}"), "did you mean functions?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := problems(t, tc.doc)
			if tc.want == "" {
				require.Empty(t, got)
			}
			require.Contains(t, got, tc.want)
		})
	}
}

// talkative is a store whose Init fails and says with which properties. With
// the property quiet it fails at the first read.
type talkative struct {
	abi.Store
	md *abi.Metadata
}

// Features are those whose interfaces the wrapper does not hide.
func (s talkative) Features() abi.Features {
	return s.Store.Features() & (abi.FeatureETag | abi.FeatureTTL | abi.FeatureContentType)
}

func (s talkative) Init(ctx context.Context, md abi.Metadata) error {
	if *s.md = md; md.Properties["quiet"] != "" {
		return s.Store.Init(ctx, md)
	}
	return fmt.Errorf("cannot log in with %v", md.Properties)
}

func (s talkative) Get(context.Context, *abi.GetRequest, *abi.GetResponse) error {
	return abi.NewError(abi.CodeUnavailable, fmt.Sprintf("lost the connection with %v", s.md.Properties))
}

// TestSecretsStayOutOfErrors: what came from a secret store is shown by
// nothing, whatever a store writes into its errors.
func TestSecretsStayOutOfErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("vault.yaml", componentDoc("vault", "secretstores.local.file", "{name: secretsFile, value: secrets.json}"))
	write("secrets.json", `{"password": "hunter2"}`)
	write("a.yaml", componentDoc("a", "state.talkative", "{name: user, value: mary}", "{name: password, secretKeyRef: {name: password}}")+"auth: {secretStore: vault}\n")
	write("b.yaml", componentDoc("b", "state.talkative", "{name: quiet, value: true}", "{name: password, secretKeyRef: {name: password}}")+"auth: {secretStore: vault}\n")
	core, logs := observer.New(zap.DebugLevel)
	states := append(builtin.States(), abi.Registration{Name: "state.talkative", New: func() abi.Store { return talkative{memstore.New(), new(abi.Metadata)} }})
	rt, err := runtime.New(runtime.Config{ComponentsPaths: []string{dir}, KeepGoing: true}, runtime.WithStates(states...), runtime.WithLogger(zap.New(core)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	require.NoError(t, rt.Wait(ctx))
	var status string
	for _, st := range rt.Status() {
		status += fmt.Sprintf("%+v\n", st)
	}
	st, err := rt.Store("b")
	require.NoError(t, err)
	err = st.Get(ctx, &abi.GetRequest{Key: []byte("k")}, &abi.GetResponse{})
	require.ErrorContains(t, err, "lost the connection")
	require.Equal(t, abi.CodeUnavailable, abi.CodeOf(err))
	require.NotContains(t, err.Error(), "hunter2")
	cancel()
	require.NoError(t, <-done)
	require.Contains(t, status, "cannot log in")
	require.Contains(t, status, "mary")
	require.NotContains(t, status, "hunter2")
	require.NotEmpty(t, logs.All())
	for _, line := range logs.All() {
		require.NotContains(t, fmt.Sprint(line.Message, line.ContextMap()), "hunter2")
	}
}
