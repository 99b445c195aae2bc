package wasmbin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/sandbox/internal/wasmbin"
)

// wazeroTests is the folder with wazero's own tests in the module cache. It
// holds the official tests of the specification.
func wazeroTests(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("find wazero in the module cache: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test")
}

// tally counts commands of scripts by what became of them.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	c.counts[what]++
	c.mu.Unlock()
}

func (c *tally) String() string {
	keys := make([]string, 0, len(c.counts))
	for k := range c.counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var s strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&s, "  %6d %s\n", c.counts[k], k)
	}
	return s.String()
}

// specLimits are limits that the scripts fit in: they test, among other things,
// the largest memories and tables.
func specLimits() wasmbin.Limits {
	lim := wasmbin.DefaultLimits()
	lim.AllowImported = true
	lim.TableElements = 1<<32 - 1
	lim.Tables = 1 << 10
	lim.BranchTargets = 1 << 15 // one module switches over 24,615 cases
	return lim
}

// specSlice is the fuel that scripts get at a time: little, so that refilling
// happens in the middle of everything.
const specSlice = 50

// TestSpecification runs the official tests of the specification on every
// module as it is and as it is rewritten.
func TestSpecification(t *testing.T) {
	oneThread(t)
	root := filepath.Join(wazeroTests(t), "spectest")
	host, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	require.NoError(t, err)
	for _, suite := range []struct {
		name     string
		features api.CoreFeatures
		want     map[string]int // commands that must hold on the plain and on the rewritten module
	}{
		{"v1", api.CoreFeaturesV1, map[string]int{"assert_return": 15788, "assert_trap": 458, "assert_exhaustion": 15}},
		{"v2", features, map[string]int{"assert_return": 45734, "assert_trap": 2408, "assert_exhaustion": 15}},
		{"tail-call", features, map[string]int{"assert_return": 71, "assert_trap": 7}},
		{"extended-const", features, map[string]int{"assert_return": 55, "assert_trap": 5}},
	} {
		t.Run(suite.name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(root, suite.name, "testdata", "*.json"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			c := &tally{counts: map[string]int{}}
			t.Run("scripts", func(t *testing.T) {
				for i, file := range files {
					if testing.Short() && i%8 != 0 {
						continue
					}
					t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
						t.Parallel()
						runScript(t, file, suite.features, host, c)
					})
				}
			})
			t.Logf("%s, plain and rewritten:\n%s", suite.name, c)
			if testing.Short() {
				return
			}
			for what, n := range suite.want {
				require.Equal(t, n, c.counts[what+" holds"], what)
			}
		})
	}
}

// run is the run of one script.
type run struct {
	t                *testing.T
	dir              string
	plain, rewritten *world
	counts           *tally
}

func runScript(t *testing.T, file string, use api.CoreFeatures, host []byte, counts *tally) {
	ctx := context.Background()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	plain, err := newWorld(ctx, use, 1<<16, nil)
	require.NoError(t, err)
	defer plain.rt.Close(ctx)
	rewritten, err := newWorld(ctx, use, 1<<16, &fuel{slice: specSlice, limits: specLimits()})
	require.NoError(t, err)
	defer rewritten.rt.Close(ctx)
	r := &run{t: t, dir: filepath.Dir(file), plain: plain, rewritten: rewritten, counts: counts}
	for _, w := range []*world{plain, rewritten} {
		_, err = w.rt.Instantiate(ctx, host)
		require.NoError(t, err)
	}
	s := parseScript(t, b)
	for i := range s.Commands {
		c := &s.Commands[i]
		switch c.Type {
		case "module":
			as := ""
			if i+1 < len(s.Commands) && s.Commands[i+1].Type == "register" {
				as = s.Commands[i+1].As
			}
			r.module(ctx, c, as)
		case "register": // done with the module before
			r.counts.add("register holds")
		case "assert_return", "action":
			r.returns(ctx, c)
		case "assert_trap", "assert_exhaustion":
			r.traps(ctx, c)
		case "assert_malformed", "assert_invalid", "assert_unlinkable", "assert_uninstantiable":
			if c.ModuleType == "text" {
				counts.add(c.Type + " not applicable: it tests a reader of the text format")
				continue
			}
			r.refused(ctx, c)
		default:
			t.Errorf("line %d: there is no command %q", c.Line, c.Type)
		}
	}
}

func (r *run) read(c *command) []byte {
	b, err := os.ReadFile(filepath.Join(r.dir, c.Filename))
	require.NoError(r.t, err)
	return b
}

func (r *run) module(ctx context.Context, c *command, as string) {
	b := r.read(c)
	for _, w := range []*world{r.plain, r.rewritten} {
		m, err := w.load(ctx, b, as)
		if err != nil {
			r.t.Fatalf("line %d: %s (rewritten: %v): %v", c.Line, c.Filename, w == r.rewritten, err)
		}
		w.last = m
		if c.Name != "" {
			w.named[c.Name] = m
		}
	}
	r.counts.add("module holds")
}

func (r *run) returns(ctx context.Context, c *command) {
	args := words(r.t, c.Action.Args)
	for _, w := range []*world{r.plain, r.rewritten} {
		got, types, err := w.do(ctx, &c.Action, slices.Clone(args))
		if err != nil {
			r.t.Errorf("line %d: %s (rewritten: %v): %v", c.Line, c.Action.Field, w == r.rewritten, err)
			return
		}
		if c.Type != "action" && !matches(r.t, got, c.Expected, types) {
			r.t.Errorf("line %d: %s (rewritten: %v) returned %#x", c.Line, c.Action.Field, w == r.rewritten, got)
			return
		}
	}
	r.counts.add(c.Type + " holds")
}

