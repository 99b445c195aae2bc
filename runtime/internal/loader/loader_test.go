package loader_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/builtin/all"
	"github.com/wasmstate/wasmstate/builtin/memstore"
	"github.com/wasmstate/wasmstate/runtime/handle"
	"github.com/wasmstate/wasmstate/runtime/internal/loader"
	"github.com/wasmstate/wasmstate/sandbox"
)

func newLoader(t *testing.T, dir string, states ...abi.Registration) *loader.Loader {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	registry := new(loader.Registry)
	require.NoError(t, registry.Register(append(all.States(), states...)...))
	l := loader.New(loader.Config{Paths: []string{dir}, AppID: "orders-app", Namespace: "prod", Registry: registry, Sandbox: sb})
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

// refusals are what a start would say of the plan before anything is opened:
// problems of files, and components that cannot be created or resolved for a
// reason that is in the files.
func refusals(ctx context.Context, p *loader.Plan) []string {
	out := p.Problems()
	for i := range p.Specs {
		spec := &p.Specs[i]
		if spec.Resolve == nil {
			_, err := spec.Create(ctx)
			out = append(out, err.Error())
			continue
		}
		if _, err := spec.Resolve(ctx); err != nil {
			out = append(out, err.Error())
		}
	}
	return out
}

// TestValidateAndPlanAgree: what one reader of the files accepts the other
// accepts, for all test data of this package and of the parser.
func TestValidateAndPlanAgree(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	more, err := filepath.Glob("../manifest/testdata/*/*.y*ml")
	require.NoError(t, err)
	require.Greater(t, len(more), 15)
	for _, file := range append(files, more...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := t.TempDir()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			write(t, dir, "a.yaml", string(text))
			v := newLoader(t, dir).Validate(t.Context())
			got := refusals(t.Context(), newLoader(t, dir).Plan(t.Context(), false))
			if len(v.Problems) == 0 {
				require.Empty(t, got, "validate accepts it")
			} else {
				require.NotEmpty(t, got, "validate refuses it: %v", v.Problems)
			}
		})
	}
}

// TestDocumentsOfOthers never stop a start, whatever is in them.
func TestDocumentsOfOthers(t *testing.T) {
	for name, doc := range map[string]string{
		"secret without auth":            "{name: bus}\nspec:\n  type: pubsub.redis\n  version: v1\n  metadata:\n  - {name: p, secretKeyRef: {name: redis, key: k}}\n",
		"secret store that is not there": "{name: bus}\nauth: {secretStore: kubernetes}\nspec:\n  type: bindings.cron\n  metadata:\n  - {name: p, secretKeyRef: {name: redis, key: k}}\n",
		"unknown fields":                 "{name: bus, nam: x}\nspec:\n  type: workflow.dapr\n  oops: 1\n  initTimeout: never\n",
		"name of ours":                   "{name: st}\nspec:\n  type: pubsub.redis\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			head := "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: "
			write(t, dir, "a.yaml", head+doc+"---\n"+head+"{name: st}\nspec: {type: state.in-memory, version: v1}\n")
			require.Empty(t, newLoader(t, dir).Validate(t.Context()).Problems)
			p := newLoader(t, dir).Plan(t.Context(), false)
			require.Empty(t, refusals(t.Context(), p))
			require.Len(t, p.Specs, 1)
			require.Len(t, newLoader(t, dir).Validate(t.Context()).Notes, 1)
		})
	}
}

func TestAWrongVersionIsNamed(t *testing.T) {
	v := newLoader(t, "testdata/C31-version.yaml").Validate(t.Context())
	require.Len(t, v.Problems, 1)
	require.Contains(t, v.Problems[0].Msg, "no version v2")
	require.NotContains(t, v.Problems[0].Msg, "did you mean state.in-memory")
}

// counting counts how often it is made.
func counting(made *int, props []abi.Property) abi.Registration {
	return abi.Registration{Name: "state.counting", Properties: props, New: func() abi.Store { *made++; return memstore.New() }}
}

const countingDoc = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: a}
spec:
  type: state.counting
  version: v1
  metadata:
  - {name: password, value: hunter2-hunter2}
