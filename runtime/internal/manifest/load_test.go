package manifest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden loads every file of testdata/ok and testdata/bad by itself and
// compares what came of it with the .golden file beside it.
func TestGolden(t *testing.T) {
	for _, dir := range []string{"ok", "bad"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.y*ml"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			t.Run(dir+"/"+filepath.Base(file), func(t *testing.T) {
				res := manifest.Load([]string{file}, manifest.Options{AppID: "orders-app", Namespace: "prod"})
				got := dump(t, res)
				golden := strings.TrimSuffix(file, filepath.Ext(file)) + ".golden"
				if *update {
					require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				assert.Equal(t, string(want), got)
				assert.Equal(t, dir == "bad", len(res.Problems) > 0, "problems in %s", dir)
			})
		}
	}
}

// dump is a Result as text.
func dump(t *testing.T, res *manifest.Result) string {
	var b strings.Builder
	for _, p := range res.Problems {
		fmt.Fprintf(&b, "problem %s\n", p)
	}
	for _, p := range res.Notes {
		fmt.Fprintf(&b, "note %s\n", p)
	}
	for _, m := range res.Modules {
		fmt.Fprintf(&b, "module %s %d\n", m.Path, m.Size)
	}
	for _, c := range res.Components {
		require.Len(t, c.Digest, 64)
		fmt.Fprintf(&b, "component %q %s version=%q namespace=%q at %s\n", c.Name, c.Type, c.Version, c.Namespace, c.Pos)
		fmt.Fprintf(&b, "  ignoreErrors=%v initTimeout=%v scopes=%v secretStore=%q\n", c.IgnoreErrors, c.InitTimeout, c.Scopes, c.SecretStore)
		for _, it := range c.Items {
			fmt.Fprintf(&b, "  %s:%d %s = %q", "item", it.Pos.Line, it.Name, it.Text)
			if it.JSON != nil {
				require.True(t, json.Valid(it.JSON), "%s", it.JSON)
				require.Equal(t, it.Text, string(it.JSON))
				b.WriteString(" json")
			}
			if it.Secret != nil {
				fmt.Fprintf(&b, " secret %s/%s", it.Secret.Name, it.Secret.Key)
			}
			if it.Env != "" {
				fmt.Fprintf(&b, " env %s", it.Env)
			}
			b.WriteString("\n")
		}
		if c.Runtime != (manifest.Runtime{}) {
			r := c.Runtime
			fmt.Fprintf(&b, "  runtime actor=%v prefix=%q ignoreEtag=%v url=%q digest=%q\n", r.ActorStateStore, r.KeyPrefix, r.IgnoreETagOnLastWrite, r.URL, r.ModuleDigest)
			if r.Sandbox != nil {
				text, err := json.MarshalIndent(r.Sandbox, "  ", "  ")
				require.NoError(t, err)
				fmt.Fprintf(&b, "  sandbox %s\n", text)
			}
		}
	}
	return b.String()
}