// trapCauses are wazero's words for the traps of the specification.
var trapCauses = map[string]string{
	"out of bounds memory access":   "out of bounds memory access",
	"indirect call type mismatch":   "indirect call type mismatch",
	"indirect call":                 "indirect call type mismatch",
	"undefined element":             "invalid table access",
	"undefined":                     "invalid table access",
	"out of bounds table access":    "invalid table access",
	"integer overflow":              "integer overflow",
	"invalid conversion to integer": "invalid conversion to integer",
	"integer divide by zero":        "integer divide by zero",
	"unreachable":                   "unreachable",
	"call stack exhausted":          "stack overflow",
	"stack overflow":                "stack overflow",
	"uninitialized":                 "invalid table access",
}

func (r *run) traps(ctx context.Context, c *command) {
	args := words(r.t, c.Action.Args)
	text := c.Text
	if strings.HasPrefix(text, "uninitialized element") { // the number of the element may follow
		text = "uninitialized"
	}
	want := trapCauses[text]
	if c.Type == "assert_exhaustion" {
		want = "stack overflow"
	}
	if want == "" {
		r.t.Errorf("line %d: the trap %q is unknown", c.Line, c.Text)
		return
	}
	for _, w := range []*world{r.plain, r.rewritten} {
		_, _, err := w.do(ctx, &c.Action, slices.Clone(args))
		if cause(err) != want {
			r.t.Errorf("line %d: %s (rewritten: %v) must fail with %q: %v", c.Line, c.Action.Field, w == r.rewritten, want, err)
			return
		}
	}
	r.counts.add(c.Type + " holds")
}

// refused checks that what is refused as it is, is refused when it is
// rewritten, by this package or by wazero.
func (r *run) refused(ctx context.Context, c *command) {
	b := r.read(c)
	_, plain := r.plain.load(ctx, b, "")
	_, rewritten := r.rewritten.load(ctx, b, "")
	var refusal *wasmbin.Error
	switch {
	case plain == nil && rewritten == nil:
		// Invalid in 1.0 and valid in 2.0, or an element segment that 1.0 checked
		// before the start and 2.0 after it.
		r.counts.add(c.Type + " accepted by wazero, plain and rewritten")
	case rewritten == nil:
		r.t.Errorf("line %d: %s: accepted when it is rewritten, although plain: %v", c.Line, c.Filename, plain)
	case plain == nil:
		r.t.Errorf("line %d: %s: accepted by wazero, refused when it is rewritten: %v", c.Line, c.Filename, rewritten)
	case errors.As(rewritten, &refusal):
		r.counts.add(c.Type + " refused before wazero")
	default:
		r.counts.add(c.Type + " refused by wazero, plain and rewritten")
	}
}

// TestOtherFeatures checks that modules of proposals that are not offered are
// refused by the name of the proposal.
func TestOtherFeatures(t *testing.T) {
	oneThread(t)
	root := filepath.Join(wazeroTests(t), "spectest")
	for _, suite := range []struct {
		name     string
		features []string
	}{
		// Some of these declare recursive types or references that cannot be null.
		{"exception-handling", []string{"exception handling", "garbage collection", "typed function references"}},
		{"threads", []string{"threads"}},
		{"typed-function-references", []string{"typed function references"}},
	} {
		t.Run(suite.name, func(t *testing.T) {
			ctx := context.Background()
			w, err := newWorld(ctx, features, 1<<16, nil)
			require.NoError(t, err)
			defer w.rt.Close(ctx)
			scripts, err := filepath.Glob(filepath.Join(root, suite.name, "testdata", "*.json"))
			require.NoError(t, err)
			c := &tally{counts: map[string]int{}}
			for _, file := range scripts {
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				s := parseScript(t, b)
				for i := range s.Commands {
					cmd := &s.Commands[i]
					if cmd.Filename == "" || cmd.ModuleType == "text" {
						continue
					}
					b, err := os.ReadFile(filepath.Join(filepath.Dir(file), cmd.Filename))
					require.NoError(t, err)
					_, err = wasmbin.Parse(b, specLimits())
					var refusal *wasmbin.Error
					switch {
					case err == nil:
						c.add(cmd.Type + " accepted: it does not use the feature or is left to wazero")
						if cmd.Type == "module" {
							require.NoError(t, w.compile(ctx, b), cmd.Filename)
						}
					case !errors.As(err, &refusal):
						t.Errorf("%s: %v", cmd.Filename, err)
					case refusal.Reason == wasmbin.Unsupported:
						require.True(t, slices.ContainsFunc(suite.features, func(f string) bool {
							return strings.Contains(refusal.Msg, "it uses "+f)
						}), "%s: %v", cmd.Filename, err)
						c.add(cmd.Type + " refused by the name of the feature")
					case cmd.Type == "module":
						t.Errorf("%s is refused without naming the feature: %v", cmd.Filename, err)
					default:
						c.add(cmd.Type + " refused for another reason")
					}
				}
			}
			t.Logf("%s:\n%s", suite.name, c)
			require.NotZero(t, c.counts["module refused by the name of the feature"])
		})
	}
}