`

// TestAStoreIsCreatedOnce to come up once: its description belongs to its type.
func TestAStoreIsCreatedOnce(t *testing.T) {
	made := 0
	props := []abi.Property{{Name: "password", Type: abi.TypeString, Secret: true, Doc: "x"}}
	dir := t.TempDir()
	write(t, dir, "a.yaml", countingDoc)
	l := newLoader(t, dir, counting(&made, props))
	require.Empty(t, l.Validate(t.Context()).Problems)
	p := l.Plan(t.Context(), false)
	require.Len(t, p.Specs, 1)
	_, err := p.Specs[0].Resolve(t.Context())
	require.NoError(t, err)
	require.Zero(t, made, "nothing is made to look at it")
	s, err := p.Specs[0].Create(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, 1, made)
}

// TestSecretPropertiesOfNativeStores are redacted as those of modules are.
func TestSecretPropertiesOfNativeStores(t *testing.T) {
	made := 0
	dir := t.TempDir()
	write(t, dir, "a.yaml", countingDoc)
	p := newLoader(t, dir, counting(&made, []abi.Property{{Name: "secret", Aliases: []string{"PassWord"}, Type: abi.TypeString, Secret: true, Doc: "x"}})).Plan(t.Context(), false)
	res, err := p.Specs[0].Resolve(t.Context())
	require.NoError(t, err)
	require.NotContains(t, res.Redact("dial mary:hunter2-hunter2@db"), "hunter2")
	require.Equal(t, "hunter2-hunter2", res.Properties["password"])
}

// TestATypeStaysWithItsFile: a module of the same name whose file sorts before
// takes nothing over.
func TestATypeStaysWithItsFile(t *testing.T) {
	dir := t.TempDir()
	wasm, err := os.ReadFile("../../../guests/memory-c/memory-c.wasm")
	require.NoError(t, err)
	sb, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	info, err := sb.Inspect(wasm)
	require.NoError(t, err)
	older, err := os.ReadFile("../../../guests/memory-rust/memory-rust.wasm")
	require.NoError(t, err)
	older, err = sb.Pack(older, []byte(`{"name":"`+info.Name+`","state":"instance","features":["ETAG"]}`), false)
	require.NoError(t, err)
	require.NoError(t, sb.Close())
	write(t, dir, "led.wasm", string(wasm))
	write(t, dir, "a.yaml", "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {type: "+info.Type+", version: v1}\n")
	l := newLoader(t, dir)
	digest := func() string {
		p := l.Plan(t.Context(), true)
		require.Len(t, p.Specs, 1)
		return p.Specs[0].Digest
	}
	first := digest()
	write(t, dir, "led-0.9.wasm", string(older))
	require.Equal(t, first, digest(), "the one that serves goes on")
	require.Len(t, l.Problems(), 1)
	require.Contains(t, l.Problems()[0], "led-0.9.wasm")
	require.Contains(t, l.Problems()[0], "is taken by")
	require.NoError(t, os.Remove(filepath.Join(dir, "led.wasm")))
	require.NotEqual(t, first, digest(), "when it goes the other one comes")
	require.Empty(t, l.Problems())
}

// TestBrokenDocumentsAreListed as failed components.
func TestBrokenDocumentsAreListed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {typo: state.in-memory}\n")
	l := newLoader(t, dir)
	l.Plan(t.Context(), false)
	list := l.WithBroken(nil)
	require.Len(t, list, 1)
	require.Equal(t, handle.StateFailed, list[0].State)
	require.Len(t, l.WithBroken(list), 1, "one that is there already")
}

// TestASecretsFileIsNotPassedOver has one beside the components, as the
// documentation shows it, and a file that nobody names.
func TestASecretsFileIsNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "vault.yaml", "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: vault}\nspec:\n  type: secretstores.local.file\n  version: v1\n  metadata: [{name: SecretsFile, value: secrets.json}]\n")
	write(t, dir, "secrets.json", "{}")
	write(t, dir, "other.json", "{}")
	notes := newLoader(t, dir).Validate(t.Context()).Notes
	require.Len(t, notes, 1)
	require.Equal(t, "other.json", filepath.Base(notes[0].Pos.File))
}
