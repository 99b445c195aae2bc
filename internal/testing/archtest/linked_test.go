package archtest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// linked says what a package may pull in, however far below: an embedder pays
// for all of it. most bounds the number of packages that are not the standard
// library's, the module's own included.
func linked() []struct {
	pkg   string
	most  int
	below []string // import paths that may be there, with all below them
} {
	return []struct {
		pkg   string
		most  int
		below []string
	}{
		{"./abi", 1, []string{module + "abi"}},
		{"./abi/storetest", 2, []string{module + "abi"}},
		{"./sandbox", 40, []string{
			module + "abi", module + "hostfuncs", module + "internal/text", module + "sandbox",
			"github.com/tetratelabs/wazero", "go.uber.org/zap", "go.uber.org/multierr", "golang.org/x/sys", "golang.org/x/net", "golang.org/x/text",
		}},
	}
}

// TestLinked keeps the small packages small for those who embed them alone.
func TestLinked(t *testing.T) {
	for _, l := range linked() {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", l.pkg)
		cmd.Dir = "../../.."
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list %s: %v", l.pkg, err)
		}
		pkgs := strings.Fields(string(out))
		if len(pkgs) > l.most {
			t.Errorf("%s links %d packages that are not the standard library's; at most %d are wanted:\n%s", l.pkg, len(pkgs), l.most, strings.Join(pkgs, "\n"))
		}
		for _, p := range pkgs {
			if !slices.ContainsFunc(l.below, func(b string) bool { return p == b || strings.HasPrefix(p, b+"/") }) {
				t.Errorf("%s links %s, which is not in its list", l.pkg, p)
			}
		}
	}
}

// TestTheCommandIsNoTest: package testing brings flags and hundreds of kilobytes.
func TestTheCommandIsNoTest(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/wasmstate")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(strings.Fields(string(out)), "testing") {
		t.Error("the command links package testing")
	}
}
