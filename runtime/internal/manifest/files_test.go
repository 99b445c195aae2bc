package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// doc is a component document.
func doc(name, typ string, more ...string) string {
	return fmt.Sprintf("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: %s\nspec:\n  type: %s\n%s\n", name, typ, strings.Join(more, "\n"))
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func names(res *manifest.Result) []string {
	var out []string
	for _, c := range res.Components {
		out = append(out, c.Name)
	}
	return out
}

func problems(res *manifest.Result) string {
	var out []string
	for _, p := range res.Problems {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.YAML", doc("b", "state.x"))
	write(t, dir, "a.yml", doc("a", "state.x"))
	write(t, dir, "m.Wasm", "not looked at")
	write(t, dir, "README.md", "#")
	write(t, dir, ".hidden.yaml", doc("hidden", "state.x"))
	require.NoError(t, os.Symlink("user@host.1", filepath.Join(dir, ".#a.yml")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub.yaml"), 0o700))
	write(t, filepath.Join(dir, "sub.yaml"), "deep.yaml", doc("deep", "state.x"))
	other := t.TempDir()
	write(t, other, "0.yaml", doc("c", "state.x"))

	res := manifest.Load([]string{dir, other, dir + "/."}, manifest.Options{})
	assert.Empty(t, problems(res))
	assert.ElementsMatch(t, []string{"a", "b", "c"}, names(res))
	require.Len(t, res.Modules, 1)
	assert.Equal(t, filepath.Join(dir, "m.Wasm"), res.Modules[0].Path)
	assert.EqualValues(t, 13, res.Modules[0].Size)
	assert.Len(t, res.Notes, 3, "README.md, .hidden.yaml, sub.yaml")

	res = manifest.Load([]string{t.TempDir()}, manifest.Options{})
	assert.Empty(t, res.Problems)
	assert.Empty(t, res.Components)
}

func TestBadPaths(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "pipe.yaml")
	mkfifo(t, fifo)
	mkfifo(t, filepath.Join(dir, "pipe.wasm"))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling.yaml")))
	require.NoError(t, os.Symlink("loop.yaml", filepath.Join(dir, "loop.yaml")))
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(dir, "zero.yaml")))
	write(t, dir, "big.yaml", "# "+strings.Repeat("x", 100))
	text := write(t, dir, "text.txt", "")
	missing := filepath.Join(dir, "missing")

	res := manifest.Load([]string{dir, text, missing}, manifest.Options{MaxFileSize: 100})
	got := problems(res)
	for _, want := range []string{
		"pipe.yaml: the path is a named pipe, not a file",
		"pipe.wasm: the path is a named pipe, not a file",
		"dangling.yaml: the symbolic link leads to a file that does not exist",
		"loop.yaml: the file cannot be read: too many levels of symbolic links",
		"zero.yaml: the path is a device, not a file",
		"big.yaml: the file is larger than the limit of 100 bytes",
		"text.txt: not a folder, nor a .yaml, .yml or .wasm file",
		"missing: the components folder does not exist",
	} {
		assert.Contains(t, got, want)
	}
	assert.Len(t, res.Problems, 8)
	assert.True(t, res.Keeps("x", filepath.Join(missing, "x.yaml")), "a folder that is gone keeps its components")
	assert.True(t, res.Keeps("", filepath.Join(dir, "pipe.wasm")))
	assert.False(t, res.Keeps("x", filepath.Join(dir, "x.yaml")))
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(write(t, dir, "a.yaml", doc("a", "state.x")), 0))
	assert.Contains(t, problems(manifest.Load([]string{dir}, manifest.Options{})), "a.yaml: the file cannot be read: permission denied")
}

// A Kubernetes ConfigMap volume: files are links through ..data into a folder.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "..2026_11_23")
	require.NoError(t, os.Mkdir(data, 0o700))
	write(t, data, "a.yaml", doc("a", "state.x"))
	require.NoError(t, os.Symlink("..2026_11_23", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml")))
	res := manifest.Load([]string{dir}, manifest.Options{})
	assert.Equal(t, []string{"a"}, names(res))
	assert.Empty(t, res.Problems)
	assert.Empty(t, res.Notes)
}

func TestBigDocument(t *testing.T) {
	text := doc("big", "state.x", "  metadata:", "  - name: blob", "    value: "+strings.Repeat("x", 7<<20))
	res := manifest.Load([]string{write(t, t.TempDir(), "big.yaml", text)}, manifest.Options{})
	require.Empty(t, problems(res))
	assert.Len(t, res.Components[0].Items[0].Text, 7<<20)
}

func TestHalfWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yaml")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString(doc("a", "state.x"))
	require.NoError(t, err)

	res := manifest.Load([]string{path}, manifest.Options{})
	assert.Equal(t, []string{path}, res.Busy)
	assert.Empty(t, res.Components)
	assert.Empty(t, res.Problems)
	assert.True(t, res.Keeps("a", path))

	require.NoError(t, f.Close())
	res = manifest.Load([]string{path}, manifest.Options{})
	assert.Equal(t, []string{"a"}, names(res))
	assert.Empty(t, res.Busy)

	// A file that its program never closes is read in the end.
	f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer f.Close()
	old := manifest.Load([]string{path}, manifest.Options{}).Busy
	assert.NotEmpty(t, old)
	require.NoError(t, os.Chtimes(path, testTime, testTime))
	assert.Equal(t, []string{"a"}, names(manifest.Load([]string{path}, manifest.Options{})))
}

