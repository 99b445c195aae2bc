// Package archtest holds the tests that keep the architecture as it is
// described: which folder may import which, and how long a file may get.
package archtest

import (
	"bufio"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wasmstate/wasmstate/"

// rule says what the non-test code of a folder and of everything below it may
// import besides the standard library. Paths without a dot in their first
// element are folders of this module; "x/..." means x and all below it. The
// longest matching folder counts.
type rule struct {
	folder string
	allow  []string
	forbid []string // standard packages that the folder must do without
}

const (
	wazero = "github.com/tetratelabs/wazero/..."
	zap    = "go.uber.org/zap/..."
)

func rules() []rule {
	return []rule{
		{folder: "abi", forbid: []string{"fmt", "reflect", "encoding/json", "net", "os", "log"}},
		{folder: "abi/storetest", allow: []string{"abi"}},
		{folder: "hostfuncs", allow: []string{"abi", "internal/text", wazero, "golang.org/x/net/..."}},

		{folder: "builtin", allow: []string{"abi"}},
		{folder: "builtin/sqlitestore", allow: []string{"abi", "modernc.org/sqlite/...", "github.com/google/uuid"}},
		{folder: "builtin/all", allow: []string{"abi", "builtin/..."}},

		{folder: "guests", allow: []string{"abi", "guests/sdk/go/..."}},

		{folder: "sandbox", allow: []string{"abi", "hostfuncs", "internal/text", "sandbox/internal/..."}},
		{folder: "sandbox/internal/wasmbin", allow: []string{"abi", "internal/text"}},
		{folder: "sandbox/internal/engine", allow: []string{"abi", "hostfuncs", "internal/text", wazero, "golang.org/x/sys/..."}},
		{folder: "sandbox/internal/wasmstore", allow: []string{"abi", "internal/text"}},

		{folder: "runtime", allow: []string{"abi", "sandbox", "runtime/handle", "runtime/internal/...", zap}},
		{folder: "runtime/handle", allow: []string{"abi"}},
		{folder: "runtime/internal/manifest", allow: []string{"abi", "internal/text", "sandbox", "gopkg.in/yaml.v3", "github.com/santhosh-tekuri/jsonschema/v6/...", "golang.org/x/text/..."}},
		{folder: "runtime/internal/secretstore", allow: []string{"abi", "internal/text"}},
		{folder: "runtime/internal/loader", allow: []string{"abi", "hostfuncs", "internal/text", "runtime/handle", "sandbox", "runtime/internal/manifest", "runtime/internal/secretstore", "runtime/internal/component", zap, "go.uber.org/zap/exp/zapslog"}},
		{folder: "runtime/internal/watch", allow: []string{"github.com/fsnotify/fsnotify", zap}},
		{folder: "runtime/internal/component", allow: []string{"abi", "internal/text", "runtime/handle", zap}},
		{folder: "runtime/internal/metrics", allow: []string{"abi", "sandbox", "internal/text", "runtime/handle", "runtime/internal/component", "github.com/prometheus/..."}},
		{folder: "runtime/internal/stateapi", allow: []string{"abi", "internal/text", "runtime/handle", "runtime/internal/component", "golang.org/x/sync/semaphore"}},
		{folder: "runtime/internal/httpapi", allow: []string{"abi", "internal/text", zap, "runtime/internal/component", "runtime/internal/stateapi"}},
		{folder: "runtime/internal/admin", allow: []string{"abi", "internal/text", zap, "runtime/handle", "runtime/internal/component", "runtime/internal/stateapi"}},
		{folder: "runtime/internal/serve", allow: []string{zap, "golang.org/x/net/netutil"}},

		{folder: "cmd/wasmstate", allow: []string{"", "abi/...", "hostfuncs", "runtime", "internal/text", "internal/modulemanifest", "sandbox", "builtin/all", "github.com/spf13/cobra/...", "github.com/spf13/pflag", zap, "go.uber.org/zap/exp/zapslog"}},
		{folder: "examples", allow: []string{"abi/...", "hostfuncs", "runtime", "builtin/...", zap}},
		{folder: "internal/text"}, // a leaf: the standard library only
		{folder: "internal/modulemanifest", allow: []string{"abi", "gopkg.in/yaml.v3"}},
		{folder: "internal/testing", allow: []string{"abi/...", "hostfuncs", "internal/modulemanifest", "internal/testing/...", "github.com/stretchr/testify/...", "sandbox", "runtime", "builtin/..."}},
		{folder: ""}, // the root package embeds sources and imports nothing
	}
}

// TestImports checks every package for the host and for wasm guests.
func TestImports(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for _, goos := range []string{"linux", "wasip1"} {
		ctx := build.Default
		ctx.GOOS, ctx.CgoEnabled = goos, false
		if goos == "wasip1" {
			ctx.GOARCH = "wasm"
		}
		for _, dir := range packages(t, root) {
			pkg, err := ctx.ImportDir(filepath.Join(root, dir), 0)
			if err != nil {
				continue // no Go files for this system
			}
			r := ruleFor(dir)
			for _, imp := range pkg.Imports {
				if why := r.check(imp); why != "" {
					t.Errorf("%s (%s) imports %q: %s", dir, goos, imp, why)
				}
			}
		}
	}
}

// TestTestingIsTestOnly keeps the helpers below internal/testing out of the product.
func TestTestingIsTestOnly(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for _, dir := range packages(t, root) {
		if strings.HasPrefix(dir, "internal/testing") {
			continue
		}
		pkg, err := build.ImportDir(filepath.Join(root, dir), 0)
		if err != nil {
			continue
		}
		for _, imp := range pkg.Imports {
			if strings.HasPrefix(imp, module+"internal/testing/") {
				t.Errorf("%s imports the test helper %q outside of a test", dir, imp)
			}
		}
	}
}

// TestFileLength keeps files readable: 500 lines of code, 800 of test.
func TestFileLength(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	walk(t, root, func(name string) {
		limit := 500
		switch {
		case strings.HasSuffix(name, "_test.go"):
			limit = 800
		case !strings.HasSuffix(name, ".go"):
			return
		}
		if n := countLines(t, filepath.Join(root, name)); n > limit {
			t.Errorf("%s has %d lines; split it by topic (limit %d)", name, n, limit)
		}
	})
}

// TestRuleCatches proves that the rules can fail.
func TestRuleCatches(t *testing.T) {
	for _, c := range []struct{ dir, imp string }{
		{"builtin/memstore", module + "runtime"},
		{"abi", "fmt"},
		{"runtime/internal/component", module + "sandbox/internal/engine"},
		{"sandbox/internal/wasmstore", "github.com/tetratelabs/wazero"},
		{"cmd/wasmstate", module + "runtime/internal/httpapi"},
		{"guests/memory-go", module + "runtime"},
		{"internal/text", module + "abi"},
		{"abi", module + "internal/text"},
		{"guests/sdk/go", module + "internal/text"},
	} {
		if ruleFor(c.dir).check(c.imp) == "" {
			t.Errorf("%s may import %s, and should not", c.dir, c.imp)
		}
	}
}

func ruleFor(dir string) rule {
	best := rule{}
	for _, r := range rules() {
		if (dir == r.folder || r.folder == "" || strings.HasPrefix(dir, r.folder+"/")) && len(r.folder) >= len(best.folder) {
			best = r
		}
	}
	return best
}

func (r rule) check(imp string) string {
	if !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
		if slices.Contains(r.forbid, imp) {
			return "guests link this folder, so it does without"
		}
		return ""
	}
	local, isLocal := strings.CutPrefix(imp, module)
	if imp == strings.TrimSuffix(module, "/") {
		local, isLocal = "", true
	}
	want := imp
	if isLocal {
		want = local
	}
	for _, a := range r.allow {
		prefix, deep := strings.CutSuffix(a, "/...")
		if want == prefix || deep && strings.HasPrefix(want, prefix+"/") {
			return ""
		}
	}
	return "not in the allowed list of " + path.Join("./", r.folder)
}

func packages(t *testing.T, root string) []string {
	t.Helper()
	var dirs []string
	walk(t, root, func(name string) {
		if dir := filepath.ToSlash(filepath.Dir(name)); strings.HasSuffix(name, ".go") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	})
	if len(dirs) < 5 {
		t.Fatalf("found only %d packages below %s", len(dirs), root)
	}
	return dirs
}

// walk calls f for every file of this module, with its path relative to root.
func walk(t *testing.T, root string, f func(name string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, p)
		if d.IsDir() {
			switch d.Name() {
			case ".git", "testdata", "node_modules", "target", "tools", ".cache":
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && name != "." {
				return filepath.SkipDir // a module of its own
			}
			return nil
		}
		f(filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func countLines(t *testing.T, name string) int {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
	}
	return n
}