// Whoever rewrites a file in place is never seen half-way: each load finds
// one of the versions, or that the file is being written.
func TestLoadWhileWriting(t *testing.T) {
	versions := map[int]bool{}
	var texts []string
	for _, n := range []int{1, 300, 900} {
		versions[n] = true
		text := doc("a", "state.x", "  metadata:")
		for i := range n {
			text += fmt.Sprintf("  - name: item%d\n    value: %s\n", i, strings.Repeat("x", 100))
		}
		texts = append(texts, text)
	}
	path := write(t, t.TempDir(), "a.yaml", texts[0])
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			text := texts[i%len(texts)]
			for len(text) > 0 {
				n := min(len(text), 4096)
				if _, err := f.WriteString(text[:n]); err != nil {
					t.Error(err)
				}
				text = text[n:]
			}
			f.Close()
			if i%3 == 0 {
				runtime.Gosched()
			}
		}
	})
	loads := 0
	for range 1500 {
		res := manifest.Load([]string{path}, manifest.Options{})
		if !assert.Empty(t, problems(res)) {
			break
		}
		if len(res.Components) == 0 {
			assert.True(t, res.Keeps("a", path))
			continue
		}
		loads++
		assert.True(t, versions[len(res.Components[0].Items)], "%d items", len(res.Components[0].Items))
	}
	close(stop)
	wg.Wait()
	res := manifest.Load([]string{path}, manifest.Options{})
	assert.Len(t, res.Components, 1)
	t.Logf("%d loads found a version", loads)
}

func TestKeeps(t *testing.T) {
	dir := t.TempDir()
	load := func(text string) (*manifest.Result, string) {
		path := write(t, dir, "a.yaml", text)
		return manifest.Load([]string{dir}, manifest.Options{}), path
	}
	res, path := load("")
	assert.True(t, res.Keeps("a", path), "an empty file is about to be written")
	assert.Empty(t, res.Problems)

	res, path = load("# nothing\n")
	assert.False(t, res.Keeps("a", path), "a file of comments was emptied on purpose")

	res, path = load(doc("a", "state.x") + "---\n" + "metadata:\n  name: b\n  spec: {")
	assert.True(t, res.Keeps("a", path))
	assert.True(t, res.Keeps("b", "elsewhere.yaml"), "the broken document bears its name")
	assert.False(t, res.Keeps("c", "elsewhere.yaml"))

	res, path = load(doc("a", "state.x"))
	assert.False(t, res.Keeps("b", path))

	// Every beginning of a file is either a problem, or has the component, or
	// keeps it: none looks like a removal.
	for _, full := range []string{
		doc("cut", "state.x", "  metadata:", "  - name: a", "    value: b"),
		"kind: Component\napiVersion: dapr.io/v1alpha1\nmetadata: {name: cut}\nspec: {type: state.x}",
		"\"metadata\": {name: cut}\nspec: {type: state.x}\nkind: Component\napiVersion: dapr.io/v1alpha1\n",
	} {
		for i := range len(full) {
			res, path = load(full[:i])
			assert.True(t, res.Keeps("cut", path) || len(res.Components) == 1, "cut at %d: %q", i, full[:i])
		}
	}
}

func TestDuplicatesAcrossFiles(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "a.yaml", doc("same", "state.first"))
	b := write(t, dir, "b.yaml", doc("same", "state.second"))

	res := manifest.Load([]string{dir}, manifest.Options{})
	require.Len(t, res.Components, 1)
	assert.Equal(t, "state.first", res.Components[0].Type)
	require.Len(t, res.Problems, 1)
	assert.Contains(t, problems(res), b+":4:9: component \"same\": the name is taken by the state.first component at "+a+":4:9")

	res = manifest.Load([]string{dir}, manifest.Options{Current: map[string]string{"same": b}})
	require.Len(t, res.Components, 1)
	assert.Equal(t, "state.second", res.Components[0].Type, "the one in service stays")
	assert.Contains(t, problems(res), a+":4:9: component \"same\"")

	// A typo in its file does not hand the name over to the other.
	write(t, dir, "b.yaml", doc("same", "state.second", "  metdata: []"))
	res = manifest.Load([]string{dir}, manifest.Options{Current: map[string]string{"same": b}})
	assert.Empty(t, res.Components)
	assert.True(t, res.Keeps("same", b))
	assert.Contains(t, problems(res), "the name is taken by the component of "+b)

	// Deleting it does.
	require.NoError(t, os.Remove(b))
	res = manifest.Load([]string{dir}, manifest.Options{Current: map[string]string{"same": b}})
	require.Len(t, res.Components, 1)
	assert.Equal(t, "state.first", res.Components[0].Type)
	assert.Empty(t, res.Problems)
}

func TestScopesAndNamespaces(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", doc("s", "state.one", "scopes: [one]")+"---\n"+doc("s", "state.two", "scopes: [two, three]"))
	load := func(opts manifest.Options) *manifest.Result { return manifest.Load([]string{dir}, opts) }

	assert.Empty(t, problems(load(manifest.Options{})), "no app sees both")
	for app, want := range map[string]string{"one": "state.one", "two": "state.two", "three": "state.two"} {
		res := load(manifest.Options{AppID: app})
		require.Len(t, res.Components, 1, app)
		assert.Equal(t, want, res.Components[0].Type)
		assert.Empty(t, res.Problems)
		assert.Len(t, res.Notes, 1)
	}
	assert.Empty(t, load(manifest.Options{AppID: "four"}).Components)

	write(t, dir, "b.yaml", doc("s", "state.three", "scopes: [three]"))
	assert.NotEmpty(t, problems(load(manifest.Options{})), "app three sees two")
}

func TestTooManyProblems(t *testing.T) {
	text := strings.Repeat("- x\n---\n", 10_000)
	res := manifest.Load([]string{write(t, t.TempDir(), "a.yaml", text)}, manifest.Options{})
	assert.Len(t, res.Problems, 101)
	assert.Contains(t, problems(res), "too many problems")
}
